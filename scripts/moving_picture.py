"""Draw the picture of README.md: a ligand that moves, in MD and in a forecast, as a GIF.

    python scripts/moving_picture.py

Both panels start from the same snapshot of reference set `pocket`, in the part of the trajectory
that the bundled model `pocket-sde` was not trained on. Earlier snapshots of each panel stay visible
as thin lines, so that the spread of both ensembles can be compared.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

import openmm_neuralmd as nmd
from openmm_neuralmd.units import to_angstrom

ROOT = Path(__file__).resolve().parent.parent
SETS = ROOT / "validation" / "reference_sets" / "pocket"
TRAINING_SHARE = 0.8
FRAMES, EVERY = 36, 6
"""Number of frames, and snapshots (1 ps each) from one frame to the next."""
COLOURS = {6: "#3b4754", 7: "#2b62c9", 8: "#cc3b2f", 9: "#2f9e6e", 16: "#c79a13", 17: "#2f9e6e"}
MARGIN = 3.0
"""Space around the ligand, Å."""

Array = NDArray[np.floating]


def view(ligand: Array) -> Array:
    """Return the rotation (3, 2) that projects a ligand (n, 3) on its broadest plane."""
    axes: Array = np.linalg.svd(ligand - ligand.mean(0))[2][:2].T
    return axes


def draw_panel(axes: Axes, title: str, protein: Array, limits: Array) -> None:
    """Draw what does not move: the title and the protein's backbone (m, 2) near the ligand."""
    axes.set_title(title, fontsize=11, color="#26323d")
    axes.plot(*protein.T, ".", color="#b9c6cf", markersize=6, zorder=0)
    axes.set_xlim(*limits[:, 0])
    axes.set_ylim(*limits[:, 1])
    axes.set_aspect("equal")
    axes.set_axis_off()


class Panel:
    """A moving ligand in one panel.

    Parameters
    ----------
    axes : Axes
    snapshots : array (T, n, 2)
        Projected coordinates, Å.
    bonds : array (B, 2)
    colours : list of str
        One for each atom.
    """

    def __init__(self, axes: Axes, snapshots: Array, bonds: Array, colours: list[str]) -> None:
        self.snapshots, self.bonds = snapshots, bonds
        self.past = LineCollection([], colors="#168a83", linewidths=0.5, alpha=0.18)
        self.now = LineCollection([], colors="#3b4754", linewidths=2.4, capstyle="round")
        axes.add_collection(self.past)
        axes.add_collection(self.now)
        self.atoms = axes.scatter(*snapshots[0].T, s=34, c=colours, zorder=3)

    def show(self, frame: int) -> None:
        """Show one snapshot, with all earlier ones behind it."""
        self.past.set_segments(list(self.snapshots[:frame, self.bonds].reshape(-1, 2, 2)))
        self.now.set_segments(list(self.snapshots[frame][self.bonds]))
        self.atoms.set_offsets(self.snapshots[frame])


def main() -> None:
    """Forecast, project, draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--target", default="chk1", help="complex of reference set pocket")
    parser.add_argument("--output", type=Path, default=ROOT / "docs/images/moving-ligand.gif")
    arguments = parser.parse_args()
    folder = SETS / arguments.target
    complex = nmd.Complex.from_files(folder / "topology.pdb", sdf=folder / "ligand.sdf")
    trajectory = nmd.read_snapshots(folder / "trajectory.xtc", complex)
    begin = round(TRAINING_SHARE * len(trajectory))
    truth = trajectory.ligand[begin : begin + FRAMES * EVERY : EVERY]
    model = nmd.load_model("pocket-sde")
    future = nmd.rollout(
        model, trajectory.complex, trajectory.ligand[:begin], FRAMES * EVERY, replicas=1, seed=7
    )[0, ::EVERY]
    plane, centre = view(truth[0]), truth[0].mean(0)
    backbone = to_angstrom(trajectory.complex.positions)[trajectory.complex.backbone.ravel()]
    near = np.linalg.norm(backbone[:, None] - truth[0], axis=-1).min(1) < 7.0
    md, forecast, protein = ((x - centre) @ plane for x in (truth, future, backbone[near]))
    both = np.concatenate([md, forecast]).reshape(-1, 2)
    limits = np.stack([both.min(0) - MARGIN, both.max(0) + MARGIN])
    size = limits[1] - limits[0]
    figure = Figure(figsize=(8.0, 4.0 * size[1] / size[0] + 0.5), dpi=80, layout="constrained")
    numbers = complex.ligand_atomic_numbers
    colours = [COLOURS.get(int(z), "#3b4754") for z in numbers if z != 1]
    panels = []
    titles = ("all-atom MD, 1 ps per snapshot", "NeuralMD-SDE from the same snapshot")
    for axes, title, snapshots in zip(figure.subplots(1, 2), titles, (md, forecast), strict=True):
        draw_panel(axes, title, protein, limits)
        panels.append(Panel(axes, snapshots, complex.site_bonds, colours))
    animation = FuncAnimation(figure, lambda k: [p.show(k) for p in panels] and [], frames=FRAMES)
    animation.save(arguments.output, writer=PillowWriter(fps=12))
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
