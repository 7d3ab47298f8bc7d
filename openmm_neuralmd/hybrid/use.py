"""Valid use of averages over a hybrid run, as sentences that end every log."""

from __future__ import annotations

from collections import Counter

from .jumped import FELL_BACK, JUMPED


def use_of_averages(kinds: Counter[str], draw: str) -> str:
    """Sentences on the averages over the snapshots of a run.

    Parameters
    ----------
    kinds : Counter
        How many snapshots are 'jump', 'fallback' and 'md'.
    draw : str
        See `JumpSettings`.
    """
    jumps, tried = kinds[JUMPED], kinds[JUMPED] + kinds[FELL_BACK]
    if not jumps:
        return (
            f"averages: no jump of {tried} was kept, so every snapshot is all-atom MD; averages "
            "may be used as those of MD that is this long"
        )
    source = "forecast by the model" if draw == "forecast" else "drawn from the learned ensemble"
    return (
        f"averages: {jumps} of {sum(kinds.values())} snapshots follow poses {source}, with no "
        "known probability; averages over this run may be used to look for poses, contacts and "
        "starts of MD, not as equilibrium averages, populations or free energies of the force field"
    )
