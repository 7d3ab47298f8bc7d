"""A model beside the naive baselines: what is written, and that nothing reads the future."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import AllChem
from typer.testing import CliRunner, Result

from dynamics_cases import SMALL
from openmm_neuralmd.analysis.ensemble import ensemble_table
from openmm_neuralmd.analysis.evaluation import HALVES, NO_CHEMISTRY, Chemistry
from openmm_neuralmd.analysis.interactions import occupancies
from openmm_neuralmd.analysis.markdown import metric_table
from openmm_neuralmd.analysis.metrics import METRICS, Metric, error_columns
from openmm_neuralmd.assessment.chemistry import find_chemistry
from openmm_neuralmd.assessment.contestants import ABLATED, ALONE, MEAN, without_network
from openmm_neuralmd.assessment.run import assess_all, assessment_steps
from openmm_neuralmd.assessment.stretch import Stretch, assess, steps
from openmm_neuralmd.cli import app
from openmm_neuralmd.dynamics.naive import NAIVE
from openmm_neuralmd.dynamics.registry import LEARNED
from openmm_neuralmd.errors import ModelError
from openmm_neuralmd.examples import example_complex, example_sdf, example_trajectory
from openmm_neuralmd.model import Model, ModelCard, load_model
from openmm_neuralmd.report.names import title
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.trajectory.snapshots import Snapshots, read_snapshots
from openmm_neuralmd.utils.files import sha256
from reference_sets import TYK2


def model(kind: str, snapshots: Snapshots, data: list[dict] | None = None) -> Model:
    torch.manual_seed(0)
    content = {"network": SMALL.model_dump(exclude={"head"})}
    settings = LEARNED[kind].settings_class.model_validate(content)
    card = ModelCard(
        name="small",
        kind=kind,
        settings=settings.model_dump(mode="json"),
        interval_ps=snapshots.interval_ps,
        elements=[6, 7, 8, 9, 17],
        residue_types=list(range(21)),
        data=data or [],
    )
    return Model(LEARNED[kind](settings).eval(), card)


@pytest.mark.parametrize("kind", [None, "neuralmd-ode", "neuralmd-sde"])
def test_no_assessment_reads_the_future(gpcr: Snapshots, kind: str | None) -> None:
    """Another future changes the errors of a forecast, but not what it was."""
    stretch = Stretch(gpcr[:60], range(40, 60), ahead=5, every=10)
    assessed = None if kind is None else model(kind, gpcr)
    ligand = gpcr.ligand[:60].copy()
    ligand[50:] += 3.0  # the second origin's own future
    other = replace(stretch, snapshots=replace(gpcr[:60], ligand=ligand))
    told: list[str] = []
    here, there = (
        assess(s, assessed, lambda n, note: told.append(note))[0] for s in (stretch, other)
    )
    assert len(told) == 2 * steps(stretch, assessed)
    for name, rows in here.items():
        assert len(rows) == 2
        assert rows[0] == pytest.approx(there[name][0], nan_ok=True)
        assert there[name][1]["rmse"] > rows[1]["rmse"] + 1.0


def test_what_draws_noise_has_ensembles_beside_the_halves_of_the_truth(gpcr: Snapshots) -> None:
    stretch = Stretch(gpcr[:60], range(40, 60), ahead=5, every=10)
    naive, learned = assess(stretch), assess(stretch, model("neuralmd-sde", gpcr))
    assert set(naive[0]) == set(NAIVE) and set(naive[1]) == {"ar1", "replay", HALVES}
    assert set(learned[0]) == {"neuralmd-sde", "neuralmd-sde" + MEAN}
    assert set(learned[1]) == {"neuralmd-sde"}
    replayed = naive[1]["replay"][0]
    assert replayed["valid"] == 100.0 and replayed["torsion_divergence"] < 0.3


def test_poses_and_interactions_of_a_reference_set() -> None:
    complex = Complex.from_files(TYK2 / "topology.pdb", sdf=TYK2 / "ligand.sdf")
    snapshots = read_snapshots(TYK2 / "trajectory.xtc", complex, stride=25)
    chemistry = find_chemistry(TYK2 / "ligand.sdf", snapshots)
    assert isinstance(chemistry, Chemistry)
    _, ensembles = assess(Stretch(snapshots, range(60, 120), 20, 40, chemistry))
    truth, noise = ensembles[HALVES][0], ensembles["ar1"][0]
    assert truth["posebusters"] > 90.0 and truth["interaction_recovery"] > 70.0
    assert noise["posebusters"] < 20.0  # independent noise tears bonds
    assert find_chemistry(None, snapshots) == NO_CHEMISTRY


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["validate", *map(str, words)])


@pytest.mark.timeout(900)  # PoseBusters: 20 s for each ensemble on a busy core
def test_the_command_writes_report_card_and_numbers(gpcr: Snapshots, tmp_path: Path) -> None:
    file = tmp_path / "sde.safetensors"
    own = sha256(example_trajectory("gpcr-ergotamine"))
    learned = [{"name": "x", "sha256": own, "training_snapshots": [0, 210]}]
    model("neuralmd-sde", gpcr, learned).save(file)
    options = ["--example", "gpcr-ergotamine", "--ahead", 10, "--every", 20]
    options += [
        "--skip",
        "ablation",
        "--skip",
        "mechanics",
        "--skip",
        "speed",
        "-o",
        tmp_path / "out",
    ]
    result = call(file, *options)
    assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "out" / "validation.json").read_text())
    assert content["trajectory_seen_in_training"] is True
    assert content["origins"] == 2  # from 210 and 230 of 250
    assert list(content["trajectory"]) == ["file", "sha256"] and content["seed"] == 0
    card = json.loads((tmp_path / "out" / "validity.json").read_text())
    assert card["model"]["trained_on"] == learned
    assert card["verdict"]["headline"] in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "validation.md").read_text() in result.stdout
    rows = list(csv.DictReader((tmp_path / "out" / "validation.csv").open()))
    found = {row["metric"]: float(row["mean"]) for row in rows if row["method"] == "persistence"}
    assert found["rmse"] == pytest.approx(content["errors"]["persistence"]["rmse"][0])
    again = call(file, *options)
    assert again.exit_code == 1 and "exists; choose another name" in again.output
    assert "posebusters" in (tmp_path / "out" / "validation.csv").read_text()
    early = call(file, *options[:-1], tmp_path / "early", "--from", 200)
    assert "the model has learned from snapshots 0 to 209" in early.output
    late = call(file, *options[:-1], tmp_path / "late", "--from", 245)
    assert "no replica has 10 snapshots to forecast behind snapshot 245" in late.output


def test_a_metric_from_outside_is_entered_in_one_line(
    gpcr: Snapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = Metric(lambda truth, prediction: float(abs(truth - prediction).max()), "largest, Å", 1)
    monkeypatch.setitem(METRICS, "toy", toy)
    stretch = Stretch(gpcr[:60], range(40, 60), ahead=5, every=10)
    result = assess_all(model("neuralmd-ode", gpcr), [stretch], ablation=False).result
    lines = metric_table(result["errors"], error_columns()).splitlines()
    assert "largest, Å" in lines[0]
    assert result["errors"]["neuralmd-ode"]["toy"][0] > result["errors"]["neuralmd-ode"]["mae"][0]
    assert "toy" in result["differences"]["persistence"]


def test_the_model_without_its_network_stands_beside_it(gpcr: Snapshots) -> None:
    stretch = Stretch(gpcr[:60], range(40, 60), ahead=5, every=10)
    own = model("neuralmd-ode", gpcr)
    with torch.no_grad():  # a force that is large enough to see
        for parameter in own.dynamics.network.head.parameters():
            parameter.mul_(30.0)
    result = assess_all(own, [stretch]).result
    row, ablated = (result["errors"]["neuralmd-ode" + name]["mae"] for name in ("", ABLATED))
    assert row != pytest.approx(ablated, rel=1e-6)
    assert "neuralmd-ode" + ABLATED in result["differences"]
    assert {"neuralmd-ode", "neuralmd-ode" + ABLATED} <= set(result["ensembles"])
    again = without_network(without_network(own))
    assert all(not p.any() for p in again.dynamics.network.head.parameters())
    assert any(p.any() for p in own.dynamics.network.head.parameters())  # a copy was changed


def test_one_future_is_not_credited_with_the_spread_of_eight(gpcr: Snapshots) -> None:
    """Futures that stand still at different places fluctuate together, and not by themselves."""
    truth = gpcr.ligand[:20]
    still = truth[:1] + np.arange(8.0)[:, None, None]
    pooled = np.repeat(still, 20, axis=0) + 1e-3 * np.random.default_rng(0).normal(
        size=(160, *truth.shape[1:])
    )
    futures = [range(20 * k, 20 * k + 20) for k in range(8)]
    bonds = gpcr.complex.site_bonds
    row = ensemble_table(truth, pooled, bonds=bonds, predicted_segments=futures)
    assert row["rmsf_ratio"] > 1.0 and row["future_rmsf_ratio"] < 0.01


def test_chemistry_of_a_complex_with_hydrogens_and_of_one_without(
    gpcr: Snapshots, tmp_path: Path
) -> None:
    without = find_chemistry(example_sdf("gpcr-ergotamine"), gpcr)
    assert without.molecule is not None and without.protein is None
    assert "no hydrogens" in without.missing
    complex = example_complex("t4l-p-xylene")
    still = Snapshots(complex, 10 * complex.positions[complex.ligand_sites][None], 1.0)
    sdf = tmp_path / "p-xylene.sdf"
    molecule = Chem.AddHs(Chem.MolFromSmiles("Cc1ccc(C)cc1"))
    AllChem.EmbedMolecule(molecule, randomSeed=1)
    order = match_heavy(complex, molecule)
    Chem.MolToMolFile(Chem.RenumberAtoms(Chem.RemoveHs(molecule), order), str(sdf))
    chemistry = find_chemistry(sdf, still)  # no start.pdb.gz beside it
    assert chemistry.missing == "" and chemistry.protein is not None
    assert occupancies(chemistry.protein, chemistry.molecule, still.ligand)


def match_heavy(complex: Complex, molecule: Chem.Mol) -> list[int]:
    """Order of the molecule's heavy atoms by the bonds of the complex."""
    graph = Chem.RWMol()
    for z in complex.ligand_atomic_numbers[complex.sites].tolist():
        graph.AddAtom(Chem.Atom(z))
    for i, j in complex.site_bonds.tolist():
        graph.AddBond(i, j, Chem.BondType.SINGLE)
    heavy = Chem.RemoveHs(molecule)
    plain = Chem.RWMol(heavy)
    for bond in plain.GetBonds():
        bond.SetBondType(Chem.BondType.SINGLE)
        bond.SetIsAromatic(False)
    for atom in plain.GetAtoms():
        atom.SetIsAromatic(False)
        atom.SetNoImplicit(True)
    return list(plain.GetSubstructMatch(graph))


