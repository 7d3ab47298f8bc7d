"""`predict`: files that other programs read, figures that agree, errors of one line."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import mdtraj
import numpy as np
import pytest
from rdkit import Chem
from typer.testing import CliRunner

from openmm_neuralmd import NeuralMDForce
from openmm_neuralmd.cli import app
from openmm_neuralmd.dynamics.ou import NeuralOU
from openmm_neuralmd.errors import InputError, ModelError
from openmm_neuralmd.model import load_model, read_card
from openmm_neuralmd.prediction import LigandPrediction, predict
from openmm_neuralmd.prediction.domain import unlike
from openmm_neuralmd.prediction.ensemble import scaled
from openmm_neuralmd.prediction.outputs import write
from openmm_neuralmd.prediction.ranking import Summary, folder_names, ranked
from openmm_neuralmd.prediction.run import Request
from openmm_neuralmd.prediction.stored import restore, store
from openmm_neuralmd.training import ou_files
from openmm_neuralmd.training.ou_domain import descriptors, ranges
from openmm_neuralmd.trajectory.snapshots import Snapshots
from posed_ligands import LIGAND, PROTEIN, write_poses


@pytest.fixture(scope="module")
def one(model: Path) -> LigandPrediction:
    (found,) = predict(PROTEIN, LIGAND, model=model, time=20.0)
    return found


@pytest.fixture(scope="module")
def folder(one: LigandPrediction, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write([one], tmp_path_factory.mktemp("out") / "prediction")


def test_the_trajectory_is_read_by_other_programs_and_its_molecules_are_whole(
    folder: Path, one: LigandPrediction
) -> None:
    trajectory = mdtraj.load(str(folder / "trajectory.dcd"), top=str(folder / "topology.pdb"))
    assert trajectory.n_frames == 20
    ligand = one.complex.ligand
    heavy = 10 * trajectory.xyz[:, one.complex.ligand_heavy]
    np.testing.assert_allclose(heavy, one.snapshots, atol=2e-3)
    bonds = ligand[one.complex.ligand_bonds]
    given = 10 * np.linalg.norm(
        one.complex.positions[bonds[:, 0]] - one.complex.positions[bonds[:, 1]], axis=1
    )
    lengths = 10 * np.linalg.norm(
        trajectory.xyz[:, bonds[:, 0]] - trajectory.xyz[:, bonds[:, 1]], axis=2
    )
    assert np.abs(lengths / given - 1).max() < 0.15
    assert one.pocket is not None
    around = 10 * trajectory.xyz[:, one.pocket.atoms]
    np.testing.assert_allclose(around, one.pocket.snapshots, atol=2e-3)
    still = np.setdiff1d(np.arange(trajectory.n_atoms), [*ligand, *one.pocket.atoms])
    assert len(still) and np.ptp(trajectory.xyz[:, still], axis=0).max() == 0.0
    assert heavy.std(axis=0).mean() > 0.05, "the ligand moves"
    assert around.std(axis=0).mean() > 0.05, "the pocket moves"


def test_a_model_without_side_chains_has_the_pocket_stand(model: Path, tmp_path: Path) -> None:
    network = ou_files.load(model)
    settings = network.settings.model_copy(update={"side_chains": None})
    bare = NeuralOU(settings)
    bare.load_state_dict({k: network.state_dict()[k] for k in bare.state_dict()})
    card = read_card(model).model_copy(update={"settings": settings.model_dump(mode="json")})
    path = tmp_path / "bare.safetensors"
    ou_files.save(path, bare, card)
    (one,) = predict(PROTEIN, LIGAND, model=path, time=3.0)
    assert one.pocket is None
    out = write([one], tmp_path / "prediction")
    trajectory = mdtraj.load(str(out / "trajectory.dcd"), top=str(out / "topology.pdb"))
    still = np.setdiff1d(np.arange(trajectory.n_atoms), one.complex.ligand)
    assert np.ptp(trajectory.xyz[:, still], axis=0).max() == 0.0
    assert not (out / "pocket.csv").exists()
    assert json.loads((out / "prediction.json").read_text())["ligands"][0]["pocket"] == []
    path = tmp_path / "one.npz"
    store(one, path)
    ligand = Request.of(PROTEIN, LIGAND, model=model).ligand(0)
    assert restore(path, one.complex, ligand).pocket is None


def test_the_residues_around_are_tabled(folder: Path, one: LigandPrediction) -> None:
    pocket = one.pocket
    assert pocket is not None
    with (folder / "pocket.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["residue"], row["atom"]) for row in rows] == list(
        zip(pocket.residues, pocket.names)
    )
    assert [float(row["rmsf"]) for row in rows] == pytest.approx(pocket.rmsf, abs=1e-4)
    side = pocket.side_chains()
    assert [one.rmsf for one in side] == sorted((one.rmsf for one in side), reverse=True)
    first = side[0]
    own = [
        float(row["rmsf"])
        for row in rows
        if row["residue"] == first.residue and row["atom"] not in ("N", "CA", "C", "O")
    ]
    assert first.rmsf == pytest.approx(np.mean(own), abs=1e-4)
    assert first.low < first.rmsf < first.high
    page = (folder / "report.html").read_text()
    assert "Side chain" in page and first.residue in page


def test_b_factors_and_tables_are_the_rmsf(folder: Path, one: LigandPrediction) -> None:
    value = dict(zip(one.atom_names, one.rmsf))
    assert one.pocket is not None
    around = dict(zip(zip(one.pocket.residues, one.pocket.names), one.pocket.rmsf))
    factors = {}
    for line in (folder / "topology.pdb").read_text().splitlines():
        if line.startswith(("ATOM", "HETATM")):
            name, factor = line[12:16].strip(), float(line[60:66])
            if line[17:20].strip() == "LIG":
                factors[name] = factor
            else:
                label = f"{line[17:20].strip()} {line[21]}:{line[22:26].strip()}"
                assert factor == pytest.approx(around.get((label, name), 0.0), abs=0.006)
    for name, rmsf in value.items():
        assert factors[name] == pytest.approx(rmsf, abs=0.006)
    with (folder / "rmsf.csv").open() as file:
        rows = {row["atom"]: float(row["rmsf"]) for row in csv.DictReader(file)}
    assert rows == pytest.approx(value, abs=1e-4)
    record = json.loads((folder / "prediction.json").read_text())
    assert record["ligands"][0]["rmsf_angstrom"] == pytest.approx(one.rmsf, abs=1e-4)


def test_intervals_hold_their_figures(one: LigandPrediction) -> None:
    assert (one.rmsf_low < one.rmsf).all() and (one.rmsf < one.rmsf_high).all()
    assert 0 <= one.stays_low <= one.stays <= one.stays_high <= 1
    assert all(0 <= c.low <= c.occupancy <= c.high <= 1 for c in one.contacts)
    assert all(sum(t.wells) == pytest.approx(1) for t in one.torsions)
    occupancies = [c.occupancy for c in one.contacts]
    assert occupancies == sorted(occupancies, reverse=True)


def test_scaled_snapshots_have_the_same_mean_and_a_wider_spread() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4, 3))
    wider = scaled(x, 2.0)
    np.testing.assert_allclose(wider.mean(0), x.mean(0), atol=1e-12)
    np.testing.assert_allclose(wider.std(0), 2 * x.std(0))


def test_the_same_seed_gives_the_same_bytes(model: Path, tmp_path: Path) -> None:
    files = ("topology.pdb", "report.html", "ranking.csv", "rmsf.svg", "rmsf.png")
    runs = []
    for name in ("a", "b"):
        found = predict(PROTEIN, LIGAND, model=model, time=5.0, seed=7)
        runs.append(write(found, tmp_path / name))
    for file in files:
        assert (runs[0] / file).read_bytes() == (runs[1] / file).read_bytes(), file
    one, other = ((run / "trajectory.dcd").read_bytes() for run in runs)
    header = 4 + 84 + 4 + 4 + 164 + 4  # its title has the date, as OpenMM writes it
    assert one[header:] == other[header:]


def test_every_molecule_is_predicted_and_ranked(model: Path, tmp_path: Path) -> None:
    sdf = write_poses(tmp_path / "two.sdf", {"given": 0.0, "a/b: moved": 0.3})
    found = predict(PROTEIN, sdf, model=model, time=2.0)
    assert [one.name for one in found] == ["given", "a/b: moved"]
    folder = write(found, tmp_path / "out")
    order = ranked(Summary.of(k, one) for k, one in enumerate(found))
    assert {p.name for p in folder.iterdir() if p.is_dir()} == set(folder_names(order))
    with (folder / "ranking.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == [one.name for one in order]
    page = (folder / "report.html").read_text()
    assert "a/b: moved" in page
    assert not re.search(r"(src|href)=.?https?:", page), "it fetches nothing"


def test_the_command(model: Path, tmp_path: Path) -> None:
    words = ["predict", str(PROTEIN), str(LIGAND), "--model", str(model), "--time", "2ps"]
    output = tmp_path / "p"
    done = CliRunner().invoke(app, [*words, "-o", str(output)])
    assert done.exit_code == 0, done.output
    assert "1. mcl1_lig_43: stays within 2 Å" in done.output
    again = CliRunner().invoke(app, [*words, "-o", str(output)])
    assert again.exit_code == 1 and "exists; choose another name" in again.output
    before = (output / "trajectory.dcd").read_bytes()
    anew = CliRunner().invoke(app, [*words, "-o", str(output), "--restart"])
    assert anew.exit_code == 0, anew.output
    assert (tmp_path / "p.previous-1" / "p" / "trajectory.dcd").read_bytes() == before


def test_a_broken_write_leaves_nothing_under_the_final_name(
    one: LigandPrediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("openmm_neuralmd.prediction.outputs.render", broken)
    with pytest.raises(OSError, match="No space left"):
        write([one], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert (write([one], tmp_path / "out") / "report.html").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": -1.0}, "is no trajectory"),
        ({"time": 1e300}, "is no trajectory"),
        ({"interval": float("nan")}, "is no trajectory"),
        ({"molecule": "other"}, "no molecule 'other'"),
        ({"ligand": "missing.sdf"}, "no such file: missing.sdf"),
    ],
)
def test_bad_input_is_one_line(change: dict, message: str, model: Path) -> None:
    arguments = {"protein": PROTEIN, "ligand": LIGAND, "model": model, **change}
    with pytest.raises(InputError, match=message) as error:
        predict(arguments.pop("protein"), arguments.pop("ligand"), **arguments)
    assert "\n" not in str(error.value)


def test_a_pose_far_from_the_protein_is_refused(model: Path, tmp_path: Path) -> None:
    molecule = Chem.MolFromMolFile(str(LIGAND), removeHs=False)
    conformer = molecule.GetConformer()
    conformer.SetPositions(conformer.GetPositions() + 100.0)
    Chem.MolToMolFile(molecule, str(tmp_path / "far.sdf"))
    with pytest.raises(InputError, match="Å from the protein: give a pose"):
        predict(PROTEIN, tmp_path / "far.sdf", model=model)


def test_a_model_of_another_kind_is_refused() -> None:
    with pytest.raises(ModelError, match="not 'neuralmd-ou'"):
        predict(PROTEIN, LIGAND, model="gpcr-ergotamine")


def test_what_is_unlike_the_training_set_is_said(model: Path) -> None:
    from openmm_neuralmd.model import read_card

    card = read_card(model)
    like = {"heavy_atoms": 20.0, "rotatable_bonds": 3.0} | {
        "contacts_per_atom": 9.0,
        "nearest_contact": 3.0,
    }
    card = card.model_copy(update={"training": {"ranges": ranges([like, like])}})
    assert unlike(card, [6, 7], ["ALA"], like) == []
    reasons = unlike(card, [6, 9], ["ALA"], {**like, "heavy_atoms": 80.0})
    assert reasons[0] == "The training set has no ligand with F."
    assert reasons[1].startswith("80 heavy atoms; the training set has 20 to 20")
    assert set(like) == set(descriptors_of_example())


def descriptors_of_example() -> dict[str, float]:
    from openmm_neuralmd.bindingnet.chemistry import ligand_chemistry
    from openmm_neuralmd.bindingnet.pocket import pocket_atoms
    from openmm_neuralmd.prediction.pose import read_protein

    molecule = Chem.MolFromMolFile(str(LIGAND), removeHs=False)
    chemistry = ligand_chemistry(molecule)
    pose = molecule.GetConformer().GetPositions()[chemistry.atoms]
    protein = read_protein(PROTEIN)
    return descriptors(
        chemistry, pose, pocket_atoms(protein.topology, 10 * protein.positions, pose)
    )


def test_it_offers_no_learned_force(gpcr: Snapshots) -> None:
    with pytest.raises(ModelError, match=r"offers OpenMM no force; it moves a ligand by create_"):
        NeuralMDForce(load_model("neuralmd-ou"), gpcr.complex)


def test_the_bundled_model_knows_no_test_target() -> None:
    card = load_model("neuralmd-ou").card
    held_out = {"chk1", "hsp90", "mcl1", "p38", "ptp1b", "thrombin", "tyk2", "taf12"}
    assert not held_out & set(card.training["targets"])
    (one,) = predict(PROTEIN, LIGAND, time=2.0)
    assert 0.2 < one.rmsf.mean() < 1.5
