"""BindingNet: the network.  Lengths in Å, masses in amu, time in snapshot intervals Δ."""

from .inputs import ComplexTensors, collate, complex_tensors
from .network import (
    BindingNet,
    LigandScalarNet,
    LigandVectorNet,
    Protein,
)
from .settings import BindingNetSettings
from .vector_frames import frame_atoms

__all__ = [
    "BindingNet",
    "BindingNetSettings",
    "ComplexTensors",
    "LigandScalarNet",
    "LigandVectorNet",
    "Protein",
    "collate",
    "complex_tensors",
    "frame_atoms",
]
