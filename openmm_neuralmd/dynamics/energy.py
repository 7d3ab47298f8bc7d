"""A conservative potential: BindingNet with an energy head, for femtosecond runs in OpenMM."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ..bindingnet.inputs import ComplexTensors
from ..bindingnet.network import BindingNet, Protein
from ..bindingnet.settings import BindingNetSettings, EnergyNetwork
from .bonded_terms import BondedTerms, Counts
from .contract import Dynamics


class EnergyModelSettings(BaseModel):
    """Settings of an energy model, stored in its file.

    Attributes
    ----------
    network : BindingNetSettings
        With head 'energy'.
    scale : float
        kJ/mol in one unit of the network's output, so that its weights need not be large.
    terms : Counts
        Of the ligand's own bonded terms, which the network's energy is added to; none by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    network: EnergyNetwork = BindingNetSettings(head="energy")
    scale: float = Field(1.0, gt=0)
    terms: Counts = Counts()


class EnergyModel(Dynamics):
    """The energy of a ligand in its pocket, kJ/mol, up to a constant of each complex.

    It does not jump: `NeuralMDForce` gives it to any OpenMM integrator.  With bonded terms it
    belongs to one ligand.

    Parameters
    ----------
    settings : EnergyModelSettings
    """

    settings_class = EnergyModelSettings
    title = "energy model"
    jumps = False
    instead = "use it as a NeuralMDForce with an OpenMM integrator"
    newtonian = True

    def __init__(self, settings: EnergyModelSettings) -> None:
        super().__init__()
        self.settings = settings
        self.network = BindingNet(settings.network)
        self.terms = BondedTerms(settings.terms)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the energy of the model as its only field."""
        return ("energy",)

    def learned(self, c: ComplexTensors, protein: Protein, x: Tensor) -> Tensor:
        """The network's part (B,) of the energy in kJ/mol, of ligands at x (B, n, 3) Å."""
        energy: Tensor = self.network(c.z, x, c.mask, protein)
        return self.settings.scale * energy

    def energy(self, c: ComplexTensors, protein: Protein, x: Tensor) -> Tensor:
        """Energy (B,) in kJ/mol of ligands at x (B, n, 3) Å."""
        own: Tensor = self.terms(x)
        return self.learned(c, protein, x) + own

    def energy_unit(self, interval_ps: float) -> float:
        """kJ/mol in one unit of the network's output."""
        return self.settings.scale
