"""Devices and processes of a training."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from ..utils.optional import optional_import
from .settings import LoopSettings

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def make_fabric(settings: LoopSettings, accelerator: str = "cpu", devices: int | str = 1) -> Fabric:
    """Launch the devices and processes of a training run; `torchrun` sets them by itself.

    Parameters
    ----------
    accelerator : str
        'cpu', 'cuda' or 'auto'.
    devices : int or str
        In each machine; under `torchrun` the number of its processes.

    Examples
    --------
    >>> from openmm_neuralmd.training import TrainingSettings, make_fabric
    >>> settings = TrainingSettings(name="short", data={"example": "gpcr-ergotamine"})
    >>> make_fabric(settings, accelerator="cpu").device
    device(type='cpu')
    """
    lightning = optional_import("lightning_fabric", extra="train", purpose="training")
    with warnings.catch_warnings():
        # Lightning advises srun wherever SLURM is installed.
        warnings.filterwarnings("ignore", message="The `srun` command is available")
        fabric: Fabric = lightning.Fabric(
            accelerator=accelerator, devices=devices, precision=settings.precision
        )
    fabric.launch()
    return fabric
