"""The table platform × feature, for render.py."""

from __future__ import annotations

from collections.abc import Callable

from openmm_neuralmd.analysis.markdown import table
from result_files import RESULTS, machine, measured, missing, origin, read

NAME = "platforms-"


def deviations() -> str:
    """Largest deviation from the Reference platform, in every file that there is."""
    names = sorted(path.stem for path in RESULTS.glob(f"{NAME}*.json"))
    if not any(measured(name) for name in names):
        return missing("python validation/platforms.py")
    return "\n".join(_of_one(name) for name in names)


def _of_one(name: str) -> str:
    result = read(name)
    places = list(result["devices"])
    rows = [
        [row["title"], row["unit"], *(_cell(row["places"].get(place)) for place in places)]
        for row in result["features"].values()
    ]
    body = table(["feature", "unit", *places], rows)
    devices = {d["properties"].get("DeviceName", "") for d in result["devices"].values()} - {""}
    where = f"Devices: {', '.join(sorted(devices))}. " if devices else ""
    lost = "".join(f" {place}: {why}." for place, why in result["left_out"].items())
    return f"{body}\n{where}{machine(name)}{_earlier(result)}{lost}"


def _earlier(result: dict) -> str:
    """Name the source of rows that the last run did not measure."""
    earlier = result.get("earlier", {"features": []})
    if not earlier["features"]:
        return ""
    count = len(earlier["features"])
    return f" {count} rows are of an earlier run: {origin(earlier['provenance'])}"


def _cell(found: dict | None) -> str:
    if found is None or found["deviation"] is None:
        return "fails" if found else ""
    shown = f"{found['deviation']:.1e}" if found["deviation"] else "0"
    return shown if found["within"] else f"**{shown}**"


PLATFORM_TABLES: dict[str, Callable[[], str]] = {"platforms": deviations}
"""Tables by the names that pages use."""
