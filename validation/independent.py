"""Cost of an independent sample: jumps and torsion moves against MD of the same System.

    python validation/independent.py runs/independent/tyk2/complex runs/independent/mcl1/complex

Each folder is one of `neuralmd prepare`, named as in reference set 'pocket', and runs in mode
pocket: ligand, residues and water within 0.9 nm of it move.  Samplers take turns on one thread:

* MD, 4 fs with heavy hydrogens, a sample every picosecond: the competitor;
* the same with torsion moves of the learned wells between its samples;
* jumps to independent poses of a one-structure model (`draw: independent`), minimised;
* the same, dragged to the pose, and dragged in less time;
* dragged to poses about the mean of the run so far (`draw: conditioned`);
* dragged with the residues around the ligand (`draw: pocket`), about the mean of the run, too;
* dragged by GROMACS (`engine: gromacs`), about the given pose, about the mean of the run, and so
  with the residues.

MD is OpenMM's; where gmx is on PATH, the speed of GROMACS for the same System is measured in turn
with the others, and MD counts as that fast too.

A sampler's independent samples are N / 2τ with the integrated autocorrelation time τ of the
ligand's coordinates, of the slowest torsion and of the number of contacts with the backbone, in the
frame of the protein, and of the side chains within 6 Å.  A short run does not see slow memory, so
that MD has two: τ of the run here, and τ of the 3 ns of the reference set, which has no side
chains.  Of a sampler, τ is that of its own run: give it hundreds of samples (--rounds 25).
Quality is against the 3 ns, beside their halves and MD here.  Finished rounds stay in --work: an
interrupted program continues after them.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from functools import cache as cache_result
from pathlib import Path
from typing import Any

import mdtraj
import numpy as np
import torch
from openmm import unit
from openmmtools import cache

from efficiency import THREAD, single_thread
from intervals import mean_difference, memory_clusters
from kept import Part, kept
from openmm_neuralmd.analysis.ensemble import rotatable_torsions, torsion_divergence, torsions
from openmm_neuralmd.analysis.fluctuation import rmsf
from openmm_neuralmd.analysis.memory import memory
from openmm_neuralmd.assessment.speed.all_atom import Contestant, Pace, Variant
from openmm_neuralmd.assessment.speed.timing import SECONDS_PER_DAY, cpu_seconds, spread
from openmm_neuralmd.dynamics.ou_prediction import predict_complex
from openmm_neuralmd.errors import InputError, NeuralMDError
from openmm_neuralmd.hybrid import JumpSettings, NeuralMDJumpMove, TorsionMove, ligand_torsions
from openmm_neuralmd.hybrid.contexts import kilojoules, put
from openmm_neuralmd.hybrid.draws import WithPocket
from openmm_neuralmd.hybrid.history import LONGEST
from openmm_neuralmd.hybrid.jumped import JUMPED
from openmm_neuralmd.md import MDSettings
from openmm_neuralmd.md.equilibration import equilibrate
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.gromacs.program import find_gmx
from openmm_neuralmd.md.masses import masses
from openmm_neuralmd.model import bundled_models
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import read_snapshots
from openmm_neuralmd.units import nanometers, to_angstrom
from result_files import save

SETS = Path(__file__).parent / "reference_sets" / "pocket"
SIDE = "side chains"
PICOSECOND = 1.0
"""Stride of every sampler."""
CONTACT = 6.0
"""Å between a heavy atom of the ligand and one of N, Cα, C: what the reference set has."""
MD, TURNED = "MD", "MD with torsion moves"
MINIMISED, DRAGGED = "jumps, minimised", "jumps, dragged"
QUICK, POCKET = "jumps, dragged in less time", "jumps, dragged with the pocket"
CONDITIONED = "jumps, dragged, given the run"
BY_GROMACS = "jumps by GROMACS, dragged"
CONDITIONED_BY_GROMACS = "jumps by GROMACS, dragged, given the run"
POCKET_BY_GROMACS = "jumps by GROMACS, dragged with the pocket, given the run"
ROUND = {MD: 10, TURNED: 8, MINIMISED: 4, DRAGGED: 12, QUICK: 12, POCKET: 12, CONDITIONED: 12}
ROUND |= {BY_GROMACS: 12, CONDITIONED_BY_GROMACS: 12, POCKET_BY_GROMACS: 12}
"""Samples of each sampler in one round."""
GROMACS = "GROMACS"
PACE = Pace(seconds=5.0)
BLOCKS = 20
"""Blocks of a chain that are left out in turn for the error of its τ."""
JUMPS = {
    MINIMISED: JumpSettings(draw="independent", interval_ps=PICOSECOND, relax_ps=1.0),
    DRAGGED: JumpSettings(
        draw="independent", interval_ps=PICOSECOND, relax_ps=0.6, relaxation="drag", drag_ps=0.4
    ),
    QUICK: JumpSettings(
        draw="independent", interval_ps=PICOSECOND, relax_ps=0.2, relaxation="drag", drag_ps=0.2
    ),
    CONDITIONED: JumpSettings(
        draw="conditioned",
        interval_ps=PICOSECOND,
        relax_ps=0.6,
        relaxation="drag",
        drag_ps=0.4,
    ),
    POCKET: JumpSettings(
        draw="pocket", interval_ps=PICOSECOND, relax_ps=0.6, relaxation="drag", drag_ps=0.4
    ),
}
JUMPS |= {
    BY_GROMACS: JUMPS[DRAGGED],
    CONDITIONED_BY_GROMACS: JUMPS[CONDITIONED],
    POCKET_BY_GROMACS: JUMPS[POCKET],
}
TURNS = 10
"""Torsion proposals before each picosecond of MD."""


class Samplers:
    """The samplers of one complex, all from one equilibrated start.

    Parameters
    ----------
    folder : Path
        Of `neuralmd prepare`.
    arguments : Namespace
        Of the command line.
    """

    def __init__(self, folder: Path, arguments: argparse.Namespace) -> None:
        self.name, self.arguments = folder.resolve().parent.name, arguments
        self.folder = folder
        self.work = arguments.work / self.name
        self.md = MDSettings(mode="pocket", platform="CPU", properties=dict(THREAD))
        self.moves = {
            name: NeuralMDJumpMove(
                arguments.model,
                folder,
                md=self.md,
                settings=settings,
                engine="gromacs" if GROMACS in name else "openmm",
                seed=arguments.seed,
            )
            for name, settings in JUMPS.items()
            if name in arguments.samplers or name == POCKET
        }
        self.move = self.moves[POCKET]
        self.shared = cache.ContextCache(single_thread(), dict(THREAD))
        self.thermodynamic = self.move.thermodynamic_state()
        self.target, _ = self.shared.get_context(self.thermodynamic)
        complex = self.move.complex
        prediction = predict_complex(self.move.model.dynamics, complex)
        self.torsions = TorsionMove(
            ligand_torsions(complex, prediction), n_proposals=TURNS, seed=arguments.seed
        )
        self.steps = round(1000 * PICOSECOND / self.md.timestep_fs)
        drawing = self.move.draw
        assert isinstance(drawing, WithPocket)
        side = drawing.motion.side
        near = side.atoms[~side.backbone]
        self.side = near[masses(self.move.setup.system)[near] > 0]

    def start(self) -> np.ndarray:
        """Positions (N, 3) in nm after equilibration; made once."""

        def make() -> Part:
            self.work.mkdir(parents=True, exist_ok=True)
            state = equilibrate(self.move.setup, self.md, self.work, lambda stage: None)
            return {"positions": nanometers(state.getPositions(asNumpy=True))}

        return kept(self.work / "start.npz", {"seed": self.md.seed}, make)["positions"]

    def rounds(self) -> dict[str, list[Part]]:
        """All rounds of all samplers, in turn."""
        zero, chosen = np.zeros(0), {name: ROUND[name] for name in self.arguments.samplers}
        last = {name: {"positions": self.start(), "velocities": zero} for name in chosen}
        parts: dict[str, list[Part]] = {name: [] for name in chosen}
        state = self.move.sampler_state()
        state.positions = self.start() * unit.nanometer
        first = self.look(state)[0][None]
        gromacs = self.gromacs()
        parts |= {GROMACS: []} if gromacs else {}
        of_md = min(self.arguments.rounds, self.arguments.md_rounds or self.arguments.rounds)
        for number in range(self.arguments.rounds):
            if gromacs and number < of_md:
                decisive = {"sampler": GROMACS, "round": number}
                path = self.work / f"{GROMACS}-{number}.npz"
                parts[GROMACS].append(kept(path, decisive, gromacs))
            for name, count in chosen.items():
                if name == MD and number >= of_md:
                    continue

                def part(name: str = name, number: int = number, count: int = count) -> Part:
                    if name in self.moves:  # what it knows when an interrupted program goes on
                        known = [first, *(one["x"] for one in parts[name])]
                        self.moves[name].history.known = np.concatenate(known)[-LONGEST:]
                    return self.one(name, last[name], number, count)

                decisive = {"sampler": name, "round": number, "count": count, "turns": TURNS}
                decisive |= {"seed": self.arguments.seed, "jump": repr(JUMPS.get(name))}
                last[name] = kept(self.work / f"{name}-{number}.npz", decisive, part)
                parts[name].append(last[name])
            print(f"{self.name}: round {number + 1} of {self.arguments.rounds}", flush=True)
        return parts

    def gromacs(self) -> Callable[[], Part] | None:
        """Measure of the seconds that GROMACS takes for a sample, or None without gmx."""
        try:
            find_gmx()
        except NeuralMDError as error:
            print(f"{GROMACS} is left out: {error}", flush=True)
            return None

        @cache_result
        def contestant() -> Contestant:
            place = self.work / GROMACS
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            return Variant("gromacs", ComplexFolder.open(self.folder), self.md).contestant(
                place, PACE
            )

        def measure() -> Part:
            per_day = contestant().measure()
            return {"seconds": np.array(PICOSECOND / 1000 * SECONDS_PER_DAY / per_day)}

        return measure

    def one(self, name: str, last: Part, number: int, count: int) -> Part:
        """One round of a sampler, from where its last one ended."""
        state = self.move.sampler_state()
        state.positions = last["positions"] * unit.nanometer
        if last["velocities"].size:
            state.velocities = last["velocities"] * (unit.nanometer / unit.picosecond)
        samples, parts, kinds = [], [], []
        seconds = 0.0
        for row in range(count):
            place = number * count + row
            began = cpu_seconds()
            kept_one, of_parts = self.step(name, state, place)
            seconds += cpu_seconds() - began
            samples.append(self.look(state))
            kinds.append(kept_one)
            parts.append(of_parts)
        x, side, contacts, energies = (np.array(column) for column in zip(*samples, strict=True))
        return {
            "positions": nanometers(state.positions),
            "velocities": np.array(
                state.velocities.value_in_unit(unit.nanometer / unit.picosecond)
            ),
            "x": x,
            "side": side,
            "contacts": contacts,
            "energies": energies,
            "kept": np.array(kinds),
            "parts": np.array(parts),
            "seconds": np.array(seconds),
        }

    def step(self, name: str, state: Any, place: int) -> tuple[float, list[float]]:
        """One sample further; share that was accepted, and seconds of settling and of the rest."""
        if name in JUMPS:
            move = self.moves[name]
            move.n_proposed = place  # seeds follow it: a continued run draws the same
            move.apply(self.thermodynamic, state, self.shared)
            assert move.last is not None
            settling = move.last.seconds.get("relaxation", 0.0)
            whole = sum(move.last.seconds.values())
            return float(move.last.kind == JUMPED), [settling, whole - settling]
        accepted, turning = np.nan, 0.0
        if name == TURNED:
            began = time.process_time()
            before = self.torsions.n_accepted
            self.torsions.n_proposed = place * TURNS
            self.torsions.apply(self.thermodynamic, state, self.shared)
            accepted = (self.torsions.n_accepted - before) / TURNS
            turning = time.process_time() - began
        seed = int(np.random.SeedSequence([self.arguments.seed, 1, place]).generate_state(1)[0])
        self.move.run(self.target, self.thermodynamic, state, self.steps, seed >> 1)
        return float(accepted), [turning, 0.0]

    def look(self, state: Any) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Ligand and side chains in Å in the protein's frame, contacts, energy in kJ/mol."""
        move = self.move
        whole = move.history.whole(*move.present(state))
        x, side = (move.history.seen(a, whole) for a in (move.complex.ligand_sites, self.side))
        backbone = to_angstrom(nanometers(state.positions)[move.complex.backbone[:, :3]])
        heavy = to_angstrom(nanometers(state.positions)[move.complex.ligand_heavy])
        put(self.target, state)
        energy = kilojoules(self.target.getState(energy=True).getPotentialEnergy())
        return x, side, contacts_of(heavy[None], backbone.reshape(1, -1, 3))[0], energy


