"""Draw the ligand of `make demo` in motion: docs/images/predicted-motion.gif.

    python scripts/predict_picture.py [--topology FILE.pdb] [--trajectory FILE.dcd]

Matplotlib draws it; no viewer is needed. The ligand is seen on its broad side, with the given pose
as a shadow and the heavy atoms of the pocket around it, which move too. Colours are the RMSF of the
B-factors.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib as mpl
import mdtraj
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.units import to_angstrom
from openmm_neuralmd.utils.files import complete

ROOT = Path(__file__).resolve().parent.parent
FRAMES, PER_SECOND = 60, 12
POCKET = 5.0
"""Å from the given pose, of the pocket's heavy atoms that are drawn."""
MARGIN = 3.0
"""Å around the ligand."""
BONDED = 1.9
"""Å; heavy atoms of the pocket nearer than this are drawn as bonded."""


def broad_side(x: np.ndarray) -> np.ndarray:
    """Rotation (3, 3) that shows positions (n, 3) on their broad side: x @ R has depth last."""
    rotation: np.ndarray = np.linalg.svd(x - x.mean(0), full_matrices=False)[2].T
    return rotation


def sticks(x: np.ndarray, bonds: np.ndarray) -> np.ndarray:
    """Halves of bonds (2b, 2, 2) as lines in the plane, the first half at the first atom."""
    middle = x[bonds].mean(1)
    halves = [np.stack((x[bonds[:, k]], middle), axis=1) for k in (0, 1)]
    return np.concatenate(halves)[..., :2]


def pocket_bonds(complex: Complex, pose: np.ndarray) -> np.ndarray:
    """Bonds (b, 2), atoms of the complex, between heavy atoms of the protein near a pose (n, 3)."""
    atoms = list(complex.topology.atoms())
    own = set(complex.ligand.tolist())
    heavy = np.array([a.index for a in atoms if a.index not in own and a.element.symbol != "H"])
    x = to_angstrom(complex.positions)
    near = heavy[np.linalg.norm(x[heavy][:, None] - pose, axis=-1).min(1) < POCKET]
    apart = np.linalg.norm(x[near][:, None] - x[near], axis=-1)
    bonds: np.ndarray = near[np.argwhere(np.triu(apart < BONDED, k=1))]
    return bonds


def animate(complex: Complex, snapshots: np.ndarray, rmsf: np.ndarray, output: Path) -> None:
    """Write the moving picture of snapshots (S, N, 3) in Å, coloured by rmsf (n,)."""
    pose = to_angstrom(complex.positions)[complex.ligand_sites]
    turn, centre, bonds = broad_side(pose), pose.mean(0), complex.site_bonds
    every = (snapshots - centre) @ turn
    seen, around = every[:, complex.ligand_sites], pocket_bonds(complex, pose)
    shades = mpl.colormaps["viridis"](rmsf / rmsf.max())
    extent = np.abs(seen[..., :2]).max((0, 1)) + MARGIN
    figure = Figure(figsize=(5.6, 5.6 * extent[1] / extent[0]), dpi=90)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-extent[0], extent[0]), ylim=(-extent[1], extent[1]), aspect="equal")
    axes.set_axis_off()
    shadow = sticks((pose - centre) @ turn, bonds)
    pocket = LineCollection(list(every[0][around][..., :2]), colors="0.82", linewidths=2)
    axes.add_collection(pocket)
    axes.add_collection(LineCollection(list(shadow), colors="0.6", linewidths=3, alpha=0.6))
    moving = LineCollection(
        list(sticks(seen[0], bonds)), colors=shades[bonds.T.ravel()], linewidths=5, capstyle="round"
    )
    axes.add_collection(moving)

    def show(k: int) -> tuple[LineCollection, LineCollection]:
        moving.set_segments(list(sticks(seen[k], bonds)))
        pocket.set_segments(list(every[k][around][..., :2]))
        return moving, pocket

    motion = FuncAnimation(figure, show, frames=len(seen), blit=False)
    with complete(output) as temporary:
        motion.save(temporary, writer=PillowWriter(fps=PER_SECOND))


def b_factors(topology: Path, complex: Complex) -> np.ndarray:
    """B-factors (n,) of the ligand's heavy atoms, which `neuralmd predict` sets to RMSF in Å."""
    lines = topology.read_text(encoding="utf-8").splitlines()
    every = [float(line[60:66]) for line in lines if line.startswith(("ATOM", "HETATM"))]
    return np.array(every)[complex.ligand_sites]


def main() -> None:
    """Draw the moving picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--topology", type=Path, default=ROOT / "demo" / "topology.pdb")
    parser.add_argument("--trajectory", type=Path, default=ROOT / "demo" / "trajectory.dcd")
    images = ROOT / "docs" / "images"
    parser.add_argument("--output", type=Path, default=images / "predicted-motion.gif")
    arguments = parser.parse_args()
    complex = Complex.from_files(arguments.topology, ligand="LIG")
    snapshots = 10.0 * mdtraj.load(str(arguments.trajectory), top=str(arguments.topology)).xyz
    shown = snapshots[:FRAMES].astype(np.float64)
    animate(complex, shown, b_factors(arguments.topology, complex), arguments.output)
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
