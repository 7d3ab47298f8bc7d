"""The complex and the known snapshots that a command line names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from . import options

if TYPE_CHECKING:
    from ..structure.complex import Complex
    from ..trajectory.snapshots import Snapshots


@dataclass(frozen=True)
class Source:
    """Options that name a complex and its known snapshots."""

    complex_file: options.ComplexFile = None
    coordinates: options.Coordinates = None
    trajectory: options.Trajectory = None
    ligand: options.Ligand = None
    sdf: options.Sdf = None
    interval: options.Interval = None
    stride: options.Stride = None
    boundaries: options.Boundaries = None
    example: options.Example = None

    def check(self) -> Source:
        """Refuse, as wrong usage, no complex, two, or an example mixed with files.

        Returns
        -------
        Source
            The same, a folder of `neuralmd prepare` replaced by the files in it.
        """
        options.one_of(__complex=self.complex_file, __example=self.example)
        if self.example is not None and self != Source(example=self.example):
            raise typer.BadParameter("--example brings its own files; leave the other options out")
        if self.complex_file is None or not self.complex_file.is_dir():
            return self
        if (self.coordinates, self.ligand, self.sdf) != (None, None, None):
            raise typer.BadParameter(
                "--complex is a folder that says what its ligand is; leave --coordinates, --ligand "
                "and --sdf out"
            )
        from ..md.folder import LIGAND, TOPOLOGY, ComplexFolder

        folder = ComplexFolder.open(self.complex_file)
        return replace(
            self,
            complex_file=folder.path / TOPOLOGY,
            ligand=folder.record["ligand"]["residue"],
            sdf=folder.path / LIGAND,
        )

    @property
    def trajectory_file(self) -> Path:
        """Path of the known snapshots, where there are some."""
        from ..examples import example_trajectory

        if self.example is not None:
            return example_trajectory(self.example)
        assert self.trajectory is not None
        return self.trajectory

    @property
    def sdf_file(self) -> Path | None:
        """The ligand with its bond orders, where there is one."""
        from ..examples import example_sdf

        return self.sdf if self.example is None else example_sdf(self.example)

    @property
    def files(self) -> tuple[Path | None, ...]:
        """Files that are read, None for those that were not given."""
        return self.complex_file, self.coordinates, self.trajectory, self.sdf

    def read(self) -> tuple[Complex, Snapshots | None]:
        """The complex, and its known snapshots where there is a trajectory."""
        from ..structure.complex import Complex
        from ..trajectory.snapshots import read_snapshots

        if self.example is not None:
            return _example(self.example)
        assert self.complex_file is not None
        complex = Complex.from_files(
            self.complex_file, ligand=self.ligand, sdf=self.sdf, coordinates=self.coordinates
        )
        if self.trajectory is None:
            return complex, None
        known = read_snapshots(
            self.trajectory,
            complex,
            interval=self.interval,
            boundaries=self.boundaries,
            stride=self.stride or 1,
        )
        return known.complex, known


def _example(name: str) -> tuple[Complex, Snapshots | None]:
    from ..examples import example, example_complex, has_trajectory

    if not has_trajectory(name):
        return example_complex(name), None
    snapshots = example(name)
    return snapshots.complex, snapshots
