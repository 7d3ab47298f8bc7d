"""Deviation of each OpenMM platform from Reference, feature by feature.

    python validation/platforms.py [--platform OpenCL] [--features ode,sde] [--json out.json]

Every feature is measured on the CPU platform and, in single, mixed and double precision, on one GPU
platform.  With --features the other rows of the file stay as they are.  OpenCL runs without a
GPU, through Debian's pocl-opencl-icd.  Ends with exit code 1 where a deviation is above its limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openmm
import torch

from openmm_neuralmd.errors import NeuralMDError, one_line
from openmm_neuralmd.utils.platforms import OPENCL, describe_platform
from openmm_neuralmd.utils.progress import progress_bar
from platform_checks.ensemble import ENSEMBLE
from platform_checks.feature import CPU, Feature, Place, gpu_places
from platform_checks.learned import LEARNED
from platform_checks.mixed import MIXED
from platform_checks.surroundings import SURROUNDINGS
from result_files import measured, read, save

FEATURES = {**LEARNED, **ENSEMBLE, **SURROUNDINGS, **MIXED}


def device(place: Place) -> dict[str, Any]:
    """Platform, device and precision that a Context of one particle gets."""
    system = openmm.System()
    system.addParticle(1.0)
    return describe_platform(place.context(system, openmm.VerletIntegrator(0.001)))


def usable(places: tuple[Place, ...]) -> Iterator[tuple[Place, str]]:
    """Each place, and why no Context can be made there; empty where one can."""
    for place in places:
        try:
            device(place)
        except NeuralMDError as error:
            yield place, one_line(error)
        else:
            yield place, ""


def cell(feature: Feature, place: Place) -> dict[str, Any]:
    """Deviation and limit, or why there is none."""
    limit = feature.limit(place)
    try:
        deviation = feature.deviation(place)
    except (NeuralMDError, openmm.OpenMMException) as error:
        return {"deviation": None, "limit": limit, "within": False, "reason": one_line(error)}
    return {"deviation": deviation, "limit": limit, "within": bool(deviation <= limit)}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--platform", default=OPENCL, help="a GPU platform; default: OpenCL")
    parser.add_argument("--features", help="comma-separated names; default: all, in a new file")
    parser.add_argument("--precisions", default="single,mixed,double")
    parser.add_argument("--json", type=Path, help="default: in validation/results/")
    given = parser.parse_args()
    torch.set_num_threads(1)
    names = given.features.split(",") if given.features else list(FEATURES)
    asked = [p for p in gpu_places(given.platform) if p.precision in given.precisions.split(",")]
    places = dict(usable((CPU, *asked)))
    working = [place for place, reason in places.items() if not reason]
    rows: dict[str, Any] = {}
    with progress_bar("platforms", len(names) * len(working), "measurements") as advance:
        for name in names:
            feature, cells = FEATURES[name], {}
            for place in working:
                cells[str(place)] = cell(feature, place)
                advance(1, f"{name} on {place}")
            rows[name] = {"title": feature.title, "unit": feature.unit, "places": cells}
    file = f"platforms-{given.platform.lower()}"
    stored = read(file) if given.features and measured(file) else {"features": {}}
    every = {**stored["features"], **rows}
    earlier = [name for name in FEATURES if name in every and name not in rows]
    result = {
        "platform": given.platform,
        "devices": {str(place): device(place) for place in working},
        "earlier": {"features": earlier, "provenance": stored.get("provenance", {})},
        "left_out": {str(place): reason for place, reason in places.items() if reason},
        "features": {name: every[name] for name in FEATURES if name in every},
    }
    save(file, result, given.json)
    wrong = [
        f"{name} on {place}: {deviation['deviation']} (limit {deviation['limit']:g})"
        for name, row in rows.items()
        for place, deviation in row["places"].items()
        if not deviation["within"]
    ]
    for line in wrong:
        print(line)
    sys.exit(bool(wrong or len(working) < 2))


if __name__ == "__main__":
    main()
