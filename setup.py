"""Metadata of the package.  The settings of the tools are in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent

RUNTIME = [
    "openmm>=8.6.1",  # PythonForce.setParticles
    "openmmtools>=0.27",
    # openmmtorch 1.5 is built for CUDA 12 and needs a torch of the same build, also without a GPU.
    # Elsewhere the PythonForce backend works with any torch.
    "torch>=2.9,<2.10; sys_platform == 'linux'",
    "torch>=2.9; sys_platform != 'linux'",
    "openmmtorch==1.5; sys_platform == 'linux'",
    "torchdiffeq>=0.2.5",
    "mdtraj>=1.11",
    "pdbfixer>=1.12",
    "rdkit>=2025.3.3",  # DetermineBondOrders(maxIterations=), without which it may take for ever
    "parmed>=4.3.1",
    "h5py>=3.12.1",
    "safetensors>=0.6.2",
    "pydantic>=2.10",
    "pyyaml>=6.0",
    "typer>=0.19.2",  # earlier ones do not know the click of today: required arguments are optional
    "rich>=13.9",
    "matplotlib>=3.10",
    "jinja2>=3.1",  # the report
    "markupsafe>=3.0",
    "numpy>=2.0",
    "scipy>=1.15",
]
TRAIN = ["lightning-fabric>=2.5", "tensorboard>=2.18"]
VALIDATE = ["posebusters>=0.6", "prolif>=2.1"]
GROMACS = ["pyedr>=0.8"]  # reads energies; gmx itself is a program
# Earlier ones wait for ever where a worker cannot start (a full disk).
CAMPAIGN = ["distributed>=2026.8"]
PREPARE = [
    "acpype>=2023.10.27",  # carries AmberTools' antechamber, sqm, parmchk2: called as programs
    "openmmforcefields>=0.15.1",  # GAFF's parameter files
]
SLURM = [*CAMPAIGN, "dask-jobqueue>=0.9"]
ALL = [*PREPARE, *TRAIN, *VALIDATE, *GROMACS, *SLURM]
OPENMM_ML = ["openmmml>=1.8,<1.9"]  # what plugins/openmm-ml plugs into
NOTEBOOKS = [
    "nbformat>=5.10",
    "nbclient>=0.10",
    "nbconvert>=7.16",
    "ipykernel>=6.29",
]  # run, and shown as pages
TEST = [
    *ALL,
    *OPENMM_ML,
    *NOTEBOOKS,
    "pytest>=8.3",
    "pytest-timeout>=2.3.1",
    "pytest-xdist>=3.6.1",  # the tests run on all cores
    "pytest-cov>=6.0",
    "hypothesis>=6.120",
    "MDAnalysis>=2.9",
    "tables>=3.10.1",  # HDF5 trajectories written by MDTraj
    "playwright>=1.50",  # drives Debian's chromium, downloads none
]
DOCS = [
    *NOTEBOOKS,
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.6",
    "mkdocstrings-python>=1.13",
    "latex2mathml>=3.77",
]
CUDA = [
    "openmm[cuda12]>=8.6.1",
    "openmmtorch[cuda12]==1.5; sys_platform == 'linux'",
]
DEV = [
    "ruff>=0.9",
    "mypy>=1.14",
    "types-PyYAML",
    "pre-commit>=4.0",
    "uv>=0.5",
]


def readme() -> str:
    """The long description; a checkout without README.md can still be installed."""
    path = ROOT / "README.md"
    return path.read_text(encoding="utf-8") if path.exists() else ""


setup(
    name="openmm_neuralmd",
    version="0.1.0",
    description="Learned protein-ligand binding dynamics (NeuralMD) for OpenMM",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE", "NOTICE*"],
    python_requires=">=3.11",
    packages=find_packages(include=["openmm_neuralmd", "openmm_neuralmd.*"]),
    package_data={
        "openmm_neuralmd": [
            "py.typed",
            "data/**",
            "models/**",
            "report/assets/*",
            "report/templates/*",
            "prediction/templates/*",
        ]
    },
    install_requires=RUNTIME,
    extras_require={
        "prepare": PREPARE,
        "train": TRAIN,
        "validate": VALIDATE,
        "gromacs": GROMACS,
        "campaign": CAMPAIGN,
        "slurm": SLURM,
        "all": ALL,
        "test": TEST,
        "docs": DOCS,
        "cuda12": CUDA,
        "dev": TEST + DOCS + DEV,
    },
    entry_points={"console_scripts": ["neuralmd = openmm_neuralmd.cli:main"]},
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Chemistry",
        "Typing :: Typed",
    ],
)
