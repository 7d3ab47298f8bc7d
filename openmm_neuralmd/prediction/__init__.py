"""Predictions from one structure: the motion of a ligand, its files and its report."""

from .ensemble import Contact, LigandPrediction, Torsion
from .pocket import PocketPrediction, ResidueMotion
from .run import predict

__all__ = [
    "Contact",
    "LigandPrediction",
    "PocketPrediction",
    "ResidueMotion",
    "Torsion",
    "predict",
]
