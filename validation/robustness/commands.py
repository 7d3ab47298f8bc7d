"""Commands that the fault harnesses attack: small inputs, and what each must leave."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml

from openmm_neuralmd.utils import quiet  # noqa: F401  before openmmtools is imported

DCD_DATE = slice(100, 276)
"""Bytes of a DCD file's titles, in which the date stands."""

NETWORK = {"hidden": 16, "vector_channels": 4, "ligand_layers": 1, "num_radial": 8}
MD = {
    "mode": "rigid",
    "rigid_radius": 0.6,
    "interval_ps": 0.02,
    "equilibration_ps": 0.2,
    "platform": "Reference",
}
"""A reference run of seconds, the same on every machine."""

Content = Callable[[Path], Any]


def whole(path: Path) -> bytes:
    """Every byte."""
    return path.read_bytes()


def without_date(path: Path) -> bytes:
    """A DCD file without its titles."""
    data = path.read_bytes()
    return data[: DCD_DATE.start] + data[DCD_DATE.stop :]


def atoms(path: Path) -> list[str]:
    """A PDB file without the remark that has the date."""
    return [x for x in path.read_text().splitlines() if not x.startswith("REMARK")]


FREE = ("command", "seconds", "ns_per_day", "resumed_from", "topology.pdb")
"""Fields of a record that may differ in a resumed run: clocks, the hash of a file with a date."""


def record(path: Path) -> dict[str, Any]:
    """A record without the fields that are free."""
    return _bound(yaml.safe_load(path.read_text()))


def _bound(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _bound(value) for name, value in content.items() if name not in FREE}
    return content


def arrays(path: Path) -> dict[str, bytes]:
    """All arrays of an HDF5 file."""
    datasets: dict[str, bytes] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                datasets.update({name: np.asarray(item).tobytes()})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return datasets


@dataclass(frozen=True)
class Target:
    """A command and what it leaves.

    Attributes
    ----------
    arguments : callable
        Arguments of `neuralmd` for an empty folder.
    files : dict
        Final name in that folder to what of its content must be equal.
    room : str
        Module of the package that does the work; the forks share it, see `load`.
    """

    arguments: Callable[[Path], list[str]]
    files: dict[str, Content]
    room: str = "cli"

    def load(self) -> None:
        """Import what the command needs, once: a fork's random moments then fall into its work."""
        os.environ["OMP_NUM_THREADS"] = "1"  # torch reads it; MD and preparation do without torch
        for name in ("cli", self.room):
            import_module(f"openmm_neuralmd.{name}")


@cache
def inputs() -> Path:
    """A folder with Amber's files of T4 lysozyme, and the complex folder made from them."""
    from openmmtools import __file__ as openmmtools

    place = Path(tempfile.mkdtemp(prefix="faults-"))
    amber = Path(openmmtools).parent / "data" / "T4-lysozyme-L99A-implicit"
    for source, name in (("complex.prmtop", "t4l.prmtop"), ("complex.crd", "t4l.crd")):
        (place / name).write_bytes((amber / source).read_bytes())
    words = ["prepare", str(place / "t4l.prmtop"), str(place / "t4l.crd"), "-o", str(place / "t4l")]
    if ended(begin(words, place / "said")) != 0:
        raise RuntimeError((place / "said").read_text())
    return place


def simulate(place: Path) -> list[str]:
    """Forecast in OpenMM."""
    options = "simulate gpcr-ergotamine --example gpcr-ergotamine --platform Reference"
    return [*options.split(), "--snapshots", "60", "-o", str(place / "x.dcd")]


def train(place: Path) -> list[str]:
    """A few short epochs on a short window."""
    settings = {
        "name": "x",
        "data": {"example": "gpcr-ergotamine"},
        "model": {"network": NETWORK},
        "horizon": 2,
        "validation_horizon": 2,
        "history": 4,
        "every": 40,
        "epochs": 6,
    }
    (place.parent / "x.yaml").write_text(yaml.safe_dump(settings))
    return ["train", str(place.parent / "x.yaml"), "-o", str(place / "x")]


def predict(place: Path) -> list[str]:
    """The demo's complex."""
    from openmm_neuralmd.examples import predict_example

    protein, ligand = predict_example()
    return ["predict", str(protein), str(ligand), "--time", "20ps", "-o", str(place / "x")]


def prepare(place: Path) -> list[str]:
    """Import of Amber's parameters."""
    files = [str(inputs() / "t4l.prmtop"), str(inputs() / "t4l.crd")]
    return ["prepare", *files, "-o", str(place / "x")]


def reference(place: Path) -> list[str]:
    """All-atom MD with a checkpoint after every snapshot."""
    words = "--mode rigid --interval 0.02ps --equilibration 0.2ps --platform Reference"
    words += " --checkpoint 0 --time 0.6ps"
    return ["reference", str(inputs() / "t4l"), *words.split(), "-o", str(place / "x")]


