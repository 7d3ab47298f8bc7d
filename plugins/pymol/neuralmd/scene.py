"""Representation of a complex in PyMOL."""

from __future__ import annotations

from typing import Any

RMSF_COLOURS = "0x3f4788 0x2d708e 0x1f968b 0x55c667 0xb8de29"
"""viridis without its ends, so that neither is lost on a black or a white background."""
REFERENCE, PREDICTION = ("0x0f7c80", "0xa9cfd1"), ("0xe07b00", "0xf2cfa0")
"""Ligand and protein, teal and orange, which the colour-blind can tell apart."""
PROTEIN, POCKET = "grey80", "grey60"
LIGAND_RADIUS, POCKET_RADIUS = 0.2, 0.1  # Å
CARTOON_TRANSPARENCY, BACKGROUND_TRANSPARENCY = 0.5, 0.8


SCALE = "neuralmd_scale"
CARBON_HYDROGENS = "(hydro and neighbor elem C)"


def draw(cmd: Any, name: str) -> None:
    """Cartoon of the protein, thin sticks of the pocket's side chains, sticks of the ligand.

    Hydrogens on carbon are not drawn.
    """
    ligand, pocket = f"{name}_ligand", f"{name}_pocket"
    cmd.hide("everything", f"%{name}")
    cmd.show("cartoon", f"%{name} and polymer")
    cmd.show("sticks", f"({ligand} or {pocket}) and not {CARBON_HYDROGENS}")
    cmd.set("cartoon_side_chain_helper", 1, name)
    cmd.set("cartoon_transparency", CARTOON_TRANSPARENCY, name)
    cmd.set("stick_radius", POCKET_RADIUS, name)
    cmd.set_bond("stick_radius", LIGAND_RADIUS, ligand)
    cmd.color(PROTEIN, f"%{name}")
    cmd.color(POCKET, pocket)
    cmd.color("atomic", f"({pocket} or {ligand}) and not elem C")


def colour_by_rmsf(cmd: Any, name: str, maximum: float) -> None:
    """Colour the ligand by its B-factors, from 0 to `maximum` Å, and show the scale."""
    cmd.spectrum("b", RMSF_COLOURS, f"{name}_ligand", minimum=0.0, maximum=maximum)
    colours = [list(cmd.get_color_tuple(colour)) for colour in RMSF_COLOURS.split()]
    steps = [maximum * k / (len(colours) - 1) for k in range(len(colours))]
    cmd.delete(SCALE)
    cmd.ramp_new(SCALE, "none", steps, colours)


def colour_apart(cmd: Any, reference: str, prediction: str) -> None:
    """One object teal, the other orange, ligands strong, proteins pale; other elements as usual.

    The prediction's protein steps back and its pocket is not drawn, or nothing could be seen.
    """
    cmd.delete(SCALE)
    for name, strong, pale in ((reference, *REFERENCE), (prediction, *PREDICTION)):
        draw(cmd, name)
        cmd.color(pale, f"%{name}")
        cmd.color(strong, f"{name}_ligand")
        cmd.color("atomic", f"{name}_ligand and not elem C")
    cmd.hide("sticks", f"{prediction}_pocket")
    cmd.set("cartoon_transparency", BACKGROUND_TRANSPARENCY, prediction)


def look(cmd: Any, name: str, around: float) -> None:
    """Turn the ligand's broad side to the eye, and come near."""
    ligand = f"{name}_ligand"
    cmd.orient(ligand, state=1)
    cmd.zoom(ligand, around, state=1)
    cmd.frame(1)
