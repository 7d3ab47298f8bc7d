"""Learned moves judged by all-atom physics: exact (HMC) and practical (jump, relax, check)."""

from ..utils import quiet as _quiet  # noqa: F401  before openmmtools is imported
from .hmc import NeuralMDHMCMove
from .jump import Jump, NeuralMDJumpMove
from .preconditioned import PreconditionedHMCMove
from .run import HybridRun, run_hybrid
from .sdf import JumpedPose, read_poses
from .settings import HybridSettings, JumpSettings, read_hybrid
from .stiffness import metric, without_constraints

__all__ = [
    "HybridRun",
    "HybridSettings",
    "Jump",
    "JumpSettings",
    "JumpedPose",
    "NeuralMDHMCMove",
    "NeuralMDJumpMove",
    "PreconditionedHMCMove",
    "metric",
    "read_hybrid",
    "read_poses",
    "run_hybrid",
    "without_constraints",
]
