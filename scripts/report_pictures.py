r"""Pictures of a report for the documentation: docs/images/report-*.png.

    neuralmd validate gpcr-ergotamine --example gpcr-ergotamine \
        --speed validation/results/speedup-t4l-p-xylene.json -o validation
    python scripts/report_pictures.py validation/report.html

Needs Debian's chromium and playwright (pip install playwright; it downloads no browser).
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from browser import launched

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
SNAPSHOT = 12
COLOURS = 256
"""Of the palette: as good to the eye, and a third of the bytes."""


def opened(browser: Browser, report: Path, width: int, height: int, scheme: str) -> Page:
    """The report at a later snapshot, drawn."""
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        device_scale_factor=1.5,
        reduced_motion="reduce",
    )
    page.goto(report.resolve().as_uri())
    for _ in range(SNAPSHOT):
        page.click("#forward")
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.wait_for_timeout(1000)
    return page


def saved(page: Page, name: str, section: str | None = None) -> None:
    """Save the window with a section at its top, in few colours."""
    if section is not None:
        page.evaluate("id => document.getElementById(id).scrollIntoView()", section)
        page.wait_for_timeout(500)
    path = IMAGES / f"report-{name}.png"
    page.screenshot(path=path)
    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)
    print(f"wrote {path} ({path.stat().st_size / 1000:.0f} kB)")


def main() -> None:
    """Open, look, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("report", type=Path)
    report = parser.parse_args().report
    with sync_playwright() as playwright:
        browser = launched(playwright)
        light = opened(browser, report, 1200, 820, "light")
        saved(light, "verdict")
        saved(light, "accuracy", "accuracy")
        saved(light, "card", "card")
        saved(opened(browser, report, 1200, 820, "dark"), "motion", "motion")
        saved(opened(browser, report, 390, 820, "light"), "phone", "motion")


if __name__ == "__main__":
    main()
