"""`report.html` of a prediction: one file that fetches nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .drawing import chart, drawing, largest
from .ensemble import WELLS, LigandPrediction

CONTACTS = 12
"""Contacts of each ligand that the page lists."""
ENVIRONMENT = Environment(
    loader=PackageLoader("openmm_neuralmd.prediction"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(predictions: Sequence[LigandPrediction], folders: Sequence[str]) -> str:
    """The page as HTML; predictions in their ranked order."""
    top = largest(list(predictions))
    ligands = [
        {
            "one": one,
            "folder": "" if len(predictions) == 1 else f"{folder}/",
            "drawing": Markup(drawing(one, top)),
            "small": Markup(drawing(one, top, (240, 180))),
            "chart": base64.b64encode(chart(one)).decode(),
        }
        for one, folder in zip(predictions, folders)
    ]
    style = resources.files("openmm_neuralmd.prediction") / "templates" / "prediction.css"
    page: str = ENVIRONMENT.get_template("prediction.html").render(
        ligands=ligands,
        wells=WELLS,
        contacts=CONTACTS,
        top=top,
        style=Markup(style.read_text(encoding="utf-8")),
    )
    return page
