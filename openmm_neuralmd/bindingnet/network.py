"""BindingNet: forces on, or the energy of, a ligand in its pocket (paper, 'BindingNet')."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from .heads import HEADS
from .inputs import ComplexTensors
from .interaction import InteractionNet, Places
from .layers import MLP, VectorHead
from .ligand import LigandNet
from .pocket import POCKET_FEATURES
from .protein import ProteinNet
from .settings import BindingNetSettings
from .vector_frames import residue_frames


class Protein(NamedTuple):
    """Protein part of the network's input; it is computed once for a rigid protein.

    Attributes
    ----------
    h : Tensor (B, R, h)
        Representation of each residue.
    ca : Tensor (B, R, 3)
        Cα coordinates, Å.
    frames : Tensor (B, R, 3, 3)
        Residue frames, axes in rows.
    mask : Tensor (B, R), bool
        False on padding.
    pocket_h, pocket_atoms, pocket_frames, pocket_mask : Tensor
        The same of pocket atoms (B, p, …); none of them without the fourth grain.
    """

    h: Tensor
    ca: Tensor
    frames: Tensor
    mask: Tensor
    pocket_h: Tensor
    pocket_atoms: Tensor
    pocket_frames: Tensor
    pocket_mask: Tensor


class PocketNet(InteractionNet):
    """The fourth grain: heavy atoms of the pocket, which meet the ligand after the residues.

    Parameters
    ----------
    settings : BindingNetSettings
    cutoff : float
        Å.
    """

    def __init__(self, settings: BindingNetSettings, cutoff: float) -> None:
        super().__init__(settings, cutoff, settings.pocket_neighbours)
        self.atom = MLP(POCKET_FEATURES, settings.hidden, settings.hidden)


class BindingNet(nn.Module):
    """Multi-grained SE(3)-equivariant network of a protein–ligand complex.

    Parameters
    ----------
    settings : BindingNetSettings
        `head` selects what comes out: 'force', a vector per ligand atom in amu Å/Δ² (equivariant,
        not the gradient of an energy), or 'energy', one number in kJ/mol whose negative
        gradient is the force.

    Examples
    --------
    >>> import torch
    >>> from openmm_neuralmd import example_complex
    >>> from openmm_neuralmd.bindingnet import BindingNet, BindingNetSettings, complex_tensors
    >>> complex = example_complex("t4l-p-xylene")
    >>> c = complex_tensors(complex)
    >>> x = torch.tensor(10 * complex.positions[complex.ligand_heavy]).float()[None]  # nm to Å
    >>> network = BindingNet(BindingNetSettings(hidden=16, vector_channels=4, num_radial=8))
    >>> network(c.z, x, c.mask, network.encode(c)).shape  # a vector for each of 8 ligand atoms
    torch.Size([1, 8, 3])
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        self.hidden = settings.hidden
        self.protein = ProteinNet(settings)
        self.ligand = LigandNet(settings)
        self.interaction = InteractionNet(
            settings, settings.complex_cutoff, settings.complex_neighbours
        )
        self.pocket: PocketNet | None = None
        if settings.pocket_cutoff is not None:
            self.pocket = PocketNet(settings, settings.pocket_cutoff)
        self.head = HEADS[settings.head](settings.hidden)

    def encode(self, c: ComplexTensors) -> Protein:
        """Encode the rigid protein of a complex, or of a batch of them, once."""
        flat = c.frame_atoms.flatten(1).unsqueeze(-1).expand(-1, -1, 3)
        points = torch.gather(c.backbone.flatten(1, 2), 1, flat).view_as(c.backbone)
        h = self.protein(c.residue_type, c.backbone, c.residue_mask)
        frames = residue_frames(points, c.isolated)
        near = c.pocket_mask.shape[1] if self.pocket is not None else 0
        of_pocket = c.pocket_residues[:, :near, None, None].expand(-1, -1, 3, 3)
        pocket_h = c.pocket_features[:, :near]
        return Protein(
            h,
            c.backbone[:, :, 1],
            frames,
            c.residue_mask,
            pocket_h if self.pocket is None else self.pocket.atom(pocket_h),
            c.pocket_atoms[:, :near],
            torch.gather(frames, 1, of_pocket),
            c.pocket_mask[:, :near],
        )

    def forward(self, z: Tensor, x: Tensor, mask: Tensor, protein: Protein) -> Tensor:
        """Forces (B, n, 3) in amu Å/Δ², or energies (B,) in kJ/mol.

        Parameters
        ----------
        z : Tensor (B, n), int64
            Atomic numbers.
        x : Tensor (B, n, 3)
            Ligand coordinates, Å, in the frame of the protein's.
        mask : Tensor (B, n), bool
            False on padding.
        protein : Protein
            From `encode`, or the same with moved atoms and frames.
        """
        start = torch.zeros(x.shape[0], x.shape[1], 3, self.hidden, dtype=x.dtype, device=x.device)
        s, vec = self.ligand(z, x, mask, start)
        s_met, vec_met = self.interaction(
            s, vec, x, protein.h, protein.ca, protein.frames, protein.mask
        )
        if self.pocket is not None:
            s_met, vec_met = self.pocket(s_met, vec_met, x, *protein[4:])
        return self.head(s, vec, s_met, vec_met, mask.to(x.dtype).unsqueeze(-1))

    def gradient(
        self, z: Tensor, x: Tensor, mask: Tensor, protein: Protein
    ) -> tuple[Tensor, Places, Places]:
        """Energies (B,) in kJ/mol, and derivatives of their sum, of a network with an energy head.

        Autograd gives the same in more time, and what training needs: derivatives by weights.  The
        representation of residues and pocket atoms is constant.  For the parameters see `forward`.

        Returns
        -------
        energy : Tensor (B,)
        places, near : Places
            The whole derivative by x, Cα and residue frames; that by pocket atoms and their frames,
            with their part of the derivative by x.
        """
        start = torch.zeros(x.shape[0], x.shape[1], 3, self.hidden, dtype=x.dtype, device=x.device)
        weight = mask.to(x.dtype).unsqueeze(-1)
        s, vec, pairs, edges, layers = self.ligand.keep(z, x, mask, start)
        met = self.interaction.contacts(x, *protein[:4])
        s_met, vec_met, met_layers = self.interaction.keep(s, vec, met)
        if self.pocket is not None:
            close = self.pocket.contacts(x, *protein[4:])
            s_met, vec_met, close_layers = self.pocket.keep(s_met, vec_met, close)
        energy, stored = self.head.keep(s, s_met, weight)  # type: ignore[operator]
        g_s, g_met = self.head.pullback(weight, stored)  # type: ignore[operator]
        g_vec, g_x = torch.zeros_like(vec), torch.zeros_like(x)
        near = Places(g_x, torch.zeros_like(protein.pocket_atoms), protein.pocket_frames)
        if self.pocket is not None:
            g_met, g_vec, near = self.pocket.pullback(
                g_met, g_vec, protein.pocket_mask, close, close_layers
            )
        g_met, g_vec, places = self.interaction.pullback(
            g_met, g_vec, protein.mask, met, met_layers
        )
        own = self.ligand.pullback(g_s + g_met, g_vec, pairs, edges, layers)
        return energy, Places(own + places.x + near.x, places.ca, places.frames), near


