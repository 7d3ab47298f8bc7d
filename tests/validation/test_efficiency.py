"""Chains of HMC and MD on a System whose mean energy is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openmm
import pytest
from rdkit import Chem

import independent
from efficiency import (
    BURN_IN,
    Chain,
    efficiency,
    energy_difference,
    hmc_chain,
    md_chain,
)
from jumps import snapshots_for
from openmm_neuralmd.hybrid.hmc import NeuralMDHMCMove
from openmm_neuralmd.hybrid.jumped import Jump
from openmm_neuralmd.hybrid.sdf import pose_blocks, read_poses
from openmm_neuralmd.hybrid.settings import HybridSettings
from openmm_neuralmd.units import BOLTZMANN

ATOMS = 4
KT = BOLTZMANN * 300.0
TYK2 = Path(__file__).parents[2] / "validation" / "reference_sets" / "rigid" / "tyk2"


def well(stiffness: float) -> openmm.CustomExternalForce:
    force = openmm.CustomExternalForce(f"{stiffness}*(x^2+y^2+z^2)/2")
    for atom in range(ATOMS):
        force.addParticle(atom, [])
    return force


def system() -> openmm.System:
    """Four atoms in a harmonic well, and one that stands still."""
    made = openmm.System()
    for mass in (*[12.0] * ATOMS, 0.0):
        made.addParticle(mass)
    made.addForce(well(1000.0))
    return made


START = np.full((ATOMS + 1, 3), 0.05)
MEAN = 1.5 * ATOMS * KT
"""Of the potential energy, by equipartition."""


def hmc(stiffness: float, seed: int) -> Chain:
    move = NeuralMDHMCMove(well(stiffness), range(ATOMS), n_steps=10, timestep=0.02, seed=seed)
    return hmc_chain(system(), START, move, 500)


def test_hmc_and_md_have_the_mean_energy_that_is_known() -> None:
    told: list[tuple[int, str]] = []
    md = [
        md_chain(
            system(),
            START,
            range(ATOMS),
            picoseconds=100.0,
            timestep_fs=20.0,
            interval_ps=0.1,
            friction=5.0,
            seed=seed,
            advance=lambda n, note: told.append((n, note)),
        )
        for seed in (1, 2)
    ]
    assert len(told) == 2000 and md[0].x.shape == (1000, ATOMS, 3) and np.isnan(md[0].accepted)
    wrong = [hmc(700.0, seed) for seed in (1, 2)]  # a force that is wrong, and no matter
    found = efficiency(wrong)
    assert 0.3 < found.accepted < 1.0 and found.samples == 2 * 450
    energy = found.energy
    width = energy.high - energy.low
    assert energy.low - width / 2 < MEAN < energy.high + width / 2
    assert width < 0.2 * MEAN  # so that it says something
    gap = energy_difference(wrong, md)
    assert gap.low - width / 2 < 0 < gap.high + width / 2
    exact = [hmc(1000.0, seed) for seed in (1, 2)]
    assert efficiency(exact).accepted > found.accepted
    # energies are those of the samples
    one = wrong[0]
    np.testing.assert_allclose(one.energies, 5.0 * np.square(one.x).sum((1, 2)), rtol=1e-4)


def test_the_burn_in_is_not_counted_and_a_stuck_chain_is_worth_nothing() -> None:
    random = np.random.default_rng(0)
    energies, x = random.normal(size=1000), random.normal(size=(1000, 2, 3))
    energies[: round(BURN_IN * 1000)] = 1e6
    chain = Chain(energies, x, 10.0, 0.5)
    found = efficiency([chain, chain])
    assert abs(found.energy.mean) < 0.2 and sum(found.seconds) == pytest.approx(18.0)
    assert found.samples_energy[0] == pytest.approx(100.0, rel=0.2)  # independent values a second
    stuck = Chain(np.ones(100), np.ones((100, 2, 3)), 1.0, 0.0)
    assert efficiency([stuck, stuck]).samples_energy == (0.0, 0.0)


def test_poses_are_written_with_their_fate_and_read_back(tmp_path: Path) -> None:
    ligand = Chem.MolFromMolFile(str(TYK2 / "ligand.sdf"), removeHs=False)
    own = np.array(ligand.GetConformer().GetPositions())
    atoms = np.arange(5, 5 + len(own))
    whole = np.zeros((60, 3))
    whole[atoms] = own / 10
    torn, lost = whole.copy(), whole.copy()
    torn[7], lost[9] = 2000.0, np.nan
    text = pose_blocks(ligand, atoms, Jump("jump", "", "", 1.0, whole, whole + 0.1, {}), 3)
    text += pose_blocks(ligand, atoms, Jump("fallback", "bonds", "", 1.0, torn, whole, {}), 4)
    text += pose_blocks(ligand, atoms, Jump("fallback", "failed", "", 1.0, lost, None, {}), 5)
    path = tmp_path / "jumps.sdf"
    path.write_text(text)
    found = list(read_poses(path))
    assert [(p.snapshot, p.stage, p.kind, p.reason) for p in found] == [
        (3, "raw", "jump", ""),
        (3, "relaxed", "jump", ""),
        (4, "relaxed", "fallback", "bonds"),
    ]
    np.testing.assert_allclose(found[1].x, own + 1.0, atol=1e-4)
    path.write_text("")
    assert list(read_poses(path)) == []


def test_a_run_with_so_many_jumps_has_so_many_snapshots() -> None:
    for before, jumps, strides, count in ((4, 1, 1, 50), (2, 3, 2, 7), (0, 2, 0, 4)):
        settings = HybridSettings(before=before, jumps=jumps, strides=strides)
        total = snapshots_for(settings, count)
        made = sum(settings.jumps_at(n) for n in range(1, total + 1))
        assert count <= made < count + jumps


def test_the_error_of_a_memory_is_that_between_chains() -> None:
    """Autoregressive chains: the error by leaving out blocks against the spread of many chains."""
    generator, rho, length = np.random.default_rng(5), 0.6, 600
    quadruples = np.zeros((0, 4), dtype=np.int64)

    def chain() -> np.ndarray:
        noise = generator.normal(size=(length, 12)) * np.sqrt(1 - rho**2)
        x = np.zeros((length, 12))
        for row in range(1, length):
            x[row] = rho * x[row - 1] + noise[row]
        return x

    logs, told = [], []
    for _ in range(40):
        x = chain()
        ligand, contacts = x.reshape(length, 4, 3), x[:, 0]
        logs.append(np.log(independent.times(ligand, contacts, quadruples)["coordinates"]))
        told.append(independent.errors(ligand, contacts, quadruples, 20)["coordinates"])
    assert np.mean(logs) == pytest.approx(np.log((1 + rho) / (1 - rho) / 2), abs=0.1)
    assert np.median(told) == pytest.approx(np.std(logs), rel=0.5)
