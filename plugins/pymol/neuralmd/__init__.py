# Version: 0.1.0
# Author: the authors of openmm_neuralmd
# License: MIT
"""Trajectories of openmm_neuralmd in PyMOL: ligand coloured by RMSF, pocket, overlay.

Commands at PyMOL's prompt (`help neuralmd_load` explains each):

    neuralmd_load topology.pdb, trajectory.dcd
    neuralmd_rmsf name
    neuralmd_overlay reference, prediction
    neuralmd_view name

PyMOL has a Python of its own: nothing here imports more than PyMOL and NumPy.
"""

from __future__ import annotations

from typing import Any


def __init_plugin__(app: Any = None) -> None:  # noqa: N807
    """Enter the commands; PyMOL calls this once, with or without a window."""
    from pymol import cmd

    from . import commands

    for command in commands.COMMANDS:
        cmd.extend(command.__name__, command)
