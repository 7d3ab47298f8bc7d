"""Verdict of an assessment in plain words, by intervals alone."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from ..analysis.markdown import interval
from ..analysis.summaries import FEW
from ..assessment.contestants import FUTURES, MEAN
from ..utils.times import show_time
from .bars import outcome
from .evidence import Evidence
from .names import title

Tone = Literal["good", "mixed", "bad"]
STILL = "persistence"
"""Standing still, the first rival."""
COMPARED = ("rmse", "stability")
ENOUGH, TOO_MUCH = 0.8, 1.25
"""Of the MD's fluctuation: less is too little movement, more is too much."""


class Verdict(NamedTuple):
    """The top of a report.

    Attributes
    ----------
    tone : {'good', 'mixed', 'bad'}
    headline : str
    sentences : list of str
        What was found.
    cautions : list of str
        What it does not show.
    """

    tone: Tone
    headline: str
    sentences: list[str]
    cautions: list[str]


def verdict(evidence: Evidence) -> Verdict:
    """Derive the verdict from the intervals of the paired differences alone."""
    tone, headline = _headline(evidence)
    if evidence.result["clusters"] < FEW:
        headline = f"On little data: {headline[0].lower()}{headline[1:]}"
    sentences = [_question(evidence), *(_rivals(evidence, metric) for metric in COMPARED)]
    sentences = [_together(text) for text in (*sentences, *_futures(evidence), _movement(evidence))]
    return Verdict(tone, headline, sentences, _cautions(evidence))


def _together(text: str) -> str:
    """Prevent line breaks between a number and its unit."""
    return re.sub(r"(?<=\d) (?=Å|%|points|ns|ps)", "\u00a0", text)


def _headline(evidence: Evidence) -> tuple[Tone, str]:
    """Choose a headline; 'better' is in RMSE and Stability, by intervals that exclude zero."""
    better = {
        name
        for name in evidence.baselines
        if all(_outcome(evidence, name, metric) == "better" for metric in COMPARED)
    }
    if len(better) == len(evidence.baselines):
        return "good", "Better than every naive baseline"
    if STILL in better:
        return "mixed", "Better than standing still, but not than every naive baseline"
    worse = {name for name in evidence.baselines if _worse(evidence, name)}
    still = "Worse" if STILL in worse else "Not clearly better"
    others = f", and worse than {len(worse)} of {len(evidence.baselines)} naive baselines"
    return "bad", f"{still} than standing still{others if worse else ''}"


def _worse(evidence: Evidence, name: str) -> bool:
    """Test whether one compared metric is worse and none is better."""
    outcomes = {_outcome(evidence, name, metric) for metric in COMPARED}
    return "worse" in outcomes and "better" not in outcomes


def _outcome(evidence: Evidence, name: str, metric: str) -> str:
    return outcome(metric, evidence.result["differences"][name][metric])


def _question(evidence: Evidence) -> str:
    result = evidence.result
    ahead = result["ahead"]
    many = f"{result['origins']} starting points" if result["origins"] > 1 else "one starting point"
    return (
        f"{title(evidence.model)} forecast the ligand's next {ahead} snapshots "
        f"({show_time(ahead * result['interval_ps'])}) from {many}; it knew nothing later."
    )


def _rivals(evidence: Evidence, metric: str) -> str:
    """The model beside the naive baseline that is best in a metric, and how many it beats."""
    best = evidence.best_baseline(metric)
    words, unit, decimals = {"rmse": ("RMSE", "Å", 2), "stability": ("Stability", "%", 1)}[metric]
    own, other = (evidence.result["errors"][name][metric][0] for name in (evidence.model, best))
    beaten = [n for n in evidence.baselines if _outcome(evidence, n, metric) == "better"]
    valid = evidence.result["errors"][best].get("bond_angle_validity", [100.0])[0]
    broken = f" ({valid:.0f} % of its snapshots are intact molecules)" if valid < 99.5 else ""
    return (
        f"{words}: {own:.{decimals}f} {unit}. The best naive baseline, {title(best)}, has "
        f"{other:.{decimals}f} {unit}{broken}. {_gap(evidence, best, metric, decimals + 1)} "
        f"In {words} it beats {len(beaten)} of {len(evidence.baselines)} naive baselines."
    )


def _gap(evidence: Evidence, name: str, metric: str, decimals: int) -> str:
    """Sentence on the difference between the model and one naive baseline."""
    values = evidence.result["differences"][name][metric]
    side = _outcome(evidence, name, metric)
    unit = "points" if metric == "stability" else "Å"
    if side == "level":
        gap = interval(values, decimals).replace("-", "−")
        without = "" if len(values) == 3 else ", which has no interval,"
        return f"The difference, {gap} {unit},{without} decides nothing."
    mean, *ends = (abs(value) for value in values)
    gap = interval([mean, *sorted(ends)], decimals)
    return f"The model is {side} by {gap.replace('(', f'{unit} (95 % interval ')}."


def _futures(evidence: Evidence) -> list[str]:
    """Explain for a model with noise that one future is judged, whose RMSE exceeds a mean's."""
    row = evidence.result["errors"].get(evidence.model + MEAN)
    if row is None:
        return []
    return [
        "It draws noise, and what is judged is a single future: that has a larger RMSE than a mean "
        f"even where it is drawn from the truth. The mean of {FUTURES} of its futures has "
        f"{row['rmse'][0]:.2f} Å; {row['bond_angle_validity'][0]:.0f} % of its snapshots are "
        "intact molecules."
    ]


def _movement(evidence: Evidence) -> str:
    row = evidence.result["errors"][evidence.model]
    sentences = []
    if "bond_angle_validity" in row:
        valid = row["bond_angle_validity"][0]
        sentences.append(f"{valid:.0f} % of its snapshots are intact molecules")
    if "rmsf_ratio" in row:
        ratio = row["rmsf_ratio"][0]
        much = (
            "about as much as" if ENOUGH <= ratio <= TOO_MUCH else f"{ratio:.2g} times as much as"
        )
        far = ": too little" if ratio < ENOUGH else ": too much" if ratio > TOO_MUCH else ""
        sentences.append(f"its ligand fluctuates {much} in the MD{far}")
    text = ", and ".join(sentences) + "."
    return text[0].upper() + text[1:]


def _cautions(evidence: Evidence) -> list[str]:
    result = evidence.result
    cautions = []
    if result["clusters"] < FEW:
        cautions.append(
            f"The forecasts fall into {result['clusters']} stretches that do not overlap. With "
            f"fewer than {FEW} the intervals are too narrow: take them as indications."
        )
    if result["trajectory_seen_in_training"]:
        cautions.append(
            "The model learned from earlier snapshots of this very trajectory; nothing here is "
            "about other complexes."
        )
    cautions.append(
        "One trajectory is one sample of its complex, however many forecasts are made in it."
    )
    if missing := evidence.chemistry.missing:
        cautions.append(f"Poses or interactions were not checked: {missing}.")
    return cautions
