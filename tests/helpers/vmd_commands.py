"""VMD's text commands, as far as plugins/vmd uses them: recorded, checked, and answered.

Each call is held against the grammar of VMD 1.9.3 (User's Guide: mol, molinfo, atomselect, measure,
animate, display, color, scale), more strictly than VMD does it.  What VMD would compute comes from
files read by OpenMM and MDTraj.  Nothing is drawn, and VMD itself has no part in it.
"""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import numpy as np

from openmm_neuralmd.analysis.fluctuation import rmsf
from openmm_neuralmd.structure.imaging import superpose
from vmd_molecule import Molecule, Representation, Selection
from vmd_selection import KEYWORDS, SelectionError
from vmd_words import due, natural, tcl, vector

BRIDGE = Path(__file__).with_name("vmd_bridge.tcl")
STYLES = {"NewCartoon": 4, "Licorice": 3}  # how many numbers follow
COLOURS = {"ColorID": 1, "Name": 0, "Beta": 0}
MATERIALS = ("Opaque", "Transparent")
SCALES = "RWB BWR RGryB BGryR RGB BGR RWG GWR GWB BWG BlkW WBlk".split()


class VMDError(Exception):
    """VMD would answer with an error."""


class VMD:
    """A session: `run` scripts, then look at `molecules`, `calls` and `printed`."""

    def __init__(self) -> None:
        self.molecules: dict[int, Molecule] = {}
        self.selections: dict[str, Selection] = {}
        self.calls: list[list[str]] = []
        self.printed: list[str] = []
        self.method, self.top, self.frame, self.scaled_to = "RWB", -1, -1, 0.0
        self._molecules_made = self._selections_made = 0

    def run(self, script: Path, folder: Path) -> None:
        """Source a script in tclsh, in a folder; RuntimeError with Tcl's message if it fails."""
        self.folder, failure = folder, None
        with subprocess.Popen(
            ["tclsh", str(BRIDGE), str(script)],
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as tclsh:
            assert tclsh.stdin is not None and tclsh.stdout is not None
            for line in tclsh.stdout:
                assert line.startswith("="), f"tclsh: {line}{tclsh.stdout.read()}"
                command, *words = (base64.b64decode(w[1:]).decode() for w in line.split())
                if command == "failed":
                    failure, status, answer = words[0], "ok", ""
                else:
                    status, answer = self._answer(command, words)
                tclsh.stdin.write(f"{status} ={base64.b64encode(answer.encode()).decode()}\n")
                tclsh.stdin.flush()
        if failure is not None:
            raise RuntimeError(failure)

    def _answer(self, command: str, words: list[str]) -> tuple[str, str]:
        self.calls.append([command, *words])
        try:
            if command in self.selections:
                return "ok", tcl(self._use(command, *words))
            return "ok", tcl(getattr(self, f"_{command}")(*words))
        except (VMDError, SelectionError) as error:
            return "error", str(error)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            return "error", f"not VMD's usage: {command} {' '.join(words)} ({error})"

    # Below, a signature is the grammar: what does not fit it is an error of the script.

    def _puts(self, text: str) -> None:
        self.printed.append(text)

    def _mol(self, action: str, *words: str) -> object:
        return getattr(self, f"_mol_{action}")(*words)

    def _mol_new(self, file: str, waitfor: str, every: str) -> int:
        due((waitfor, every), ("waitfor", "all"))
        number = self._molecules_made
        self._molecules_made += 1
        self.molecules[number] = Molecule(self.folder / file)
        return number

    def _mol_addfile(self, file: str, *words: str) -> None:
        a, first, b, last, c, every, number = words
        due((a, b, c, every), ("first", "last", "waitfor", "all"))
        molecule = self._find(number)
        try:
            molecule.append(self.folder / file, int(first), int(last))
        except (OSError, ValueError) as error:
            raise VMDError(f"Unable to load file '{file}' using file type 'dcd'.") from error

    def _mol_delete(self, number: str) -> None:
        self._find(number)
        del self.molecules[int(number)]

    def _mol_top(self, number: str) -> None:
        self._find(number)
        self.top = int(number)

    def _mol_on(self, number: str) -> None:
        self._find(number)

    def _mol_addrep(self, number: str) -> None:
        self._find(number).representations.append(Representation())

    def _mol_delrep(self, place: str, number: str) -> None:
        del self._find(number).representations[natural(place)]

    def _mol_modselect(self, place: str, number: str, text: str) -> None:
        self._find(number).select(text, 0)
        self._drawn(number, place).selection = text

    def _mol_modstyle(self, place: str, number: str, name: str, *numbers: str) -> None:
        due(len([float(n) for n in numbers]), STYLES[name])
        self._drawn(number, place).style = [name, *numbers]

    def _mol_modcolor(self, place: str, number: str, name: str, *numbers: str) -> None:
        due(len([n for n in numbers if natural(n) <= 16]), COLOURS[name])
        self._drawn(number, place).colour = [name, *numbers]

    def _mol_modmaterial(self, place: str, number: str, name: str) -> None:
        self._drawn(number, place).material = MATERIALS[MATERIALS.index(name)]

    def _mol_smoothrep(self, number: str, place: str, window: str) -> None:
        self._drawn(number, place).smoothing = natural(window)

    def _mol_scaleminmax(self, number: str, place: str, low: str, high: str) -> None:
        self._drawn(number, place).scale = (float(low), float(high))

    def _molinfo(self, number: str, action: str = "", *words: str) -> object:
        if number == "list" and not action:
            return list(self.molecules)
        molecule = self._find(number)
        if action == "set":
            keyword, value = words
            due(keyword, "center")
            molecule.centre = vector(re.fullmatch(r"\{(.*)\}", value)[1])  # type: ignore[index]
            return None
        due(action, "get")
        (keyword,) = words
        sizes = {
            "numatoms": len(molecule.frames[0]),
            "numframes": len(molecule.frames),
            "numreps": len(molecule.representations),
        }
        return sizes[keyword]

    def _atomselect(self, number: str, text: str, frame: str = "frame", which: str = "0") -> str:
        due(frame, "frame")
        molecule = self._find(number)
        name = f"atomselect{self._selections_made}"
        self._selections_made += 1
        selected = Selection(molecule, molecule.select(text, natural(which)), natural(which))
        self.selections[name] = selected
        return name

    def _use(self, name: str, action: str, *words: str) -> object:
        selection = self.selections[name]
        values = selection.molecule.values
        if action == "delete" and not words:
            del self.selections[name]
        elif action == "num" and not words:
            return int(selection.mask.sum())
        elif action == "frame":
            (number,) = words
            selection.molecule.frames[natural(number)]
            selection.frame = natural(number)
        elif action == "move":
            (matrix,) = words
            motion = np.array([vector(row) for row in re.findall(r"\{([^{}]*)\}", matrix)])
            due(motion.shape, (4, 4))
            moved = selection.positions @ motion[:3, :3].T + motion[:3, 3]
            selection.molecule.frames[selection.frame][selection.mask] = moved
        elif action == "get":
            keywords = words[0].split()
            due(len(words), 1)
            due([k for k in keywords if k not in KEYWORDS], [])
            columns = [values[k][selection.mask].tolist() for k in keywords]
            return columns[0] if len(columns) == 1 else [list(row) for row in zip(*columns)]
        elif action == "set":
            keyword, numbers = words
            due(keyword, "beta")
            values["beta"][selection.mask] = np.array(vector(numbers))  # as many as atoms
        else:
            raise ValueError(action)
        return None

    def _measure(self, what: str, *words: str) -> object:
        selections = [self.selections[word] for word in words]
        if what == "fit":
            moving, target = selections
            rotation, translation = superpose(moving.positions[None], target.positions)
            motion = np.eye(4)
            motion[:3, :3], motion[:3, 3] = rotation[0].T, translation[0]
            return motion.tolist()
        (selection,) = selections
        if what == "center":
            return selection.positions.mean(0).tolist()
        if what == "minmax":
            return [selection.positions.min(0).tolist(), selection.positions.max(0).tolist()]
        due(what, "rmsf")
        frames = np.array(selection.molecule.frames)
        return rmsf(frames[:, selection.mask]).tolist()

    def _animate(self, action: str, *words: str) -> None:
        if action == "goto":
            (number,) = words
            self.frame = natural(number)
            return
        begin, first, end, last, number = words
        due((action, begin, end), ("delete", "beg", "end"))
        del self._find(number).frames[natural(first) : natural(last) + 1]

    def _display(self, action: str) -> None:
        due(action, "resetview")

    def _color(self, scale: str, method: str, name: str) -> None:
        due((scale, method), ("scale", "method"))
        self.method = SCALES[SCALES.index(name)]

    def _scale(self, how: str, factor: str) -> None:
        due(how, "to")
        self.scaled_to = float(factor)

    def _find(self, number: str) -> Molecule:
        return self.molecules[natural(number)]

    def _drawn(self, number: str, place: str) -> Representation:
        return self._find(number).representations[natural(place)]
