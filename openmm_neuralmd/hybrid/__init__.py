"""Learned moves judged by all-atom physics: exact (HMC) and practical (jump, relax, check)."""

from ..utils import quiet as _quiet  # noqa: F401  before openmmtools is imported
from .hmc import NeuralMDHMCMove
from .importance import WeightedPoses, weighted_poses
from .jump import NeuralMDJumpMove
from .jumped import Jump
from .preconditioned import PreconditionedHMCMove
from .run import HybridRun, run_hybrid
from .sdf import JumpedPose, read_poses
from .settings import HybridSettings, JumpSettings, read_hybrid
from .stiffness import metric, without_constraints
from .torsion_moves import TorsionMove, TorsionNCMCMove
from .torsions import Torsion, ligand_torsions, well_density

__all__ = [
    "HybridRun",
    "HybridSettings",
    "Jump",
    "JumpSettings",
    "JumpedPose",
    "NeuralMDHMCMove",
    "NeuralMDJumpMove",
    "PreconditionedHMCMove",
    "Torsion",
    "TorsionMove",
    "TorsionNCMCMove",
    "WeightedPoses",
    "ligand_torsions",
    "metric",
    "read_hybrid",
    "read_poses",
    "run_hybrid",
    "weighted_poses",
    "well_density",
    "without_constraints",
]
