"""`MLPotential('neuralmd', modelPath=...)`: a BindingNet energy model as a potential of OpenMM-ML.

`import openmmml` imports this module, so it needs nothing but OpenMM; torch and openmm_neuralmd
are loaded with the first model.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import openmm
from openmm import app
from openmmml.mlpotential import MLPotentialImpl, MLPotentialImplFactory

if TYPE_CHECKING:
    from openmm_neuralmd.model import Model
    from openmm_neuralmd.structure.complex import Complex

EMBEDDING = "neuralmd"
OPENMMML_DEFAULT = "mechanical"


class NeuralMDPotentialImplFactory(MLPotentialImplFactory):
    """Makes the potential of a model file."""

    def createImpl(self, name: str, modelPath: Any = None) -> NeuralMDPotentialImpl:
        """Make the implementation for `MLPotential('neuralmd', modelPath=...)`.

        Parameters
        ----------
        name : str
            'neuralmd'.
        modelPath : path
            An energy model that `neuralmd train` wrote.

        Raises
        ------
        ImportError
            PyTorch or openmm_neuralmd is missing; says what to install.
        NeuralMDError
            No model file, a damaged one, or a model without an energy.
        """
        return NeuralMDPotentialImpl(load_energy_model(modelPath))


class NeuralMDPotentialImpl(MLPotentialImpl):
    """The energy of a ligand in its pocket.

    Parameters
    ----------
    model : Model
        An energy model.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    def addForces(
        self,
        topology: app.Topology,
        system: openmm.System,
        atoms: Iterable[int] | None,
        forceGroup: int,
        *,
        positions: Any = None,
        ligand: str | None = None,
        **options: Any,
    ) -> None:
        """Add the model's force; what `createSystem` calls.

        The protein has no energy of its own in such a System, so everything but the ligand gets
        mass 0.

        Parameters
        ----------
        topology, system, atoms, forceGroup
            See OpenMM-ML; `atoms` is None in `createSystem`.
        positions : (N, 3) Quantity or nm
            Of the complex.
        ligand : str, optional
            Which residue, if there are several that it may be; see `Complex.from_files`.
        options
            'precision', 'backend', 'device', 'file': see `NeuralMDForce`.

        Raises
        ------
        NeuralMDError
            Not the model's ligand.
        """
        from . import region

        if atoms is None:
            complex = region.whole_complex(topology, positions, ligand)
        else:
            complex = region.complex_of(topology, positions, list(atoms))
        complex = region.fitted(self.model, complex)
        periodic = complex.box is not None or system.usesPeriodicBoundaryConditions()
        system.addForce(self._force(complex, periodic, forceGroup, options))
        if atoms is None:
            region.freeze_surroundings(system, complex)

    def createMixedSystem(
        self,
        topology: app.Topology,
        system: openmm.System,
        atoms: list[int],
        forceGroup: int,
        interpolate: bool,
        embedding: str,
        returnInfo: bool = False,
        *,
        positions: Any = None,
        radius: float | None = None,
        **options: Any,
    ) -> openmm.System:
        """A System in which the model replaces what it has learned: see `embedding`.

        Parameters
        ----------
        topology, system, atoms, forceGroup, interpolate, embedding, returnInfo
            See OpenMM-ML.
        positions : (N, 3) Quantity or nm
            Of the complex.
        radius : float, optional
            nm; residues with an atom so near to the ligand interact with it by the model.  By
            default the radius of the labels.
        options
            'precision', 'backend', 'device', 'file': see `NeuralMDForce`.

        Raises
        ------
        NeuralMDError
            A region that is not the model's ligand, or a System that cannot be taken apart.
        """
        from . import region
        from .embedding import check_system, mixed_system
        from .soundness import EmbeddingWarning, warn_embedding

        if embedding == OPENMMML_DEFAULT:
            warnings.warn(
                "'mechanical' would count the ligand's interaction with the protein twice, by the "
                f"model and by the force field; embedding='{EMBEDDING}' is used instead",
                EmbeddingWarning,
                stacklevel=3,
            )
        complex = region.fitted(self.model, region.complex_of(topology, positions, atoms))
        replaced = region.replaced_atoms(complex, radius)
        check_system(system, complex, interpolate)
        warn_embedding(self.model, system, complex, replaced)
        region.check_backend(options.get("backend"), interpolate)
        periodic = system.usesPeriodicBoundaryConditions()
        force = self._force(complex, periodic, forceGroup, options)
        return mixed_system(system, complex, force, replaced, interpolate)

    def getSupportedEmbeddings(self) -> list[str]:
        """The potential's own embedding, which also takes the place of OpenMM-ML's default."""
        return [EMBEDDING, OPENMMML_DEFAULT]

    def getMLLongRange(self) -> bool:
        """The network ends at its cutoff."""
        return False

    def _force(
        self, complex: Complex, periodic: bool, forceGroup: int, options: dict[str, Any]
    ) -> openmm.Force:
        from openmm_neuralmd import NeuralMDForce

        device = str(options.pop("device", "auto"))
        return NeuralMDForce(
            self.model, complex, forceGroup=forceGroup, periodic=periodic, device=device, **options
        )


def load_energy_model(path: Any) -> Model:
    """The model of a file, if it is an energy that a force field can be replaced by."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "MLPotential('neuralmd') needs PyTorch: pip install torch; once it is there, "
            "`neuralmd doctor` tells whether OpenMM can use it"
        ) from error
    try:
        from openmm_neuralmd import InputError, ModelError, load_model
    except ImportError as error:
        raise ImportError(
            f"MLPotential('neuralmd') needs openmm_neuralmd ({error}): pip install openmm_neuralmd"
        ) from error
    if path is None:
        raise InputError(
            "MLPotential('neuralmd') needs modelPath=, an energy model; 'neuralmd train' with "
            "labels makes one"
        )
    model = load_model(path)
    if model.card.kind != "bindingnet-energy":
        raise ModelError(
            f"{path}: '{model.card.kind}' forecasts snapshots and is no potential at femtoseconds; "
            "MLPotential needs an energy model, which 'neuralmd train' makes of labels"
        )
    return model
