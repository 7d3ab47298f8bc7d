"""The report in a real browser: it plays, fetches nothing, and people can use it."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from openmm_neuralmd.report.page import render
from openmm_neuralmd.report.speed import read_speed
from openmm_neuralmd.trajectory.snapshots import Snapshots
from report_cases import AHEAD, small_evidence

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from browser import chromium_program, launched  # noqa: E402

AXE = ROOT / "tests" / "data" / "axe-core" / "axe.min.js"
SPEED = ROOT / "validation" / "results" / "speedup-t4l-p-xylene.json"
DESKTOP, TABLET, PHONE, NARROW = (1280, 900), (640, 600), (390, 844), (320, 640)

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(
        chromium_program() is None and "CI" not in os.environ,
        reason="Chromium is not installed (Debian: apt-get install chromium)",
    ),
]


@pytest.fixture(scope="module")
def report(gpcr: Snapshots, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("report") / "report.html"
    file.write_text(render(replace(small_evidence(gpcr), speed=read_speed(SPEED))), "utf-8")
    return file


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    running = launched(playwright)
    yield running
    running.close()


class Opened:
    """A page, and what it said and fetched."""

    def __init__(self, browser: Browser, report: Path, size: tuple[int, int], scheme: str) -> None:
        viewport = {"width": size[0], "height": size[1]}
        self.page: Page = browser.new_page(viewport=viewport, color_scheme=scheme)
        self.page.set_default_timeout(600_000)  # software rendering on a busy machine
        self.said: list[str] = []
        self.fetched: list[str] = []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.fetched.append(request.url))
        self.page.goto(report.as_uri())
        self.report = report

    def quiet(self) -> bool:
        """Nothing was said, and nothing fetched but the file itself."""
        return self.said == [] and self.fetched == [self.report.as_uri()]

    def picture(self) -> np.ndarray:
        """The 3D view as the screen shows it, (height, width, 3)."""
        shot = self.page.locator("#view").screenshot()
        return np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), dtype=int)

    def draws_anew(self, before: np.ndarray, seconds: float = 60.0) -> bool:
        """Whether the 3D view comes to differ from `before`: drawing ends after the click."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (before != self.picture()).any():
                return True
        return False

    def slider(self) -> int:
        return int(self.page.input_value("#slider"))


@pytest.fixture
def opened(browser: Browser, report: Path) -> Iterator[Opened]:
    made = Opened(browser, report, TABLET, "light")  # 3D costs software its pixels
    yield made
    made.page.close()


def test_it_opens_offline_and_draws_the_molecule(opened: Opened) -> None:
    picture = opened.picture()
    white = (picture == 255).all(-1).mean()
    assert 0.3 < white < 0.99  # neither empty nor covered
    blue = (picture[..., 2] - picture[..., 0] > 60).mean()
    assert blue > 1e-3  # the forecast
    assert opened.quiet(), (opened.said, opened.fetched)


def test_it_plays_and_steps(opened: Opened) -> None:
    page, play = opened.page, opened.page.locator("#play")
    before = opened.picture()
    play.click()
    assert play.inner_text() == "Pause"
    assert opened.draws_anew(before)
    expect(page.locator("#slider")).not_to_have_value("0")
    play.click()
    assert play.inner_text() == "Play"
    stopped = opened.slider()
    page.wait_for_timeout(500)
    assert opened.slider() == stopped
    page.click("#forward")
    page.click("#back")
    page.click("#back")
    assert opened.slider() == (stopped - 1) % (AHEAD + 1)
    assert opened.quiet(), opened.said


def test_the_charts_follow_the_snapshot_and_the_forecast(opened: Opened) -> None:
    page = opened.page
    page.fill("#slider", "3")
    assert page.locator("#clock").inner_text() == f"3 of {AHEAD} snapshots ahead, 18 ns"
    assert page.get_attribute("#slider", "aria-valuetext") == page.locator("#clock").inner_text()
    cursor = page.locator(".shown:not([hidden]) .cursor").first
    middle = float(cursor.get_attribute("x1") or 0)
    page.fill("#slider", str(AHEAD))
    assert float(cursor.get_attribute("x1") or 0) > middle
    before, curve = opened.picture(), page.locator(".shown:not([hidden]) .curve.truth").first
    points = curve.get_attribute("points")
    page.select_option("#forecast", label=page.locator("#forecast option").nth(1).inner_text())
    page.wait_for_timeout(300)
    assert curve.get_attribute("points") != points
    assert (before != opened.picture()).any()
    assert page.locator(".shown:not([hidden])").count() == 1
    assert opened.quiet(), opened.said


