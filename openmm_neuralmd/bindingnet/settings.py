"""Architecture of a BindingNet, as stored in every model file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field


class BindingNetSettings(BaseModel):
    """Sizes and cutoffs; the defaults are the paper's (Supplementary E) where it has them.

    Attributes
    ----------
    hidden : int
        Width h of every representation.
    vector_channels : int
        Channels of an equivariant feature that are projected on a frame.
    ligand_layers, complex_layers : int
        Message-passing layers inside the ligand and between ligand and residues.
    num_radial : int
        Radial basis functions.
    ligand_cutoff, backbone_cutoff, complex_cutoff : float
        Å; ligand pairs, backbone pairs, ligand atom to Cα.  The paper's 5 Å between ligand atom
        and Cα sees almost nothing (26 of ergotamine's 43 atoms: no residue), hence 10 Å.
    backbone_neighbours : int
        Fixed capacity of the neighbour list of a backbone atom: the nearest ones.
    complex_neighbours : int
        Most residues within the cutoff of a ligand atom; more are an error.
    pocket_cutoff : float or None
        Å, ligand atom to heavy atom of the pocket: a fourth grain beside the paper's three, since
        the backbone alone cannot know what a side chain holds.  None: without it, as published.
    pocket_neighbours : int
        Most of these atoms within that cutoff of a ligand atom; more are an error.

    Examples
    --------
    >>> from openmm_neuralmd.bindingnet import BindingNetSettings
    >>> settings = BindingNetSettings(hidden=64, head="energy")
    >>> settings.hidden, settings.complex_cutoff
    (64, 10.0)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int = Field(128, ge=4, le=4096)
    vector_channels: int = Field(16, ge=1, le=4096)
    ligand_layers: int = Field(4, ge=1, le=64)
    complex_layers: int = Field(1, ge=1, le=64)
    num_radial: int = Field(96, ge=2, le=4096)
    ligand_cutoff: float = Field(5.0, gt=0, le=1000)
    backbone_cutoff: float = Field(5.0, gt=0, le=1000)
    complex_cutoff: float = Field(10.0, gt=0, le=1000)
    backbone_neighbours: int = Field(24, ge=1, le=4096)
    complex_neighbours: int = Field(40, ge=1, le=4096)
    pocket_cutoff: float | None = Field(None, gt=0, le=20)
    pocket_neighbours: int = Field(80, ge=1, le=4096)
    head: Literal["force", "energy"] = "force"


def _of_an_energy(network: Any) -> Any:
    return {"head": "energy", **network} if isinstance(network, dict) else network


def _has_an_energy(network: BindingNetSettings) -> BindingNetSettings:
    if network.head != "energy":
        raise ValueError(f"an energy needs head 'energy', not '{network.head}'")
    return network


EnergyNetwork = Annotated[
    BindingNetSettings, BeforeValidator(_of_an_energy), AfterValidator(_has_an_energy)
]
"""Settings of a network that gives an energy; the head need not be named."""
