"""What the tests have PyMOL run: install the plug-in, use it, dump what there is."""

INSTALL = """
import sys
from pymol import plugins
from pymol.plugins import installation, legacysupport

plugins.initialize(-2)

class Box:  # in place of dialogue boxes: the manager tells of success or failure in one
    showinfo = lambda title, message, parent=None: print(title, message)
    askyesno = askokcancel = None

legacysupport.tkMessageBox = Box
installation.installPluginFromFile(sys.argv[1], parent="nobody", plugdir=sys.argv[2])
print("commands", plugins.plugins["neuralmd"].commands)
"""
DUMP = """
import json, sys
import numpy
from pymol import cmd

everything = {"names": cmd.get_names("all"), "shown": {}, "order": cmd.get("retain_order")}
for name in cmd.get_names("public_objects"):
    if cmd.get_type(name) != "object:molecule":
        continue
    atoms, pocket, drawn = [], [], {}
    space = {"atoms": atoms, "pocket": pocket, "colour": cmd.get_color_tuple}
    cmd.iterate(f"{name}_ligand", "atoms.append((name, b, colour(color)))", space=space)
    cmd.iterate(f"{name}_pocket", "pocket.append(f'{chain}:{resi}')", space=space)
    for shape in ("cartoon", "sticks", "lines"):
        drawn[shape] = cmd.count_atoms(f"%{name} and rep {shape}")
    drawn["ligand"] = cmd.count_atoms(f"{name}_ligand and rep sticks")
    drawn["carbon"] = cmd.count_atoms(f"%{name} and rep sticks and hydro and neighbor elem C")
    states = range(1, cmd.count_states(name) + 1)
    frames = numpy.array([cmd.get_coordset(name, state) for state in states])
    numpy.save(f"{sys.argv[1]}-{name}.npy", frames)
    everything["shown"][name] = {"ligand": atoms, "pocket": sorted(set(pocket)), "drawn": drawn}
everything["view"] = cmd.get_view()
json.dump(everything, open(sys.argv[1] + ".json", "w"))
"""
SESSION = """
import sys
from pymol import cmd

def dump(stage):
    sys.argv[1:] = [stage]
    exec(open("dump.py").read(), {})

import pymol.plugins
cmd.do("plugin_load neuralmd")
cmd.do("neuralmd_load topology.pdb, trajectory.dcd")
cmd.do("neuralmd_load reference.pdb, reference.dcd")
dump("loaded")
cmd.do("neuralmd_rmsf topology, 3")
dump("rescaled")
cmd.do("neuralmd_overlay reference, topology")
dump("overlaid")
cmd.set("state", 5)
cmd.png("overlaid.png", 400, 300, ray=1)
cmd.do("neuralmd_load small.pdb, small.dcd")
for line in open("wrong.txt"):
    cmd.do(line.strip())
dump("wrong")
cmd.do("neuralmd_load lysozyme.pdb, lysozyme.dcd")
dump("lysozyme")
"""
