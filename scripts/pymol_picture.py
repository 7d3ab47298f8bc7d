"""Draw `make demo`'s trajectory with PyMOL: docs/images/pymol-snapshots.png, the README's picture.

    python scripts/pymol_picture.py [--topology FILE.pdb] [--trajectory FILE.dcd]

PyMOL (Debian: apt-get install pymol) runs headless, as a program of its own.  Every tenth snapshot
of the ligand is drawn in the rigid protein, the first one dark, the last one bright.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots
from openmm_neuralmd.units import to_angstrom
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.times import show_time
from pymol_program import run_pymol

ROOT = Path(__file__).resolve().parent.parent
WIDTH, HEIGHT = 1600, 1000
EVERY = 10
PALETTE, DARKEST, BRIGHTEST = "viridis", 0.0, 0.92
"""Readable with every kind of colour vision, and in grey; its bright end is lost on white."""
DISTANCE, FIELD = 46.0, 34.0
"""Camera to ligand, Å, and the camera's field of view, degrees."""
IN_FRONT, BEHIND = 6.0, 24.0
"""Å before and behind the ligand between which the protein is drawn: the rest would hide it."""

SCENE = """
import json, sys
from pymol import cmd

scene = json.load(open(sys.argv[1]))
cmd.feedback("disable", "all", "actions")
cmd.set("retain_order", 1)
cmd.load(scene["topology"], "complex")
cmd.load_traj(scene["trajectory"], "complex", state=1)
cmd.create("protein", "complex and polymer", 1, 1)
for k, (state, colour) in enumerate(zip(scene["states"], scene["colours"])):
    cmd.create(f"ligand{k}", f"complex and index {scene['ligand']}", state, 1)
    cmd.set_color(f"snapshot{k}", colour)
    cmd.color(f"snapshot{k}", f"ligand{k}")
cmd.delete("complex")
cmd.hide("everything")

cmd.show("cartoon", "protein")
cmd.set("cartoon_fancy_helices", 1)
cmd.set("cartoon_transparency", 0.5)
cmd.set_color("soft", [0.80, 0.85, 0.89])
cmd.color("soft", "protein")
pocket = "byres (protein within 4 of ligand0) and not (name C+N+O)"
cmd.show("sticks", pocket)
cmd.set("stick_radius", 0.1, "protein")
cmd.set("stick_transparency", 0.1, "protein")
cmd.color("grey60", pocket + " and not name CA")

cmd.show("sticks", "ligand*")
cmd.set("valence", 0)
for k in range(len(scene["states"])):
    cmd.set("stick_radius", 0.13, f"ligand{k}")

cmd.bg_color("white")
cmd.set("ray_opaque_background", 1)
cmd.set("antialias", 2)
cmd.set("ray_shadows", 0)
cmd.set("ray_trace_mode", 1)
cmd.set("ray_trace_color", "grey30")
cmd.set("ray_trace_gain", 0.02)
cmd.set("ambient", 0.4)
cmd.set("specular", 0.1)
cmd.set("depth_cue", 1)
cmd.set("ray_trace_fog", 1)
cmd.set("fog_start", 0.3)
cmd.set("orthoscopic", 0)
cmd.set("field_of_view", scene["field"])
cmd.set("two_sided_lighting", 1)
cmd.set_view(scene["view"])
cmd.png(scene["output"], width=scene["width"], height=scene["height"], ray=1)
"""


def camera(snapshots: Snapshots) -> list[float]:
    """PyMOL's view: the ligand in the middle, its broad side to us, out of the protein is up.

    Of the two broad sides the one with less protein before it is chosen.
    """
    ligand = snapshots.ligand[0]
    centre = snapshots.ligand.mean((0, 1))
    complex = snapshots.complex
    alpha = to_angstrom(complex.positions[complex.backbone[:, 1]]) - centre
    up = -alpha.mean(0) / np.linalg.norm(alpha.mean(0))
    flat = ligand - ligand.mean(0)
    flat = flat - np.outer(flat @ up, up)
    # The least of the three directions is `up` itself, which has been taken out.
    towards = np.linalg.svd(flat)[2][1]
    near = alpha[np.linalg.norm(alpha - np.outer(alpha @ up, up), axis=1) < 15.0]
    if (near @ towards > 0).sum() > (near @ towards < 0).sum():
        towards = -towards
    rotation = np.array([np.cross(up, towards), up, towards]).T
    clip = [DISTANCE - IN_FRONT, DISTANCE + BEHIND, -FIELD]
    return [*rotation.ravel(), 0.0, 0.0, -DISTANCE, *centre, *clip]


def ray_trace(scene: dict[str, Any], output: Path) -> None:
    """Run PyMOL on the scene; it writes `output`."""
    with tempfile.TemporaryDirectory() as name:
        script, settings = Path(name) / "scene.py", Path(name) / "scene.json"
        script.write_text(SCENE)
        settings.write_text(json.dumps({**scene, "output": str(output)}))
        printed = run_pymol(script, str(settings))
    if not output.exists():
        sys.exit(f"PyMOL drew nothing:\n{printed}")


def with_legend(picture: Path, colours: list[list[float]], labels: list[str], output: Path) -> None:
    """The picture with the times of its snapshots."""
    dpi = 100
    figure = Figure(figsize=(WIDTH / dpi, HEIGHT / dpi), dpi=dpi)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(mpl.image.imread(picture), interpolation="none")
    lines = [Line2D([], [], color=colour, linewidth=7) for colour in colours]
    axes.legend(
        lines,
        labels,
        loc="lower right",
        title="forecast",
        fontsize=19,
        title_fontsize=19,
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
        handlelength=1.2,
        borderaxespad=1.0,
    )
    with complete(output) as temporary:
        figure.savefig(temporary, format="png", dpi=dpi)


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--topology", type=Path, default=ROOT / "demo" / "topology.pdb")
    parser.add_argument("--trajectory", type=Path, default=ROOT / "demo" / "trajectory.dcd")
    images = ROOT / "docs" / "images"
    parser.add_argument("--output", type=Path, default=images / "pymol-snapshots.png")
    arguments = parser.parse_args()
    snapshots = read_snapshots(arguments.trajectory, Complex.from_files(arguments.topology))
    states = [1, *range(EVERY, len(snapshots) + 1, EVERY)]
    shades = np.linspace(DARKEST, BRIGHTEST, len(states))
    colours = [list(mpl.colormaps[PALETTE](shade)[:3]) for shade in shades]
    scene = {
        "topology": str(arguments.topology.resolve()),
        "trajectory": str(arguments.trajectory.resolve()),
        "ligand": "+".join(str(i + 1) for i in snapshots.complex.ligand_heavy),
        "states": states,
        "colours": colours,
        "view": camera(snapshots),
        "field": FIELD,
        "width": WIDTH,
        "height": HEIGHT,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        traced = Path(name) / "traced.png"
        ray_trace(scene, traced)
        labels = [show_time(state * snapshots.interval_ps) for state in states]
        with_legend(traced, colours, labels, arguments.output)
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
