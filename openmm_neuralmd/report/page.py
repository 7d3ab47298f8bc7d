"""`report.html`: one file that fetches nothing."""

from __future__ import annotations

from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ..analysis.evaluation import spaced
from ..analysis.interactions import occupancies
from ..analysis.markdown import rounded, significant
from ..utils.times import show_time
from .bars import (
    Bars,
    Pair,
    difference_bars,
    metric_bars,
    occupancy_pairs,
)
from .card import validity_card
from .curves import (
    departure,
    drift,
    fluctuation,
    torsion_histograms,
)
from .evidence import Evidence
from .names import title
from .scene import scene
from .verdict import STILL

ENVIRONMENT = Environment(
    loader=PackageLoader("openmm_neuralmd.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters |= {
    "title_of": title,
    "time": show_time,
    "rounded": rounded,
    "significant": significant,
}


def render(evidence: Evidence) -> str:
    """The report as HTML.

    Examples
    --------
    >>> from openmm_neuralmd.report import render
    >>> render(evidence).lower().startswith("<!doctype html>")
    True
    """
    page: str = ENVIRONMENT.get_template("report.html").render(
        evidence=evidence,
        result=evidence.result,
        card=validity_card(evidence),
        tiles=_tiles(evidence),
        scene=scene(
            evidence.record, evidence.complex, _methods(evidence), evidence.result["interval_ps"]
        ),
        shown=_shown(evidence),
        **_figures(evidence),
        viewer=_asset("assets", "3Dmol-min.js"),
        licence=str(_asset("assets", "3Dmol.LICENSE")),
        style=_asset("templates", "report.css"),
        script=_asset("templates", "report.js"),
    )
    return page


def _methods(evidence: Evidence) -> list[str]:
    """The model and its strongest rival, which charts and viewer show."""
    return [evidence.model, evidence.best_baseline("rmse")]


def _figures(evidence: Evidence) -> dict[str, Any]:
    result, record = evidence.result, evidence.record
    methods, interval_ps = _methods(evidence), result["interval_ps"]
    bonds = evidence.complex.site_bonds
    torsions, more_torsions = torsion_histograms(record, evidence.model, bonds, evidence.atoms)
    pairs, rare = _interactions(evidence)
    drifting = list(dict.fromkeys([*methods, STILL]))
    return {
        "drift": drift(result["rmsd_ahead"], drifting, interval_ps),
        "metrics": metric_bars(result["errors"], evidence.model),
        "differences": _differences(evidence),
        "fluctuation": fluctuation(record, methods, evidence.atoms),
        "torsions": torsions,
        "more_torsions": more_torsions,
        "pairs": pairs,
        "rare": rare,
    }


def _differences(evidence: Evidence) -> list[Bars]:
    """Paired differences, first in what the verdict is about."""
    keys = ("rmse", "stability", "matching", "mae")
    return [difference_bars(evidence.result["differences"], k, evidence.baselines) for k in keys]


def _shown(evidence: Evidence) -> list[dict[str, Any]]:
    """The forecasts that can be looked at, with the charts of each."""
    methods, interval_ps = _methods(evidence), evidence.result["interval_ps"]
    return [
        {"name": name, "charts": departure(evidence.record, place, methods, interval_ps)}
        for name, place in evidence.record.ranked(evidence.model).items()
    ]


def _tiles(evidence: Evidence) -> list[dict[str, str]]:
    """The model's figures, each over that of the best naive baseline."""
    errors = evidence.result["errors"]
    tiles = []
    for metric, name, unit, decimals in (
        ("rmse", "RMSE", "Å", 2),
        ("stability", "Stability", "%", 1),
    ):
        best = evidence.best_baseline(metric)
        own, other = (errors[m][metric][0] for m in (evidence.model, best))
        beside = f"{title(best)}: {other:.{decimals}f}"
        tiles.append({"name": name, "value": f"{own:.{decimals}f}", "unit": unit, "beside": beside})
    own = errors[evidence.model]
    valid = {"name": "Intact molecules", "unit": "%", "beside": "of the forecast snapshots"}
    tiles.append(valid | {"value": f"{own['bond_angle_validity'][0]:.0f}"})
    if "rmsf_ratio" in own:
        moves = {"name": "Fluctuation", "unit": "×", "beside": "the MD's; 1 is right"}
        tiles.append(moves | {"value": f"{own['rmsf_ratio'][0]:.2f}"})
    return tiles


def _interactions(evidence: Evidence) -> tuple[list[Pair], int]:
    """Occupancies of the MD and of the model in snapshots spread over all forecasts."""
    protein, molecule = evidence.chemistry.protein, evidence.chemistry.molecule
    if protein is None or molecule is None:
        return [], 0
    sides = (evidence.record.truth, evidence.record.forecasts(evidence.model))
    poses = [spaced(x.reshape(-1, *x.shape[2:])) for x in sides]
    return occupancy_pairs(*(occupancies(protein, molecule, x) for x in poses))


def _asset(folder: str, name: str) -> Markup:
    """Read a file of this package, to be inserted into the page."""
    return Markup((resources.files(__package__) / folder / name).read_text(encoding="utf-8"))