def test_everything_works_from_the_keyboard(opened: Opened) -> None:
    page = opened.page
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    for control in ("theme", "view", "back", "play", "forward", "slider", "forecast", "pocket"):
        assert control in reached, control
    page.focus("#view")
    page.wait_for_timeout(200)
    before = opened.picture()
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(200)
    assert (before != opened.picture()).mean() > 1e-3
    page.focus("#slider")
    page.keyboard.press("ArrowRight")
    assert opened.slider() == 1
    page.focus("#play")
    page.keyboard.press("Space")
    assert page.locator("#play").inner_text() == "Pause"


def test_tracks_and_pocket_can_be_hidden(opened: Opened) -> None:
    page = opened.page
    for box in page.locator(".player input[type=checkbox]").all():
        box.set_checked(False)
    page.wait_for_timeout(300)
    inner = opened.picture()[20:-60, 20:-20]  # without the clock and the frame
    assert (inner == 255).all()


def test_dark_mode_comes_from_the_system_and_from_the_button(
    browser: Browser, report: Path
) -> None:
    def luminance(page: Page) -> float:
        rgb = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, rgb[4:-1].split(",")[:3])) / 3

    dark = Opened(browser, report, TABLET, "dark")
    assert luminance(dark.page) < 40 and dark.picture()[0, 0].mean() < 40
    dark.page.click("#theme")
    dark.page.wait_for_timeout(300)
    assert luminance(dark.page) > 240 and dark.picture()[0, 0].mean() > 240
    assert dark.page.get_attribute("#theme", "aria-pressed") == "false"
    assert dark.quiet(), dark.said
    dark.page.close()


@pytest.mark.parametrize("size", [PHONE, NARROW, DESKTOP])
def test_nothing_is_wider_than_the_window(
    browser: Browser, report: Path, size: tuple[int, int]
) -> None:
    opened = Opened(browser, report, size, "light")
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    wide = "[document.documentElement.scrollWidth, window.innerWidth]"
    width, window = opened.page.evaluate(wide)
    assert width <= window
    assert opened.quiet(), opened.said
    opened.page.close()


@pytest.mark.parametrize(
    ("size", "scheme"), [(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "light")]
)
def test_no_hindrance_that_axe_can_find(
    browser: Browser, report: Path, size: tuple[int, int], scheme: str
) -> None:
    opened = Opened(browser, report, size, scheme)
    opened.page.evaluate(AXE.read_text(encoding="utf-8"))
    found = opened.page.evaluate("axe.run()")
    told = [(v["id"], [node["html"] for node in v["nodes"]][:3]) for v in found["violations"]]
    assert told == []
    assert len(found["passes"]) > 20
    opened.page.close()


def test_without_webgl_it_says_so_and_shows_the_charts(
    playwright: Playwright, report: Path
) -> None:
    flat = launched(playwright, ["--disable-3d-apis", "--disable-gpu"])
    opened = Opened(flat, report, DESKTOP, "light")
    assert opened.page.is_visible("#no-webgl")
    opened.page.select_option("#forecast", index=1)
    opened.page.click("#forward")
    assert opened.slider() == 1
    assert opened.page.locator(".shown:not([hidden]) svg.chart").first.is_visible()
    assert opened.quiet(), opened.said
    flat.close()


def test_it_prints_without_controls_and_in_light(browser: Browser, report: Path) -> None:
    opened = Opened(browser, report, TABLET, "dark")
    opened.page.emulate_media(media="print")
    assert not opened.page.is_visible(".controls")
    ink = opened.page.evaluate("getComputedStyle(document.body).color")
    assert max(map(int, ink[4:-1].split(",")[:3])) < 60
    assert opened.page.pdf()[:5] == b"%PDF-"
    opened.page.close()
