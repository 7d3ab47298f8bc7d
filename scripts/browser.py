"""Chromium without a display, as the tests and the pictures of the report use it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from playwright.sync_api import Browser, Playwright

SOFTWARE_3D = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""WebGL computed by the processor."""


def chromium_program() -> str | None:
    """Debian's Chromium (apt-get install chromium), if it is there."""
    return shutil.which("chromium")


def launched(playwright: Playwright, options: Sequence[str] = SOFTWARE_3D) -> Browser:
    """A running Chromium; `options` of its command line."""
    program = chromium_program()
    if program is None:
        raise FileNotFoundError("no Chromium here (Debian: apt-get install chromium)")
    # Inside a container there is no user namespace for its sandbox; the page is our own.
    arguments = ["--no-sandbox", *options]
    return playwright.chromium.launch(executable_path=program, args=arguments)
