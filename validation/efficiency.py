"""Efficiency of samplers of a ligand per CPU time: chains of HMC and of MD on one System."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import openmm
from openmm import unit
from openmmtools import cache, states

from intervals import effective_samples, mean_difference, memory_clusters
from openmm_neuralmd.analysis.statistics import Interval, bootstrap_mean
from openmm_neuralmd.hybrid.contexts import kilojoules
from openmm_neuralmd.hybrid.hmc import NeuralMDHMCMove
from openmm_neuralmd.units import nanometers, to_angstrom

THREAD = {"Threads": "1"}
BURN_IN = 0.1
"""Share of a chain, from its beginning, that no figure is made of."""


class Chain(NamedTuple):
    """A chain of samples.

    Attributes
    ----------
    energies : (S,) float64
        Potential energy, kJ/mol.
    x : (S, n, 3) float64, Å
        The ligand.
    seconds : float
        CPU time of this process that the samples took, looking at them excepted.
    accepted : float
        Share of the proposals; nan where nothing is proposed.
    """

    energies: np.ndarray
    x: np.ndarray
    seconds: float
    accepted: float

    def settled(self) -> Chain:
        """Remove the burn-in and its share of the time."""
        first = round(BURN_IN * len(self.energies))
        share = (len(self.energies) - first) / len(self.energies)
        return self._replace(
            energies=self.energies[first:], x=self.x[first:], seconds=share * self.seconds
        )


def single_thread() -> openmm.Platform:
    """The CPU platform; with `THREAD` its CPU time is what the work costs."""
    return openmm.Platform.getPlatformByName("CPU")


def hmc_chain(
    system: openmm.System,
    positions: np.ndarray,
    move: NeuralMDHMCMove,
    proposals: int,
    temperature: float = 300.0,
    advance: Callable[[int, str], None] | None = None,
) -> Chain:
    """Proposals of a move, one sample after each, accepted or not.

    Parameters
    ----------
    system : System
        In which nothing but `move.atoms` can move: the move alone then samples its distribution.
    positions : (N, 3) float64, nm
    move : NeuralMDHMCMove
        The first proposal, which makes its Contexts, is not counted.
    proposals : int
    temperature : float
        K.
    advance : callable, optional
        Told about every proposal.
    """
    thermodynamic = states.ThermodynamicState(system, temperature * unit.kelvin)
    sampler = states.SamplerState(positions * unit.nanometer)
    shared = cache.ContextCache(single_thread(), dict(THREAD))
    move.apply(thermodynamic, sampler, shared)
    before, seconds, samples = move.n_accepted, 0.0, []
    for _ in range(proposals):
        began = time.process_time()
        move.apply(thermodynamic, sampler, shared)
        seconds += time.process_time() - began
        samples.append(nanometers(sampler.positions)[move.atoms])
        if advance is not None:
            advance(1, f"{move.fraction_accepted:.0%} accepted")
    accepted = (move.n_accepted - before) / proposals
    return _chain(system, positions, move.atoms, samples, (seconds, accepted))


def md_chain(
    system: openmm.System,
    positions: np.ndarray,
    atoms: Sequence[int],
    *,
    picoseconds: float,
    timestep_fs: float,
    interval_ps: float,
    temperature: float = 300.0,
    friction: float = 1.0,
    seed: int = 1,
    advance: Callable[[int, str], None] | None = None,
) -> Chain:
    """Langevin MD (the middle integrator) of the same System, a sample every `interval_ps`.

    Parameters
    ----------
    picoseconds, timestep_fs, interval_ps : float
    temperature, friction : float
        K, 1/ps.
    seed : int
        Of velocities and thermostat.
    """
    integrator = openmm.LangevinMiddleIntegrator(temperature, friction, timestep_fs / 1000)
    integrator.setRandomNumberSeed(seed)
    context = openmm.Context(system, integrator, single_thread(), dict(THREAD))
    context.setPositions(positions * unit.nanometer)
    context.applyConstraints(1e-6)
    context.setVelocitiesToTemperature(temperature, seed)
    every = max(1, round(1000 * interval_ps / timestep_fs))
    seconds, samples = 0.0, []
    for _ in range(round(picoseconds / interval_ps)):
        began = time.process_time()
        integrator.step(every)
        seconds += time.process_time() - began
        now = context.getState(positions=True).getPositions(asNumpy=True)
        samples.append(nanometers(now)[list(atoms)])
        if advance is not None:
            advance(1, "")
    return _chain(system, positions, atoms, samples, (seconds, float("nan")))


def _chain(
    system: openmm.System,
    positions: np.ndarray,
    atoms: Sequence[int],
    samples: list[np.ndarray],
    told: tuple[float, float],
) -> Chain:
    """Make a chain of samples (n, 3) in nm with their energies, all other atoms in place."""
    integrator = openmm.VerletIntegrator(0.001)
    context = openmm.Context(system, integrator, single_thread(), dict(THREAD))
    whole, energies = np.array(positions), []
    for sample in samples:
        whole[list(atoms)] = sample
        context.setPositions(whole * unit.nanometer)
        energies.append(kilojoules(context.getState(energy=True).getPotentialEnergy()))
    return Chain(np.array(energies), to_angstrom(np.array(samples)), *told)


class Efficiency(NamedTuple):
    """Efficiency of a sampler, from several chains.

    Attributes
    ----------
    energy : Interval
        Mean potential energy, kJ/mol; bootstrap over blocks of the chains.
    samples_energy, samples_coordinates : tuple of float
        Effective samples per CPU second of each chain, by the memory of its energy and by the mean
        memory of its coordinates.
    accepted : float
    seconds : tuple of float
        CPU time of each chain.
    samples : int
    """

    energy: Interval
    samples_energy: tuple[float, ...]
    samples_coordinates: tuple[float, ...]
    accepted: float
    seconds: tuple[float, ...]
    samples: int


def efficiency(chains: Sequence[Chain]) -> Efficiency:
    """Averages and effective samples of chains of one sampler, without their burn-in."""
    settled = [chain.settled() for chain in chains]
    energies = [chain.energies for chain in settled]
    mean = bootstrap_mean(np.concatenate(energies), clusters=memory_clusters(energies))
    return Efficiency(
        energy=mean,
        samples_energy=tuple(_worth(c.energies) / c.seconds for c in settled),
        samples_coordinates=tuple(_worth(c.x.reshape(len(c.x), -1)) / c.seconds for c in settled),
        accepted=float(np.mean([chain.accepted for chain in settled])),
        seconds=tuple(chain.seconds for chain in settled),
        samples=sum(map(len, energies)),
    )


def _worth(series: np.ndarray) -> float:
    """Effective samples; none in a chain that never moved."""
    return effective_samples(series) if np.ptp(series, axis=0).any() else 0.0


def energy_difference(chains: Sequence[Chain], truth: Sequence[Chain]) -> Interval:
    """Mean energy of one sampler less that of another, with its 95 % interval, kJ/mol."""
    ours, theirs = ([c.settled().energies for c in side] for side in (chains, truth))
    return mean_difference(
        np.concatenate(ours),
        np.concatenate(theirs),
        clusters=memory_clusters(ours),
        baseline_clusters=memory_clusters(theirs),
    )
