"""Predictions from one structure: the motion of a ligand, its files and its report."""

from .ensemble import Contact, LigandPrediction, Torsion
from .run import predict

__all__ = ["Contact", "LigandPrediction", "Torsion", "predict"]
