"""What a ligand will do, from one structure: predictions, their files and their report."""

from .ensemble import Contact, LigandPrediction, Torsion
from .run import predict

__all__ = ["Contact", "LigandPrediction", "Torsion", "predict"]
