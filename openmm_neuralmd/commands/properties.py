"""Properties of an OpenMM platform, as the command line has them."""

from __future__ import annotations

import typer


def read_properties(given: list[str] | None, platform: str | None) -> dict[str, str]:
    """NAME=VALUE pairs as a dict; anything else, or no platform to go with it, is wrong usage."""
    pairs = [text.partition("=") for text in given or []]
    if any(not (name and equals and value) for name, equals, value in pairs):
        raise typer.BadParameter("--property is NAME=VALUE, such as Precision=mixed")
    if pairs and platform is None:
        raise typer.BadParameter("--property needs --platform: properties differ between platforms")
    return {name: value for name, _, value in pairs}
