"""Many futures at once: each is the same whatever else is in its batch, and memory is bounded."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import mdtraj
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from mm_models import make_known, make_model
from openmm_neuralmd.bindingnet import complex_tensors
from openmm_neuralmd.cli import app
from openmm_neuralmd.dynamics import contract
from openmm_neuralmd.errors import InputError, SimulationError
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import Model, load_model
from openmm_neuralmd.prediction.pose import posed, read_protein
from openmm_neuralmd.prepare.chemistry import read_ligand
from openmm_neuralmd.rollouts import rollout, stream
from openmm_neuralmd.simulation import replicas as module
from openmm_neuralmd.simulation.replicas import replica_file, simulate_replicas
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.structure.hydrogens import full_positions
from openmm_neuralmd.trajectory.dcd import read_dcd_header

Case = tuple[Model, Complex, np.ndarray | None]


@pytest.fixture(scope="module")
def ensemble() -> Case:
    protein, ligand = predict_example()
    complex = posed(read_protein(protein), read_ligand(ligand), "mcl1")
    return load_model("neuralmd-ou").at_interval(3.0), complex, None


@pytest.fixture(params=["sde", "ou"])
def case(request: pytest.FixtureRequest, t4l: Complex) -> Case:
    if request.param == "ou":
        return request.getfixturevalue("ensemble")
    return make_model(kind="neuralmd-sde"), t4l, make_known(t4l, 6)


def futures(case: Case, parts: list[int], replicas: list[int], seed: int = 3) -> np.ndarray:
    return np.concatenate(list(stream(*case, parts, replicas, seed=seed)), axis=1)


def test_a_replica_does_not_depend_on_its_batch_or_on_the_parts(case: Case) -> None:
    whole = rollout(*case, 5, replicas=6, seed=3)
    assert whole.shape[:2] == (6, 5)
    np.testing.assert_allclose(futures(case, [5], list(range(6))), whole, atol=1e-9)
    np.testing.assert_allclose(futures(case, [2, 2, 1], [4, 1]), whole[[4, 1]], atol=1e-6)
    np.testing.assert_allclose(futures(case, [5], [5]), whole[5:], atol=1e-6)
    for other in (futures(case, [5], [0], seed=4), whole[1:2]):
        assert np.abs(other - whole[:1]).max() > 1e-3


def test_groups_of_replicas_change_nothing(t4l: Complex, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cache of no bytes every replica advances alone."""
    model, complex, known = make_model(kind="neuralmd-sde"), t4l, make_known(t4l, 6)
    together = rollout(model, complex, known, 3, replicas=5, seed=4)
    assert model.dynamics._together(complex_tensors(complex)) >= 5
    monkeypatch.setattr(contract, "CACHE", 0)
    assert model.dynamics._together(complex_tensors(complex)) == 1
    alone = rollout(model, complex, known, 3, replicas=5, seed=4)
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_each_has_a_file_and_an_interrupted_run_goes_on(case: Case, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def interrupt(done: int, _: str) -> None:
        interrupt.count += done  # type: ignore[attr-defined]
        if interrupt.count == 9:  # type: ignore[attr-defined]
            raise Stop

    interrupt.count = 0  # type: ignore[attr-defined]
    options = {"seed": 3, "batch": 2, "pocket_limit": None}
    output = tmp_path / "futures"
    with pytest.raises(Stop):
        simulate_replicas(*case, 3, output, 5, progress=interrupt, **options)
    assert not output.exists()
    assert simulate_replicas(*case, 3, output, 5, **options) == output
    record = yaml.safe_load((output / "run.yaml").read_text())
    assert (record["resumed_from"], record["replicas"], record["snapshots"]) == (2, 5, 3)
    complex = case[0].fitted(case[1])
    expected = rollout(*case, 3, replicas=5, seed=3)
    for replica, ligand in enumerate(expected):
        file = output / replica_file(replica)
        stored = mdtraj.load(str(file), top=str(output / "topology.pdb"))
        np.testing.assert_allclose(stored.xyz, full_positions(complex, ligand), atol=2e-5)
    with pytest.raises(InputError, match="exists"):
        simulate_replicas(*case, 3, output, 5, **options)


def test_memory_does_not_grow_with_the_length(ensemble: Case, tmp_path: Path) -> None:
    peaks = []
    simulate_replicas(*ensemble, 1, tmp_path / "first", 1, pocket_limit=None)  # caches
    for snapshots in (32, 128):
        tracemalloc.start()
        output = tmp_path / str(snapshots)
        simulate_replicas(*ensemble, snapshots, output, 2, pocket_limit=None)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


FAILING = {"seed": 2, "batch": 3, "pocket_limit": 0.3525}
"""A pocket that ends within the ligand's own motion, so that some replicas fail."""


@pytest.fixture(scope="module")
def leaving(t4l: Complex) -> Case:
    return make_model(kind="neuralmd-sde"), t4l, make_known(t4l, 8)


@pytest.mark.filterwarnings("ignore::openmm_neuralmd.simulation.restarts.RestartWarning")
def test_a_replica_that_fails_begins_again_by_itself(leaving: Case, tmp_path: Path) -> None:
    def run(name: str, **options: object) -> list[dict]:
        again = {"on_failure": "restart", **FAILING, **options}
        folder = simulate_replicas(*leaving, 3, tmp_path / name, 5, **again)
        return yaml.safe_load((folder / "run.yaml").read_text())["restarts"]

    restarts = run("whole")
    latest = {one["replica"]: one["seed"] for one in restarts}
    numbers = [one["replica"] for one in restarts]
    assert 0 < len(latest) < 5 and len(numbers) > len(latest)  # some, and one of them repeatedly
    for one in restarts:
        assert one["after"] == 0 and f"replica {one['replica']}, snapshot" in one["reason"]
    topology = str(tmp_path / "whole" / "topology.pdb")
    for replica in range(5):
        seed = latest.get(replica + 1, FAILING["seed"])
        expected = rollout(*leaving, 3, replicas=5, seed=seed)[replica]
        stored = mdtraj.load(str(tmp_path / "whole" / replica_file(replica)), top=topology).xyz
        np.testing.assert_allclose(stored, full_positions(leaving[1], expected), atol=2e-5)
    assert sorted(map(str, run("alone", batch=1))) == sorted(map(str, restarts))

    heard = 0

    def interrupt(done: int, _: str) -> None:
        nonlocal heard
        heard += done
        if heard == 14:  # in the second batch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run("cut", progress=interrupt)
    assert run("cut") == restarts
    for replica in range(5):
        whole, cut = (tmp_path / name / replica_file(replica) for name in ("whole", "cut"))
        assert whole.read_bytes()[276:] == cut.read_bytes()[276:]  # the header has the date


@pytest.mark.filterwarnings("ignore::openmm_neuralmd.simulation.restarts.RestartWarning")
def test_restarts_of_replicas_are_bounded_and_need_noise(leaving: Case, tmp_path: Path) -> None:
    never = {"on_failure": "restart", "pocket_limit": 0.01}
    with pytest.raises(SimulationError, match=r"replica 1, .*after 10 restarts; .*replica-0001"):
        simulate_replicas(*leaving, 1, tmp_path / "a", 2, **never)
    with pytest.raises(SimulationError, match=r"replica \d, .*pocket: .*; the snapshots before"):
        simulate_replicas(*leaving, 3, tmp_path / "b", 5, **FAILING)
    with pytest.raises(InputError, match="has no noise: begun again, it fails again"):
        ode = (make_model(), *leaving[1:])
        simulate_replicas(*ode, 1, tmp_path / "c", 2, **never)
    assert not list(tmp_path.glob("*c*")), "nothing is begun"


def test_a_coordinate_that_is_not_a_number_is_a_failure(
    leaving: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, complex, known = leaving

    def lost(good: int) -> Callable[..., Iterator[np.ndarray]]:
        part = np.repeat(known[None, -1:], 3, axis=1)
        part[:, good:] = np.nan
        return lambda *_, **__: iter([part])

    for good in (0, 2):
        monkeypatch.setattr(module, "stream", lost(good))
        what = rf"replica 1, snapshot {good + 1}: a coordinate is not a number; .*kept in (.*)"
        with pytest.raises(SimulationError, match=what) as error:
            simulate_replicas(model, complex, known, 3, tmp_path / "a", 1)
        kept = Path(str(error.value).rpartition(" ")[2])
        assert read_dcd_header(kept).complete == good if good else kept.stat().st_size == 276


def test_a_ligand_that_leaves_is_an_error_with_its_replica(ensemble: Case, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="replica 1, snapshot 1: the ligand left the pocket"):
        simulate_replicas(*ensemble, 2, tmp_path / "a", 2, pocket_limit=0.01)
    with pytest.raises(InputError, match="0 replicas of 2 snapshots were asked for"):
        simulate_replicas(*ensemble, 2, tmp_path / "b", 0)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 2)
    words = ["simulate", "gpcr-ergotamine-sde", "--example", "gpcr-ergotamine", "--snapshots", "2"]
    words += ["--start", "60", "--replicas", "3"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "futures"), "--seed", "1"])
    assert done.exit_code == 0, done.output
    names = sorted(path.name for path in (tmp_path / "futures").iterdir())
    assert names == [*map(replica_file, range(3)), "run.yaml", "topology.pdb"]
    for wrong, words_more in {
        "leave .dcd out": ["-o", str(tmp_path / "a.dcd")],
        "leave --platform": ["-o", str(tmp_path / "b"), "--platform", "CPU"],
    }.items():
        done = CliRunner().invoke(app, [*words, *words_more])
        assert done.exit_code == 2 and wrong in " ".join(done.output.split())