def hybrid(place: Path) -> list[str]:
    """Jumps of a model that hardly moves, and MD between them."""
    import torch

    from openmm_neuralmd.dynamics.ode import NeuralODE, NeuralODESettings
    from openmm_neuralmd.model import Model, ModelCard

    file = place.parent / "calm.safetensors"
    if not file.is_file():
        torch.manual_seed(0)
        dynamics = NeuralODE(NeuralODESettings.model_validate({"network": NETWORK}))
        for parameter in dynamics.network.head.parameters():
            parameter.data.mul_(1e-6)
        card = ModelCard(
            name="calm",
            kind="neuralmd-ode",
            settings=dynamics.settings.model_dump(mode="json"),
            interval_ps=0.2,
            elements=[1, 6],
            residue_types=list(range(20)),
        )
        Model(dynamics, card).save(file)
    md = {
        "mode": "pocket",
        "platform": "Reference",
        "pocket_radius": 0.4,
        "shell_radius": 0.6,
        "equilibration_ps": 0.2,
        "format": "dcd",
    }
    settings = {"before": 2, "md": md, "jump": {"relax_ps": 0.1, "iterations": 20}}
    (place.parent / "x.yaml").write_text(yaml.safe_dump(settings))
    words = ["--complex", str(inputs() / "t4l"), "--time", "1.6ps"]
    words += ["--settings", str(place.parent / "x.yaml"), "-o", str(place / "x")]
    return ["hybrid", str(file), *words]


def convert(place: Path) -> list[str]:
    """Twenty snapshots of T4 lysozyme into MISATO's layout."""
    import mdtraj

    topology, file = inputs() / "t4l" / "topology.pdb", place.parent / "one.xtc"
    if not file.is_file():
        still = mdtraj.load(str(topology))
        noise = np.random.default_rng(0).normal(scale=0.002, size=(20, still.n_atoms, 3))
        times = np.arange(20) * 80.0
        mdtraj.Trajectory(still.xyz + noise, still.topology, time=times).save(str(file))
    return ["convert", str(topology), str(place / "x.hdf5"), "--trajectory", str(file)]


def campaign(place: Path) -> list[str]:
    """Two complexes, a short run of each, in one worker process."""
    run = {"time": "0.3ps", "settings": MD, "checkpoint_seconds": 0}
    targets = {name: {"complex": str(inputs() / "t4l")} for name in ("a", "b")}
    content = {"output": str(place / "x"), "runs": {"r": run}, "targets": targets}
    (place.parent / "c.yaml").write_text(yaml.safe_dump(content | {"cluster": {"workers": 1}}))
    return ["campaign", str(place.parent / "c.yaml")]


RUN = {"trajectory.xtc": whole, "topology.pdb": atoms, "system.xml": whole, "run.yaml": record}
TARGETS = {
    "simulate": Target(
        simulate,
        {"x.dcd": without_date, "x.pdb": atoms, "x.run.yaml": record},
        "simulation.run",
    ),
    "train": Target(train, {"x/model.safetensors": whole}, "training.forecasting"),
    "predict": Target(
        predict,
        {"x/trajectory.dcd": without_date, "x/rmsf.csv": whole, "x/contacts.csv": whole},
        "prediction.many",
    ),
    "prepare": Target(
        prepare,
        {
            "x/topology.pdb": atoms,
            "x/system.xml": whole,
            "x/state.xml": whole,
            "x/ligand.sdf": whole,
            "x/complex.yaml": record,
        },
        "prepare.imports",
    ),
    "reference": Target(
        reference, {f"x/{name}": read for name, read in RUN.items()}, "md.production"
    ),
    "hybrid": Target(
        hybrid,
        {
            "x/trajectory.dcd": without_date,
            "x/topology.pdb": atoms,
            "x/hybrid.csv": whole,
            "x/run.yaml": record,
        },
        "hybrid.run",
    ),
    "convert": Target(convert, {"x.hdf5": arrays}, "misato.conversion"),
    "campaign": Target(
        campaign,
        {f"x/{one}/r/{name}": read for one in ("a", "b") for name, read in RUN.items()},
        "campaign.run",
    ),
}


def begin(
    arguments: list[str], said: Path | None = None, before: Callable[[], None] | None = None
) -> int:
    """The command in a fork, with a process group of its own; its process number.

    Parameters
    ----------
    arguments : list of str
    said : Path, optional
        Takes what it writes to standard error.
    before : callable, optional
        Called in the fork first.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.setsid()
        with (said or Path(os.devnull)).open("w") as errors, Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(errors.fileno(), 2)
        if before is not None:
            before()
        from openmm_neuralmd.cli import app

        code = app(arguments, standalone_mode=False) or 0
    finally:
        os._exit(code if isinstance(code, int) else 0)


def ended(child: int) -> int:
    """Exit code of a fork that is let end."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
