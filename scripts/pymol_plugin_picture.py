"""Draw docs/images/pymol-plugin.png with the commands of plugins/pymol, as a user would type them.

    python scripts/pymol_plugin_picture.py [--topology FILE.pdb] [--trajectory FILE.dcd]

Left the packaged all-atom MD of ergotamine in 5-HT1B, coloured by RMSF; right the forecast of
`make demo` over it, at the same time.  PyMOL (Debian: apt-get install pymol) runs headless.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from openmm_neuralmd.examples import GPCR_FOLDER
from openmm_neuralmd.model import load_model
from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.times import show_time
from pymol_program import run_pymol

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = "gpcr-ergotamine"
PANEL = (760, 640)  # pixels
DPI = 100
STATE = 20
SCALE_END = 1.5  # Å
PALETTE = {"colors": 256, "method": Image.Quantize.MEDIANCUT, "kmeans": 10}
"""A PNG of a palette has less than half the size; k-means keeps the few strong colours."""

SCENE = """
import sys

sys.path.insert(0, {plugin!r})
import neuralmd
from pymol import cmd

neuralmd.__init_plugin__()
cmd.bg_color("white")
for setting in (
    "ray_opaque_background 1", "ray_shadows 0", "antialias 2", "ambient 0.35", "specular 0.1",
    "ray_trace_mode 1", "ray_trace_gain 0.02", "ray_trace_color grey30", "valence 0",
):
    cmd.set(*setting.split())
cmd.do("neuralmd_load {topology}, {trajectory}, prediction")
cmd.do("neuralmd_load {known}/topology.pdb, {known}/trajectory.xtc, reference, start={start}")
cmd.do("neuralmd_rmsf reference, {end}")
cmd.disable("prediction neuralmd_scale")
cmd.png({left!r}, {width}, {height}, ray=1)
cmd.do("neuralmd_overlay reference, prediction")
cmd.set("state", {state})
cmd.png({right!r}, {width}, {height}, ray=1)
"""


def colours_of_the_plugin() -> dict[str, str]:
    """The plug-in's colours by name, as '#rrggbb'; its package is importable in PyMOL alone."""
    namespace: dict[str, object] = {}
    exec((ROOT / "plugins" / "pymol" / "neuralmd" / "scene.py").read_text(), namespace)
    scale = str(namespace["RMSF_COLOURS"])
    names = {"scale": scale, "reference": namespace["REFERENCE"][0]}  # type: ignore[index]
    names["prediction"] = namespace["PREDICTION"][0]  # type: ignore[index]
    return {name: str(code).replace("0x", "#") for name, code in names.items()}


def trace(topology: Path, trajectory: Path, start: int, folder: Path) -> list[Path]:
    """Draw both panels in PyMOL."""
    panels = [folder / "left.png", folder / "right.png"]
    script = folder / "scene.py"
    script.write_text(
        SCENE.format(
            plugin=str(ROOT / "plugins" / "pymol"),
            topology=topology.resolve(),
            trajectory=trajectory.resolve(),
            known=GPCR_FOLDER,
            start=start,
            end=SCALE_END,
            state=STATE,
            left=str(panels[0]),
            right=str(panels[1]),
            width=PANEL[0],
            height=PANEL[1],
        )
    )
    printed = run_pymol(script)
    if not all(panel.exists() for panel in panels):
        sys.exit(f"PyMOL drew nothing:\n{printed}")
    return panels


def compose(panels: list[Path], interval_ps: float) -> Figure:
    """The panels side by side, with a colour bar and a legend."""
    figure = Figure(figsize=(2 * PANEL[0] / DPI, PANEL[1] / DPI), dpi=DPI)
    colours = colours_of_the_plugin()
    for place, panel in enumerate(panels):
        axes = figure.add_axes((place / 2, 0, 1 / 2, 1))
        axes.set_axis_off()
        axes.imshow(mpl.image.imread(panel), interpolation="none", aspect="auto")
        if place:
            _legend(axes, colours, f"{show_time(STATE * interval_ps)} ahead")
    bar = figure.add_axes((0.03, 0.09, 0.2, 0.028))
    scale = LinearSegmentedColormap.from_list("rmsf", colours["scale"].split())
    figure.colorbar(
        mpl.cm.ScalarMappable(Normalize(0, SCALE_END), scale), cax=bar, orientation="horizontal"
    )
    bar.tick_params(labelsize=13)
    bar.set_title("RMSF in all-atom MD, Å", fontsize=14, loc="left")
    return figure


def _legend(axes: Axes, colours: dict[str, str], title: str) -> None:
    names = {"all-atom MD": "reference", "forecast": "prediction"}
    axes.legend(
        [Line2D([], [], color=colours[name], linewidth=7) for name in names.values()],
        list(names),
        loc="lower right",
        title=title,
        fontsize=14,
        title_fontsize=14,
        framealpha=0.85,
        edgecolor="none",
        handlelength=1.2,
    )


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--topology", type=Path, default=ROOT / "demo" / "topology.pdb")
    parser.add_argument("--trajectory", type=Path, default=ROOT / "demo" / "trajectory.dcd")
    output = ROOT / "docs" / "images" / "pymol-plugin.png"
    parser.add_argument("--output", type=Path, default=output)
    arguments = parser.parse_args()
    card = load_model(EXAMPLE).card
    start = card.data[0]["training_snapshots"][1] + 1  # PyMOL counts from 1
    with tempfile.TemporaryDirectory() as name:
        panels = trace(arguments.topology, arguments.trajectory, start, Path(name))
        figure = compose(panels, card.interval_ps)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=DPI)
    with complete(arguments.output) as temporary:
        Image.open(drawn).convert("RGB").quantize(**PALETTE).save(temporary, "png", optimize=True)
    print(f"wrote {arguments.output} ({arguments.output.stat().st_size / 1000:.0f} kB)")


if __name__ == "__main__":
    main()
