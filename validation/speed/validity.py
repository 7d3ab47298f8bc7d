"""Validity card of the model that is timed: its headline and how many checks it passed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.model import Model


def read_validity(path: Path, model: Model) -> dict[str, Any]:
    """Headline and counts of a validity card, which has to be of the model that is timed.

    Raises
    ------
    InputError
        No such file, or another model's.
    """
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        sha256, name = card["model"]["sha256"], card["model"]["name"]
        content = {"headline": card["verdict"]["headline"], "counts": card["counts"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a validity.json of neuralmd validate: {error!r}") from error
    if sha256 != model.sha256:
        raise InputError(
            f"{path}: of model '{name}' ({sha256[:12]}…), but '{model.card.name}' "
            f"({model.sha256[:12]}…) is timed: validate that one"
        )
    return content


def verdict(content: Mapping[str, Any] | None) -> str:
    """A card's headline and counts."""
    return counts(None) if content is None else f"{content['headline']} ({counts(content)})"


def counts(content: Mapping[str, Any] | None) -> str:
    """Count the checks of a card that passed and failed, for a cell of a table."""
    if content is None:
        return "none given"
    return ", ".join(f"{count} {name}" for name, count in content["counts"].items() if count)
