"""Error for a trajectory file whose content its format does not allow."""

from __future__ import annotations

from ..errors import InputError


def damaged(name: str, reason: str, snapshot: int | None = None) -> InputError:
    """Error of a damaged file, to be raised.

    Parameters
    ----------
    name : str
        Of the file.
    reason : str
    snapshot : int, optional
        Where the damage is, counted from 0.
    """
    place = "" if snapshot is None else f"snapshot {snapshot}: "
    return InputError(f"cannot read {name}, it may be damaged or truncated: {place}{reason}")
