"""Line charts and histograms as SVG that takes its colours from the page.

Everything is drawn by CSS classes (`truth`, `model`, `other`, ...), so that a page can be light or
dark, and printed, without drawing anew.  Text is escaped by MarkupSafe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from ..analysis.coordinates import Array

WIDTH, HEIGHT = 420, 250
"""Of a chart, in units of which its text is 12 high: near a phone's width in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 42
SMALL_WIDTH, SMALL_HEIGHT = 200, 84


class Series(NamedTuple):
    """A curve.

    Attributes
    ----------
    title : str
    role : str
        CSS class: `truth`, `model` or `other`.
    x, y : array (K,)
    low, high : array (K,), optional
        A band about the curve.
    """

    title: str
    role: str
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None


class Axis(NamedTuple):
    """Data on one side of a chart: ends of the data, of the drawing, and where ticks are."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]

    def __call__(self, values: Array | float) -> Array:
        """Places of values in the drawing."""
        share = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def axis(values: Iterable[Array], start: float, end: float, zero: bool, count: int = 5) -> Axis:
    """An axis about all values; it begins at zero, or where the data do, and ends at a tick."""
    everything = np.concatenate([np.ravel(v) for v in values])
    low = 0.0 if zero else float(everything.min())
    high = max(float(everything.max()), low + 1e-9)
    ticks = np.array(MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high))
    if zero:
        high = float(ticks[ticks >= high - 1e-9 * (high - low)][0])
    inside = ticks[(ticks >= low - 1e-9 * (high - low)) & (ticks <= high + 1e-9 * (high - low))]
    return Axis(low, high, start, end, inside.tolist())


def line_chart(
    series: Sequence[Series],
    x_label: str,
    y_label: str,
    about: str,
    cursor: Array | None = None,
) -> Markup:
    """Curves over a common axis, from zero up.

    Parameters
    ----------
    series : sequence of Series
        The last lies on top.
    x_label, y_label : str
    about : str
        What is to be seen, for those who do not see it.
    cursor : array (K,), optional
        Where on x each snapshot is, for a line that the page moves with the one shown.
    """
    ends = [s.x for s in series] + ([] if cursor is None else [cursor])
    x = axis(ends, LEFT, WIDTH - RIGHT, zero=False, count=6)
    heights = [v for s in series for v in (s.y, s.high) if v is not None]
    y = axis(heights, HEIGHT - BOTTOM, TOP, zero=True)
    parts = [_grid(x, y, x_label, y_label), *(_band(s, x, y) for s in series)]
    parts += [
        Markup('<polyline class="curve {}" points="{}"/>').format(s.role, _points(x(s.x), y(s.y)))
        for s in series
    ]
    if cursor is not None:
        places = " ".join(f"{place:.1f}" for place in x(cursor))
        line = '<line class="cursor" data-places="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        parts.append(Markup(line).format(places, LEFT, LEFT, TOP, HEIGHT - BOTTOM))
    return _drawing(WIDTH, HEIGHT, about, parts)


def histogram(edges: Array, truth: Array, model: Array, about: str) -> Markup:
    """Two densities in common bins: the truth as an area, the model as a line.

    Parameters
    ----------
    edges : array (B + 1,)
    truth, model : array (B,)
    about : str
    """
    bottom = SMALL_HEIGHT - 16
    x = Axis(edges[0], edges[-1], 2, SMALL_WIDTH - 2, [-180.0, -90.0, 0.0, 90.0, 180.0])
    y = axis((truth, model), bottom, 4, zero=True)
    steps = np.repeat(x(edges), 2)
    area, line = (np.concatenate([[0.0], np.repeat(v, 2), [0.0]]) for v in (truth, model))
    parts = [
        Markup('<polygon class="area truth" points="{}"/>').format(_points(steps, y(area))),
        Markup('<polyline class="curve thin truth" points="{}"/>').format(_points(steps, y(area))),
        Markup('<polyline class="curve model" points="{}"/>').format(_points(steps, y(line))),
        Markup('<line class="axis" x1="2" x2="{}" y1="{}" y2="{}"/>').format(
            SMALL_WIDTH - 2, bottom, bottom
        ),
    ]
    anchors = ("start", "middle", "end")
    parts += [
        _text(float(x(tick)), SMALL_HEIGHT - 3, f"{tick:.0f}°".replace("-", "−"), anchor)
        for tick, anchor in zip((-180.0, 0.0, 180.0), anchors, strict=True)
    ]
    return _drawing(SMALL_WIDTH, SMALL_HEIGHT, about, parts)


def _drawing(width: int, height: int, about: str, parts: Iterable[Markup]) -> Markup:
    opening = '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">'
    return Markup(opening).format(width, height, about) + Markup("").join(parts) + Markup("</svg>")


def _grid(x: Axis, y: Axis, x_label: str, y_label: str) -> Markup:
    """Draw faint lines at the ticks of y, the ticks of both axes, and their titles."""
    parts = []
    for tick, place in zip(y.ticks, y(np.array(y.ticks)), strict=True):
        line = '<line class="{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        kind = "axis" if tick == 0 else "rule"
        parts.append(Markup(line).format(kind, LEFT, WIDTH - RIGHT, place, place))
        parts.append(_text(LEFT - 6, place + 4, f"{tick:g}", "end"))
    for tick, place in zip(x.ticks, x(np.array(x.ticks)), strict=True):
        parts.append(_text(float(place), HEIGHT - BOTTOM + 16, f"{tick:g}", "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_label, "middle"))
    side = (
        '<text class="tick" transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>'
    )
    parts.append(Markup(side).format((TOP + HEIGHT - BOTTOM) / 2, y_label))
    return Markup("").join(parts)


def _band(s: Series, x: Axis, y: Axis) -> Markup:
    if s.low is None or s.high is None:
        return Markup("")
    across = np.concatenate([x(s.x), x(s.x)[::-1]])
    around = np.concatenate([y(s.high), y(s.low)[::-1]])
    return Markup('<polygon class="area {}" points="{}"/>').format(s.role, _points(across, around))


def _text(x: float, y: float, text: str, anchor: str) -> Markup:
    return Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )


def _points(x: Array, y: Array) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
