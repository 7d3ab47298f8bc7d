"""Ratios of the speeds that a run of speedup.py has measured, per sample too, with caveats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...analysis.memory import FEW, independent_per_day
from ...model import Model
from ...utils.times import show_time

MISATO_INTERVAL_PS = 80.0
Rows = Mapping[str, Mapping[str, Any]]


def with_samples(rows: Rows, memories: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """The rows with their independent samples a day, None where the memory is not known.

    Replicas that are all the same (`copies`) hold the samples of one.
    """
    sampled = {}
    for name, row in rows.items():
        side = "model" if row["learned"] else "md"
        known = (memories or {}).get(side) if not row.get("own_memory") else None
        per_day = None
        if known is not None:
            speed = row["ns_per_day"]["median"] / row.get("copies", 1)
            per_day = independent_per_day(speed, known["time_ps"])
        sampled[name] = {**row, "independent_per_day": per_day}
    return sampled


def ratios(rows: Rows, interval_ps: float) -> dict[str, dict[str, float | None]]:
    """Every learned row over the best all-atom row: in simulated time, and in samples.

    Parameters
    ----------
    rows : mapping
        As `with_samples` gives them.
    interval_ps : float
        The model's stride.
    """
    others = [row for row in rows.values() if not row["learned"]]
    if not others:
        return {}
    fastest = max(row["ns_per_day"]["median"] for row in others)
    samples = max((row["independent_per_day"] or 0.0 for row in others), default=0.0)
    content: dict[str, dict[str, float | None]] = {}
    for name, row in rows.items():
        if row["learned"]:
            ratio, own = row["ns_per_day"]["median"] / fastest, row["independent_per_day"]
            content[name] = {
                "at_model_interval": ratio,
                "at_80_ps": ratio * MISATO_INTERVAL_PS / interval_ps,
                "per_independent_sample": own / samples if own and samples else None,
            }
    return content


def in_words(result: Mapping[str, Any], model: Model) -> list[str]:
    """Caveats of the speed ratios, one sentence each."""
    rows = result["rows"]
    most = max((r["moving_atoms"] for r in rows.values() if not r["learned"]), default=0)
    own = min((r["moving_atoms"] for r in rows.values() if r["learned"]), default=0)
    trained = ", ".join(dict.fromkeys(str(d.get("name", "?")) for d in model.card.data))
    all_atom = (
        f"All-atom MD moves up to {most:,} atoms and samples the Boltzmann distribution of its "
        "force field; its trajectory resolves femtoseconds."
    )
    without = (
        "No all-atom MD was measured on this machine, so that there is no ratio: give --prepared "
        "a folder of neuralmd prepare."
    )
    sentences = [
        all_atom if most else without,
        f"NeuralMD moves the ligand's {own} atoms in a rigid protein and gives one snapshot per "
        "interval; nothing between snapshots is computed, and no ensemble is guaranteed: what they "
        "are worth is on its validity card.",
        "The ratio is proportional to the model's snapshot interval, which is a choice made when "
        "the reference was recorded, not an achievement of the code; it is also given for 80 ps.",
        f"The model was trained on {trained or 'data that its card does not name'}: on another "
        "complex it costs the same, and its trajectory there means nothing.",
    ]
    return [*sentences, *_of_samples(result), *_of_jumps(result)]


def _of_samples(result: Mapping[str, Any]) -> list[str]:
    content = result["memory"]
    if content is None:
        return ["Independent samples were not compared: that needs a run of MD (--reference)."]
    md, own = content["md"], content["model"]
    sentences = [
        "Independent samples are simulated time by twice the integrated autocorrelation time of "
        f"the ligand's coordinates: {_time(md)} in the MD ({content['reference']}, "
        f"{show_time(round(md['length_ps'], 6))}), which stands for all rows of MD"
        + (f", and {_time(own)} in a trajectory of the model from there." if own else ".")
    ]
    if own is None:
        sentences.append(f"The model has no independent samples: {content['why']}.")
    short = [side for side, row in (("MD", md), ("model", own)) if row and not row["resolved"]]
    if short:
        sentences.append(
            f"The trajectory of the {' and of the '.join(short)} holds fewer than {FEW:g} "
            "independent samples: it is too short to tell its own memory, which is longer."
        )
    return [*sentences, *_forgetting(md, own)]


def _forgetting(md: Mapping[str, Any], own: Mapping[str, Any] | None) -> list[str]:
    """Caveat for a model whose memory differs from the molecule's; empty if it does not."""
    if own is None or 0.5 <= own["time_ps"] / md["time_ps"] <= 2.0:
        return []
    pace = "faster" if own["time_ps"] < md["time_ps"] else "more slowly"
    return [
        f"This model forgets {pace} than the molecule does: the ratio of independent samples "
        "counts that too, though it is an error of the model."
    ]


def _time(row: Mapping[str, Any]) -> str:
    return show_time(float(f"{row['time_ps']:.2g}"))


def _of_jumps(result: Mapping[str, Any]) -> list[str]:
    content = result["jumps"]
    if content is None:
        return []
    why = f" (failed: {', '.join(content['reasons'])})" if content["reasons"] else ""
    sentences = [
        f"The hybrid row counts relaxation, checks and fallbacks: {content['kept']} of "
        f"{content['attempts']} jumps from the prepared pose were kept{why}. A chain of jumps may "
        "keep more or fewer."
    ]
    if content["fallback_ps"] < result["interval_ps"]:
        sentences.append(
            f"A fallback is {show_time(result['interval_ps'])} of MD, of which "
            f"{show_time(content['fallback_ps'])} were run and scaled up."
        )
    return sentences
