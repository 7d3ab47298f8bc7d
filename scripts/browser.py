"""Chromium without a display, as the tests and the pictures of the report use it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

SOFTWARE_3D = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
"""WebGL computed by the processor."""


def chromium_program() -> str | None:
    """Debian's Chromium (apt-get install chromium), if it is there."""
    return shutil.which("chromium")


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """A running Chromium.

    Parameters
    ----------
    *options : str
        Of its command line; `SOFTWARE_3D` by default.
    """
    program = chromium_program()
    if program is None:
        raise FileNotFoundError("no Chromium here (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Inside a container there is no user namespace for its sandbox; the page is our own.
        arguments = ["--no-sandbox", *(options or SOFTWARE_3D)]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