def contacts_of(ligand: np.ndarray, backbone: np.ndarray) -> np.ndarray:
    """Pairs (S,) nearer than `CONTACT` of ligand (S, n, 3) and backbone (S, b, 3), Å."""
    distance = np.linalg.norm(ligand[:, :, None] - backbone[:, None], axis=-1)
    return np.asarray((distance < CONTACT).sum((1, 2)), dtype=np.float64)


def times(x: np.ndarray, contacts: np.ndarray, quadruples: np.ndarray) -> dict[str, float]:
    """τ in strides of the three observables."""
    angles = np.radians(torsions(x, quadruples))
    each = [
        memory(np.stack([np.cos(a), np.sin(a)], axis=-1)) for a in angles.T if np.ptp(np.cos(a)) > 0
    ]
    memories = {
        "coordinates": memory(x.reshape(len(x), -1)),
        "slowest torsion": max(each, default=0.5),
        "contacts": memory(contacts) if np.ptp(contacts) else 0.5,
    }
    return {name: max(value, 0.5) for name, value in memories.items()}


def errors(
    x: np.ndarray, contacts: np.ndarray, quadruples: np.ndarray, blocks: int
) -> dict[str, float]:
    """Standard errors of ln τ of the three observables, by leaving out one block after another."""
    every = np.array_split(np.arange(len(x)), blocks)
    logs = [
        {
            name: np.log(value)
            for name, value in times(np.delete(x, b, 0), np.delete(contacts, b), quadruples).items()
        }
        for b in every
    ]
    spreads = {name: np.std([log[name] for log in logs]) for name in logs[0]}
    return {name: float(value * np.sqrt(blocks - 1)) for name, value in spreads.items()}


def measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """All samplers of one complex beside the reference."""
    samplers = Samplers(folder, arguments)
    rounds = samplers.rounds()
    truth = Reference(samplers.name)
    complex = samplers.move.complex
    bonds = complex.site_bonds
    quadruples = rotatable_torsions(bonds, len(complex.ligand_heavy))
    reference = times(truth.ligand, truth.contacts, quadruples)
    reference_errors = errors(truth.ligand, truth.contacts, quadruples, BLOCKS)
    halves = np.array_split(truth.ligand, 2)
    of_gromacs = [float(part["seconds"]) for part in rounds.pop(GROMACS, [])]
    merged = {name: joined(parts) for name, parts in rounds.items()}
    side = merged[MD]["side"]
    rows = {}
    for name, all_of in merged.items():
        x, seconds = all_of["x"], float(np.sum(all_of["seconds"]))
        tau = times(x, all_of["contacts"], quadruples)
        tau[SIDE] = max(memory(all_of["side"].reshape(len(x), -1)), 0.5)
        rows[name] = {
            "samples": len(x),
            "cpu_seconds_per_sample": seconds / len(x),
            "kept": None if np.isnan(all_of["kept"]).any() else float(all_of["kept"].mean()),
            "memory_strides": tau,
            "memory_errors": errors(x, all_of["contacts"], quadruples, min(BLOCKS, len(x) // 2)),
            "cpu_seconds_per_independent_sample": {
                key: 2 * value * seconds / len(x) for key, value in tau.items()
            },
            "rmsf_ratio": float((rmsf(x) / rmsf(truth.ligand)).mean()),
            "mean_away_angstrom": away(x, truth.ligand),
            "torsion_divergence": torsion_divergence(truth.ligand, x, quadruples),
            "side_chains_rmsf_ratio": float((rmsf(all_of["side"]) / rmsf(side)).mean()),
            "side_chains_mean_away_angstrom": away(all_of["side"], side),
            "energy_less_md": list(energy_less(all_of["energies"], merged[MD]["energies"])),
        }
    each = rows[MD]["cpu_seconds_per_sample"]
    long = {key: 2 * value * each for key, value in reference.items()}
    for name, row in rows.items():
        cost = row["cpu_seconds_per_independent_sample"]
        of_md = rows[MD]["cpu_seconds_per_independent_sample"]
        row["gain_over_short_md"] = {key: of_md[key] / value for key, value in cost.items()}
        if name in JUMPS:
            row["gain_over_long_md"] = {key: long[key] / cost[key] for key in long}
    gromacs = None
    if of_gromacs:
        seconds = float(np.median(of_gromacs))
        costs = {key: 2 * value * seconds for key, value in reference.items()}
        gromacs = {"cpu_seconds_per_sample": spread(of_gromacs)._asdict()}
        gromacs |= {"cpu_seconds_per_independent_sample": costs}
        for name, row in rows.items():
            if name in JUMPS:
                cost = row["cpu_seconds_per_independent_sample"]
                row["gain_over_gromacs"] = {key: costs[key] / cost[key] for key in costs}
                row["gain_interval"] = {
                    key: float(np.exp(1.96 * np.hypot(error, row["memory_errors"][key])))
                    for key, error in reference_errors.items()
                }
    return {
        "rounds": arguments.rounds,
        "long_md": {
            "memory_ps": reference,
            "memory_errors": reference_errors,
            "cpu_seconds_per_independent_sample": long,
        },
        "long_md_by_gromacs": gromacs,
        "particles": samplers.move.setup.counts(),
        "samplers": rows,
        "halves_of_the_reference": {
            "rmsf_ratio": float((rmsf(halves[1]) / rmsf(halves[0])).mean()),
            "mean_away_angstrom": away(*halves),
            "torsion_divergence": torsion_divergence(*halves, quadruples),
        },
    }


class Reference:
    """The 3 ns of MD of one complex in reference set 'pocket'.

    Attributes
    ----------
    ligand : (S, n, 3) float64, Å
        In the frame of the protein, one snapshot every `PICOSECOND`.
    contacts : (S,)
    """

    def __init__(self, name: str) -> None:
        folder = SETS / name
        complex = Complex.from_files(folder / "topology.pdb", sdf=folder / "ligand.sdf")
        snapshots = read_snapshots(folder / "trajectory.xtc", complex)
        if abs(snapshots.interval_ps - PICOSECOND) > 1e-6:
            raise InputError(f"{folder}: a snapshot every {snapshots.interval_ps:g} ps, not 1 ps")
        self.ligand = snapshots.ligand
        x = 10.0 * mdtraj.load(folder / "trajectory.xtc", top=folder / "topology.pdb").xyz
        backbone = x[:, complex.backbone[:, :3].ravel()]
        self.contacts = np.concatenate(
            [
                contacts_of(x[rows][:, complex.ligand_heavy], backbone[rows])
                for rows in np.array_split(np.arange(len(x)), 30)
            ]
        )


def away(x: np.ndarray, truth: np.ndarray) -> float:
    """RMS over atoms in Å of the distance between mean positions."""
    return float(np.sqrt(((x.mean(0) - truth.mean(0)) ** 2).sum(-1).mean()))


def joined(parts: list[Part]) -> Part:
    """Rounds one after the other."""
    names = ("x", "side", "contacts", "energies", "kept", "parts", "seconds")
    return {name: np.concatenate([np.atleast_1d(part[name]) for part in parts]) for name in names}


def energy_less(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float, float]:
    """Mean potential energy less MD's with its 95 % interval, kJ/mol; the first fifth left out."""
    a, b = (energies[len(energies) // 5 :] for energies in (ours, theirs))
    interval = mean_difference(
        a, b, clusters=memory_clusters([a]), baseline_clusters=memory_clusters([b])
    )
    return interval.mean, interval.low, interval.high


def report(name: str, result: dict[str, Any]) -> None:
    """The numbers of one complex in words."""
    for sampler, row in result["samplers"].items():
        cost = row["cpu_seconds_per_independent_sample"]
        gains = ", ".join(
            f"{key} {cost[key]:.3g} s (MD's, as short, / {row['gain_over_short_md'][key]:.2g})"
            for key in cost
        )
        kept_share = "" if row["kept"] is None else f", {row['kept']:.0%} kept"
        print(f"{name}, {sampler}: {row['samples']} samples{kept_share}; CPU time of one: {gains}")
        print(
            f"  RMSF ratio {row['rmsf_ratio']:.2f}, torsions {row['torsion_divergence']:.3f} bits, "
            "energy less MD's {:.0f} ({:.0f} to {:.0f}) kJ/mol".format(*row["energy_less_md"])
        )


def parser() -> argparse.ArgumentParser:
    """Options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, help="RUNS/NAME/complex")
    bundled = bundled_models()["neuralmd-ou"]
    parser.add_argument("--model", type=Path, default=bundled, help="NeuralMD-OU")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--md-rounds", type=int, help="fewer of MD, whose memory is its 3 ns'")
    parser.add_argument("--samplers", nargs="+", choices=ROUND, default=list(ROUND))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/independent/work"))
    parser.add_argument("--json", type=Path, help="result file")
    return parser


def main() -> None:
    """Sample, print and write."""
    options = parser()
    arguments = options.parse_args()
    if MD not in arguments.samplers:
        options.error(f"--samplers: {MD} is what the others are compared with")
    torch.set_num_threads(1)
    complexes = {f.resolve().parent.name: measure(f, arguments) for f in arguments.folders}
    result = {
        "what": "CPU time of an independent sample, samplers in turn on one thread, mode pocket",
        "model": arguments.model.name,
        "rounds": arguments.rounds,
        "samples_of_a_round": {name: ROUND[name] for name in arguments.samplers},
        "complexes": complexes,
    }
    save("independent", result, arguments.json)
    for name, measured in complexes.items():
        report(name, measured)


if __name__ == "__main__":
    main()
