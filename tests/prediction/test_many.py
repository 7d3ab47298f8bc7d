"""Many ligands: resumed, in several processes, with some that cannot be predicted."""

from __future__ import annotations

import csv
import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem
from typer.testing import CliRunner

import openmm_neuralmd.prediction.outputs as outputs
from openmm_neuralmd.campaign.cluster_settings import ClusterSettings
from openmm_neuralmd.cli import app
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.prediction.many import predict_many
from openmm_neuralmd.prediction.run import Request
from openmm_neuralmd.prediction.stored import restore, store
from openmm_neuralmd.utils.resume import partial_folder
from posed_ligands import PROTEIN, write_poses

FAR = 200.0
DCD_HEADER = 4 + 84 + 4 + 4 + 164 + 4
"""Bytes before the first snapshot; the title holds the date."""


@pytest.fixture(scope="module")
def sdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("poses") / "poses.sdf"
    return write_poses(path, {"first": 0.0, "far": FAR, "third": 0.3, "fourth": -0.3})


@pytest.fixture(scope="module")
def whole(model: Path, sdf: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "prediction"
    predict_many(PROTEIN, sdf, output, model=model, time=3.0)
    return output


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder; of DCD files, what follows the header."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()[DCD_HEADER * (path.suffix == ".dcd") :]
        for path in files
    }


def test_one_that_cannot_be_predicted_is_listed_and_the_others_are_there(whole: Path) -> None:
    record = json.loads((whole / "prediction.json").read_text())
    assert len(record["ligands"]) == 3
    ((name, reason),) = record["failed"].items()
    assert name == "2. far" and "Å from the protein" in reason
    with (whole / "ranking.csv").open() as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert sorted(names) == ["first", "fourth", "third"]
    assert [entry["name"] for entry in record["ligands"]] == names
    for folder in record["folders"]:
        assert (whole / folder / "trajectory.dcd").is_file()
    assert "1 without a prediction" in (whole / "report.html").read_text()
    assert not partial_folder(whole).exists()


def test_an_interrupted_one_goes_on_and_ends_the_same(
    model: Path, sdf: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / whole.name
    tried: list[str] = []
    real = Request.predict

    def interrupted(self: Request, ligand: object) -> object:
        tried.append(ligand.name)
        if tried[-1] == "third" and tried.count("third") == 1:
            raise KeyboardInterrupt
        return real(self, ligand)

    monkeypatch.setattr(Request, "predict", interrupted)
    with pytest.raises(KeyboardInterrupt):
        predict_many(PROTEIN, sdf, output, model=model, time=3.0)
    assert not output.exists() and partial_folder(output).is_dir()
    # as if the interruption had come while the files were written
    (partial_folder(output) / "run" / "half.csv").touch()
    with pytest.raises(InputError, match="interrupted run of another"):
        predict_many(PROTEIN, sdf, output, model=model, time=4.0)
    predict_many(PROTEIN, sdf, output, model=model, time=3.0)
    assert tried.count("first") == 1
    assert contents(output) == contents(whole)


def test_files_that_were_written_before_an_interruption_stay(
    model: Path, sdf: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / whole.name

    def interrupted(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    def places() -> dict[str, int]:
        run = partial_folder(output) / "run"
        return {path.name: path.stat().st_ino for path in run.glob("*/trajectory.dcd")}

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(outputs, "render", interrupted)
        predict_many(PROTEIN, sdf, output, model=model, time=3.0)
    before = places()
    # as if a process had been killed while it wrote a folder
    (partial_folder(output) / "run" / ".001_first.1.part").mkdir()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(outputs, "render", interrupted)
        patch.setattr(outputs, "write_ligand", None)  # would be called for a folder not there
        predict_many(PROTEIN, sdf, output, model=model, time=3.0)
    assert places() == before
    predict_many(PROTEIN, sdf, output, model=model, time=3.0)
    assert contents(output) == contents(whole)


def test_only_the_first_of_the_ranking_get_files(
    model: Path, sdf: Path, whole: Path, tmp_path: Path
) -> None:
    output = tmp_path / whole.name
    predict_many(PROTEIN, sdf, output, model=model, time=3.0, files=1)
    some, every = contents(output), contents(whole)
    record, full = (json.loads(one["prediction.json"]) for one in (some, every))
    assert record["folders"] == [full["folders"][0], None, None]
    assert record["ligands"] == full["ligands"]
    assert {path.name for path in output.iterdir() if path.is_dir()} == {full["folders"][0]}
    assert some["ranking.csv"] == every["ranking.csv"]
    page = some["report.html"].decode()
    assert 'id="ligand1"' in page and 'id="ligand2"' not in page


@pytest.mark.slow
def test_processes_change_nothing(model: Path, sdf: Path, whole: Path, tmp_path: Path) -> None:
    output = tmp_path / whole.name
    predict_many(PROTEIN, sdf, output, model=model, time=3.0, cluster=ClusterSettings(workers=2))
    assert contents(output) == contents(whole)


def test_where_none_can_be_predicted_nothing_is_written(model: Path, tmp_path: Path) -> None:
    sdf = write_poses(tmp_path / "far.sdf", {"a": FAR, "b": -FAR})
    with pytest.raises(InputError, match="Å from the protein"):
        predict_many(PROTEIN, sdf, tmp_path / "out", model=model, time=2.0)
    assert not (tmp_path / "out").exists()


def test_a_stored_prediction_is_the_same(model: Path, sdf: Path, tmp_path: Path) -> None:
    request = Request.of(PROTEIN, sdf, model=model, time=2.0)
    ligand = request.ligand(0)
    one = request.predict(ligand)
    store(one, tmp_path / "1.npz")
    again = restore(tmp_path / "1.npz", request.complex(ligand), ligand)
    assert one.pocket is not None and again.pocket is not None
    for stored, read in ((one, again), (one.pocket, again.pocket)):
        for field in fields(stored):
            value, other = getattr(stored, field.name), getattr(read, field.name)
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, other)
            elif field.name not in ("complex", "molecule", "pocket"):
                assert value == other, field.name
    assert again.complex.fingerprint() == one.complex.fingerprint()
    assert Chem.MolToMolBlock(again.molecule) == Chem.MolToMolBlock(one.molecule)


def test_the_page_shows_the_first_and_the_table_has_all(
    model: Path, sdf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "SHOWN", 1)
    done = predict_many(PROTEIN, sdf, tmp_path / "out", model=model, time=2.0)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Shown are the 1 that rank first" in page
    assert f'<h2 id="ligand1">{done.ranking[0].name}</h2>' in page
    assert 'id="ligand2"' not in page
    assert len((tmp_path / "out" / "ranking.csv").read_text().splitlines()) == 1 + 3


def test_the_command_ends_with_the_failures(model: Path, sdf: Path, tmp_path: Path) -> None:
    words = ["predict", str(PROTEIN), str(sdf), "--model", str(model), "--time", "2ps"]
    done = CliRunner().invoke(app, [*words, "-o", str(tmp_path / "out")])
    assert done.exit_code == 1
    assert "failed: 2. far:" in done.output and "wrote" in done.output
    assert (tmp_path / "out" / "report.html").is_file()
