"""NeuralMD-OU: from one structure to the ensemble of a ligand, and to its motion.

The network is evaluated once.  It writes down a harmonic stiffness H about a displaced pose x0 + u,
so that the motion is an Ornstein–Uhlenbeck process, known in closed form at any time step:

    H = Σ_c k_c g_c g_cᵀ        ln k_c = ln (class constant) + correction of the network
    u = a e + H⁻¹ f             f = Σ_c k_c δ_c g_c + forces of the network
    x − x0 − u ~ N(0, s² H⁻¹)   1/s² ~ Gamma(ν/2, ν/2), one scale s for each complex

e is the displacement that relieves the pose's strain (`strain.py`), a its share.
How far a ligand moves in all is known less well than the shape of its motion; with the scale s
integrated out a snapshot has a multivariate t distribution with ν degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from ..bindingnet.chemistry import ligand_chemistry
from ..errors import ModelError
from .contract import Dynamics
from .in_openmm import InOpenMM
from .internal_coordinates import CLASSES
from .ou_heads import TORSIONS, Corrections
from .ou_relaxation import Relaxation, RelaxationSettings
from .side_chain_network import SideChainNetwork
from .spring_network import Gaussian, SpringNetwork, SpringNetworkSettings
from .springs import Springs

if TYPE_CHECKING:
    from ..structure.complex import Complex

START_RELIEF = 0.5
"""Share of the strain relief that moves the mean, before it is fitted."""
LARGE = 4
"""Heavy atoms; a part of more than these does not turn into another well like a smaller one."""


class NeuralOUSettings(SpringNetworkSettings):
    """Settings of NeuralMD-OU.

    Attributes
    ----------
    relaxation : RelaxationSettings
    side_chains : SpringNetworkSettings or None
        Of the side chains around the ligand; None: the pocket stands still.
    """

    relaxation: RelaxationSettings = RelaxationSettings()
    side_chains: SpringNetworkSettings | None = None


class NeuralOU(SpringNetwork, Dynamics):
    """The one-structure model.

    Parameters
    ----------
    settings : NeuralOUSettings
    """

    settings: NeuralOUSettings
    settings_class = NeuralOUSettings
    title = "NeuralMD-OU"
    objectives = ("statistics",)
    stochastic = True
    instead = "it moves a ligand by create_system with NeuralMDIntegrator(model, complex=complex)"
    limits = (
        "It reproduces the protocol of its runs: see training.protocol and training.targets.",
        "The pocket stands still in rollouts and in OpenMM; `neuralmd predict` moves the residues "
        "around the ligand.",
        "Parts of more than four heavy atoms do not hop between wells in trajectories.",
        "Complexes outside training.ranges are extrapolations; metals and cofactors are not read.",
    )
    least_known = 0
    any_interval = True
    runs_in_openmm = True

    def __init__(self, settings: NeuralOUSettings) -> None:
        super().__init__(settings)
        self.relief = nn.Parameter(torch.tensor(START_RELIEF))
        self.relaxation = Relaxation(settings.relaxation)
        self.leave = nn.Parameter(torch.full((len(CLASSES), 2, 2), -4.0))
        self.log_typical = nn.Parameter(torch.zeros(()))
        self.log_hop_rate = nn.Parameter(torch.tensor(math.log(0.01)))
        self.side_chains: SideChainNetwork | None = None
        if settings.side_chains is not None:
            self.side_chains = SideChainNetwork(settings.side_chains)

    def class_parameters(self) -> list[tuple[nn.Parameter, Tensor]]:
        """See `SpringNetwork`; and the share of the strain relief."""
        share = (self.relief, torch.tensor(START_RELIEF, dtype=torch.float64))
        return [*super().class_parameters(), share]

    def gaussian(self, c: Springs, corrections: Corrections | None) -> Gaussian:
        """See `SpringNetwork`; the mean also relieves the pose's strain."""
        g = super().gaussian(c, corrections)
        if not self.settings.displaced:
            return g
        relief = self.relief.to(c.relief.dtype) * c.relief
        return g._replace(displacement=g.displacement + relief)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return no field: the process is sampled in closed form, by native forces in OpenMM."""
        return ()

    def without_network(self) -> NeuralOU | None:
        """The class constants, wells and rates alone; see `Dynamics.without_network`."""
        if not self.members:
            return None
        none: dict[str, Any] = {"members": 0}
        side_chains = self.settings.side_chains
        bare_side_chains = side_chains and side_chains.model_copy(update=none)
        update = none | {"side_chains": bare_side_chains}
        bare = NeuralOU(self.settings.model_copy(update=update))
        weights = self.state_dict()
        bare.load_state_dict({name: weights[name] for name in bare.state_dict()})
        return bare.to(self.constants.dtype).eval()

    def check_complex(self, complex: Complex) -> None:
        """Refuse a ligand whose bond orders are not known.

        Raises
        ------
        InputError
        """
        ligand_chemistry(complex.chemistry)

    def stream(
        self,
        complex: Complex,
        known: np.ndarray,
        replicas: Sequence[int],
        parts: Iterable[int],
        *,
        interval: float,
        seed: int,
        device: torch.device | str,
    ) -> Iterator[np.ndarray]:
        """See `Dynamics.stream`; it is computed by NumPy on the CPU, on every device."""
        from .ou_prediction import predict_complex  # it imports this module
        from .ou_stream import OUStream

        prediction = predict_complex(self, complex)
        shares = [replicas] if len(known) == 1 else [[replica] for replica in replicas]
        streams = [
            OUStream(prediction.given(history, interval), share, interval, seed)
            for history, share in zip(known, shares, strict=True)
        ]
        for snapshots in parts:
            yield np.concatenate([stream.part(snapshots) for stream in streams])

    def inside_openmm(self, complex: Complex | None) -> InOpenMM:
        """The steps of one ligand, see `ou_openmm`.

        Raises
        ------
        ModelError
            Without a complex.
        """
        from .ou_openmm import OUInOpenMM
        from .ou_prediction import predict_complex

        if complex is None:
            raise ModelError(
                f"the steps of {self.title} are those of one ligand: give "
                "NeuralMDIntegrator(model, complex=complex)"
            )
        return OUInOpenMM(predict_complex(self, complex))

    def wells(
        self, c: Springs, rows: Tensor, large: Tensor, corrections: Corrections | None
    ) -> Tensor:
        """Probability (r, WELLS) of the wells of torsions.

        Parameters
        ----------
        c : Springs
        rows : Tensor (r,), int64
            A row of the internal coordinates for each torsion.
        large : Tensor (r,), bool
            Whether more than `LARGE` atoms turn on both sides.
        corrections : Corrections or None
        """
        logits = self.leave.to(c.gradients.dtype)[c.kind[rows], large.long()]
        if corrections is not None:
            logits = logits + corrections.wells[rows]
        zero = torch.zeros_like(logits[:, 0])
        side = logits[:, 0] - math.log(2.0)
        return torch.softmax(torch.stack((zero, side, logits[:, 1], side), dim=-1), dim=-1)


def torsion_rows(c: Springs, quadruples: Tensor) -> Tensor:
    """Row of the internal coordinates (r,) with the same middle bond and ends; −1: none."""
    rows = []
    torsion = c.kind >= TORSIONS
    for quadruple in quadruples:
        same = (c.atoms == quadruple).all(-1) | (c.atoms == quadruple.flip(0)).all(-1)
        matches = torch.nonzero(same & torsion).flatten()
        rows.append(int(matches[0]) if len(matches) else -1)
    return torch.tensor(rows, dtype=torch.int64)


def negative_log_likelihood(g: Gaussian, maha: Tensor, size: int) -> Tensor:
    """Negative log-likelihood of a snapshot in nats per degree of freedom.

    Parameters
    ----------
    g : Gaussian
    maha : Tensor (...)
        (x − x0 − u)ᵀ H (x − x0 − u).
    size : int
        Degrees of freedom, 3n.
    """
    nu = g.freedom
    constant = torch.lgamma((nu + size) / 2) - torch.lgamma(nu / 2) - 0.5 * size * torch.log(nu)
    normal = 0.5 * size * math.log(math.pi) - 0.5 * torch.logdet(g.stiffness) - constant
    return (normal + 0.5 * (nu + size) * torch.log1p(maha / nu)) / size


__all__ = [
    "Gaussian",
    "NeuralOU",
    "NeuralOUSettings",
    "negative_log_likelihood",
    "torsion_rows",
]
