"""The how-tos of the documentation are executed, as README.md is (see test_readme.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from cli_files import SETTINGS, write_inputs
from document_blocks import blocks_of, check_command, command_lines
from mm_models import make_model
from openmm_neuralmd.campaign.cluster import slurm_cluster
from openmm_neuralmd.campaign.settings import read_campaign
from openmm_neuralmd.cli import app
from openmm_neuralmd.errors import InputError
from openmm_neuralmd.misato.writer import write_entry
from openmm_neuralmd.structure.complex import Complex
from openmm_neuralmd.training.settings import read_settings

PAGES = sorted((Path(__file__).parents[2] / "docs" / "howto").glob("*.md"))


def page(name: str) -> str:
    return next(path for path in PAGES if path.name == name).read_text()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_commands_and_their_options_exist(path: Path) -> None:
    for block in blocks_of(path.read_text()):
        if block.language == "bash":
            for words in command_lines(block.code):
                check_command(words)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_all_python_is_python(path: Path) -> None:
    for block in blocks_of(path.read_text()):
        if block.language == "python":
            compile(block.code, f"{path}:{block.line}", "exec")


@pytest.mark.parametrize("name", ["own-complex.md", "misato.md", "slurm.md"])
def test_the_settings_shown_are_valid(name: str, tmp_path: Path) -> None:
    (block,) = [b for b in blocks_of(page(name)) if b.language == "yaml"]
    file = tmp_path / "settings.yaml"
    file.write_text(block.code)
    if name == "slurm.md":
        cluster = read_campaign(file).cluster
        nowhere, here = (
            cluster.model_copy(update={"interface": interface}) for interface in ("absent0", "lo")
        )
        with pytest.raises(InputError, match=r"cluster\.options: .*'absent0' is not a valid"):
            slurm_cluster(nowhere, scale=False)
        with slurm_cluster(here, scale=False) as made:
            assert "#SBATCH -p main" in made.job_script()
    else:
        assert read_settings(file).name in ("mine", "misato")


def run_commands(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run every neuralmd command of a page in a folder, in order; their names.

    Reports leave out what other tests have them measure.
    """
    blocks = [block for block in blocks_of(page(name)) if block.language == "bash"]
    commands = [words for block in blocks for words in command_lines(block.code)]
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(folder / "cache"))
    skipped = [word for part in ("mechanics", "speed", "ablation") for word in ("--skip", part)]
    for words in commands:
        done = CliRunner().invoke(app, words + skipped * (words[0] == "validate"))
        assert done.exit_code == 0, f"{' '.join(words)}: {done.output}"
    return [words[0] for words in commands]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_complex_runs_from_trajectory_to_dcd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 40 real snapshots and a small network."""
    write_inputs(tmp_path)
    done = run_commands("own-complex.md", tmp_path, monkeypatch)
    assert done == ["info", "info", "train", "info", "simulate", "info"]
    for name in ("forecast.dcd", "forecast.pdb", "forecast.run.yaml"):
        assert (tmp_path / name).is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_misato_runs_from_the_file_to_a_report(
    t4l: Complex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file of three entries, all of T4 lysozyme, and a small network.

    MISATO's own 11GS is read, converted and written in tests/misato.
    """
    rng = np.random.default_rng(0)
    for name in ("11GS", "1AAA", "2BBB"):
        steps = rng.normal(0, 0.002, (70, *t4l.positions.shape))
        write_entry(tmp_path / "MD.hdf5", name, t4l, [t4l.positions + steps], 80.0)
    for name, entries in (("train_MD", "1AAA"), ("val_MD", "2BBB"), ("peptides", "3CCC")):
        (tmp_path / f"{name}.txt").write_text(f"{entries}\n")
    (block,) = [b for b in blocks_of(page("misato.md")) if b.language == "yaml"]
    shown = yaml.safe_load(block.code)
    model = {"network": SETTINGS["model"]["network"]}
    short = {**SETTINGS, **shown, "model": model, "every": 16, "epochs": 1, "warmup": 1}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(short))
    done = run_commands("misato.md", tmp_path, monkeypatch)
    assert done == ["convert", "info", "info", "train", "validate"]
    assert (tmp_path / "validation" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_own_system_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    make_model("energy").save(tmp_path / "energy.safetensors")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENMM_NEURALMD_CACHE", str(tmp_path / "cache"))
    namespace = {"__name__": "__main__"}
    for block in blocks_of(page("own-system.md")):
        if block.language == "python":
            assert block.not_run is None
            exec(compile("\n" * (block.line - 1) + block.code, "own-system.md", "exec"), namespace)
    printed = capsys.readouterr().out
    assert "kJ/mol" in printed
    assert "a NeuralMD force without an energy" in printed
    assert "['energy']" in printed
