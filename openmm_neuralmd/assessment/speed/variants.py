"""The kinds of all-atom MD that speedup.py times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ...errors import InputError
from ...md.folder import ComplexFolder
from ...md.settings import MDSettings
from .all_atom import ENGINES, Variant

CUTOFFS = (1.2, 2.0, None)
"""nm, where there is no box: what is fastest depends on the platform."""


def all_atom_settings(folder: ComplexFolder, mode: str, quick: bool) -> Iterator[dict[str, Any]]:
    """Time steps and cutoffs that are tried."""
    bounded = mode == "flexible" and not folder.record["periodic"]
    cutoffs = CUTOFFS if bounded else (None,)
    yield from (
        {"timestep_fs": 4.0, "cutoff": cutoff} for cutoff in (cutoffs[:1] if quick else cutoffs)
    )
    if not quick:
        yield {"timestep_fs": 2.0, "hydrogen_mass": 0.0, "cutoff": cutoffs[0]}


def variants(
    folders: Sequence[ComplexFolder],
    engines: Sequence[str],
    modes: Sequence[str],
    common: Mapping[str, Any],
    quick: bool,
) -> dict[str, Variant]:
    """All-atom MD of every kind, by name.

    Parameters
    ----------
    folders : sequence of ComplexFolder
        One complex, in different surroundings.
    engines, modes : sequence of str
    common : mapping
        Settings that all have.
    quick : bool
        One time step and cutoff of each.

    Raises
    ------
    InputError
        Two folders of the same surroundings.
    """
    entered: dict[str, Variant] = {}
    for folder in folders:
        for mode in modes:
            for chosen in all_atom_settings(folder, mode, quick):
                settings = MDSettings(mode=mode, **common, **chosen)
                for engine in engines:
                    variant = Variant(engine, folder, settings)
                    heavy = " with heavy hydrogens" if settings.hydrogen_mass else ""
                    step = f"{settings.timestep_fs:g} fs{heavy}"
                    name = f"all-atom, {ENGINES[engine]}: {variant.what}, {step}"
                    if name in entered:
                        raise InputError(f"{folder.path}: a second complex in the same solvent")
                    entered[name] = variant
    return entered
