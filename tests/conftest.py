"""Fixtures shared by all tests: the two example complexes, and fixed seeds."""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")

import random

import numpy as np
import openmm
import pytest
import torch
from hypothesis import settings

from openmm_neuralmd.errors import InputError, ProgramError
from openmm_neuralmd.examples import example, example_complex
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs import Gmx, find_gmx
from openmm_neuralmd.prepare.imports import import_amber
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots
from openmm_neuralmd.utils.platforms import choose_platform, new_context
from reference_cases import INPCRD, PRMTOP, small_water_box

# A shared machine has slow moments, and a test that fails must fail again.
settings.register_profile("fixed", deadline=None, derandomize=True)
settings.load_profile("fixed")

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

# The documentation's programs leave the platform to OpenMM, which takes OpenCL on a CPU first.
os.environ.setdefault("OPENMM_DEFAULT_PLATFORM", choose_platform().getName())


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test starts from the same random state."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def opencl() -> str:
    """Name of the OpenCL platform; without a device for it the test is skipped, or fails in CI."""
    reason = opencl_fault()
    if reason and os.environ.get("CI"):
        pytest.fail(f"{reason} (Debian: pocl-opencl-icd, ocl-icd-libopencl1)")
    if reason:
        pytest.skip(reason)
    return "OpenCL"


@pytest.fixture(scope="session")
def gmx() -> Gmx:
    """GROMACS; without it the test is skipped, or fails in CI."""
    try:
        return find_gmx()
    except ProgramError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def opencl_fault() -> str:
    """Why no Context can be made on OpenCL; empty where one can."""
    system = openmm.System()
    system.addParticle(1.0)
    try:
        new_context(system, openmm.VerletIntegrator(0.001), "OpenCL")
    except InputError as error:
        return str(error)
    return ""


@pytest.fixture(scope="session")
def gpcr() -> Snapshots:
    """5-HT1B with ergotamine: 250 snapshots, 43 heavy ligand atoms, 302 residues."""
    return example("gpcr-ergotamine")


@pytest.fixture(scope="session")
def gpcr_complex() -> Complex:
    """5-HT1B with ergotamine, as its PDB has it."""
    return example_complex("gpcr-ergotamine")


@pytest.fixture(scope="session")
def t4l() -> Complex:
    """T4 lysozyme L99A with p-xylene: 2,621 atoms, 8 heavy ligand atoms, 162 residues."""
    return example_complex("t4l-p-xylene")


@pytest.fixture(scope="session")
def t4l_folder(tmp_path_factory: pytest.TempPathFactory) -> ComplexFolder:
    """T4 lysozyme L99A with p-xylene and Amber's parameters, to read and not to change."""
    return import_amber(PRMTOP, INPCRD, tmp_path_factory.mktemp("t4l") / "t4l-p-xylene")


@pytest.fixture(scope="session")
def t4l_water(t4l_folder: ComplexFolder, tmp_path_factory: pytest.TempPathFactory) -> ComplexFolder:
    """The ligand and eight residues beside it in 1,791 atoms, PME; to read and not to change."""
    return small_water_box(t4l_folder, tmp_path_factory.mktemp("water"))
