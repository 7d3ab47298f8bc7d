"""A conservative potential: BindingNet with an energy head, for femtosecond runs in OpenMM."""

from __future__ import annotations

from torch import nn

from ..bindingnet import BindingNet, BindingNetSettings


class EnergyModel(nn.Module):
    """The energy of a ligand in its pocket, kJ/mol; what VerletMD integrates.

    It does not jump: `NeuralMDForce` gives it to any OpenMM integrator.

    Parameters
    ----------
    settings : BindingNetSettings
        With head 'energy'.
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        if settings.head != "energy":
            raise ValueError(f"an energy model needs head 'energy', not '{settings.head}'")
        self.settings = settings
        self.network = BindingNet(settings)