class LigandVectorNet(nn.Module):
    """BindingNet-Ligand: one vector per atom from the ligand alone (velocity map and refinement).

    Parameters
    ----------
    settings : BindingNetSettings

    Examples
    --------
    >>> import torch
    >>> from openmm_neuralmd.bindingnet import BindingNetSettings, LigandVectorNet
    >>> network = LigandVectorNet(BindingNetSettings(hidden=16, vector_channels=4, num_radial=8))
    >>> z, mask = torch.tensor([[6, 6, 8]]), torch.ones(1, 3, dtype=torch.bool)  # C, C, O
    >>> x, velocity = torch.randn(2, 1, 3, 3)
    >>> network(z, x, mask, velocity).shape
    torch.Size([1, 3, 3])
    """

    def __init__(self, settings: BindingNetSettings) -> None:
        super().__init__()
        self.ligand = LigandNet(settings)
        self.input = nn.Parameter(torch.randn(settings.hidden) / settings.hidden**0.5)
        self.head = VectorHead(settings.hidden)

    def forward(self, z: Tensor, x: Tensor, mask: Tensor, vector: Tensor) -> Tensor:
        """Vectors (B, n, 3) for ligands z (B, n) at x (B, n, 3) Å.

        `vector` (B, n, 3) is a vector input on the real geometry (a velocity; zero for none).
        """
        s, vec = self.ligand(z, x, mask, vector.unsqueeze(-1) * self.input)
        return self.head(s, vec) * mask.to(x.dtype).unsqueeze(-1)


class LigandScalarNet(nn.Module):
    """BindingNet-Ligand: invariants of each atom from the ligand alone (amplitudes of noise).

    Parameters
    ----------
    settings : BindingNetSettings
    outputs : int
        Numbers per atom; all zero before training.

    Examples
    --------
    >>> import torch
    >>> from openmm_neuralmd.bindingnet import BindingNetSettings, LigandScalarNet
    >>> network = LigandScalarNet(BindingNetSettings(hidden=16, num_radial=8), outputs=2)
    >>> z, mask = torch.tensor([[6, 6, 8]]), torch.ones(1, 3, dtype=torch.bool)  # C, C, O
    >>> network(z, torch.randn(1, 3, 3), mask).shape
    torch.Size([1, 3, 2])
    """

    def __init__(self, settings: BindingNetSettings, outputs: int) -> None:
        super().__init__()
        self.hidden = settings.hidden
        self.ligand = LigandNet(settings)
        self.head = MLP(settings.hidden, settings.hidden, outputs)
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, z: Tensor, x: Tensor, mask: Tensor) -> Tensor:
        """Invariants (B, n, outputs) of ligands z (B, n) at x (B, n, 3) Å."""
        none = torch.zeros(*x.shape, self.hidden, dtype=x.dtype, device=x.device)
        s, _ = self.ligand(z, x, mask, none)
        invariants: Tensor = self.head(s)
        return invariants * mask.to(x.dtype).unsqueeze(-1)