def test_a_short_forecast_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    short = call("gpcr-ergotamine", "--example", "gpcr-ergotamine", "--ahead", 3, "-o", tmp_path)
    assert short.exit_code == 2 and "windows of 5" in short.output
    wrong = call("gpcr-ergotamine", "--example", "gpcr-ergotamine", "--skip", "x", "-o", tmp_path)
    assert wrong.exit_code == 2 and "ablation, mechanics" in " ".join(wrong.output.split())


def test_a_table_of_metrics() -> None:
    rows = {"a": {"mae": [1.0, 0.5, 1.5], "rmse": [2.0]}, "b": {"mae": [3.0, 3.0, 3.0]}}
    lines = metric_table(
        rows, error_columns(), {"b": "B", "a": "A"}, {"a": {"mae": 0.25}}
    ).splitlines()
    assert lines[0] == "|  | MAE, Å | RMSE, Å |"
    assert lines[2] == "| B | 3.000 | – |"
    assert lines[3] == "| A | 1.000 (0.500 to 1.500) ± 0.250 | 2.00 |"


def test_a_one_structure_model_has_its_tables(gpcr: Snapshots) -> None:
    """Naive baselines, F = 0 and the forecast from the structure alone beside it."""
    own = load_model("neuralmd-ou").at_interval(gpcr.interval_ps)
    stretch = Stretch(gpcr[:60], range(40, 51), ahead=5, every=5)
    entered = assessment_steps(own, [stretch])
    counted: list[int] = []
    result = assess_all(own, [stretch], lambda units, note: counted.append(units)).result
    assert sum(counted) == entered
    names = set(result["errors"])
    rows = {"neuralmd-ou", "neuralmd-ou" + MEAN, "neuralmd-ou" + ALONE}
    assert rows | {name.replace("ou", "ou" + ABLATED, 1) for name in rows} <= names
    assert "persistence" in names and title("neuralmd-ou" + ALONE).startswith("NeuralMD-OU (")
    with pytest.raises(ModelError, match="no network that could be left out"):
        without_network(without_network(own))
