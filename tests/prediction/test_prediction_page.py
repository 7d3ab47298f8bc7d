"""The page of a prediction plays in a browser; a kill leaves no folder that is half done."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from openmm_neuralmd.dynamics.ou import NeuralOU, NeuralOUSettings
from openmm_neuralmd.examples import predict_example
from openmm_neuralmd.model import ModelCard
from openmm_neuralmd.prediction import predict
from openmm_neuralmd.prediction.outputs import write
from openmm_neuralmd.prediction.page import scene
from openmm_neuralmd.training import ou_files

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
from browser import chromium_program, launched

PROTEIN, LIGAND = predict_example()

KILLED = """
import os, signal, sys
import openmm_neuralmd.prediction.outputs as outputs
from openmm_neuralmd.prediction import predict

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

outputs.render = die
protein, ligand, model, output = sys.argv[1:]
outputs.write(predict(protein, ligand, model=model, time=2.0), output)
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file with class constants alone."""
    torch.manual_seed(0)
    network = NeuralOU(NeuralOUSettings(members=0))
    settings = network.settings.model_dump(mode="json")
    card = ModelCard(
        name="constants",
        kind="neuralmd-ou",
        settings=settings,
        interval_ps=1.0,
        elements=[6, 7, 8],
        residue_types=list(range(20)),
    )
    path = tmp_path_factory.mktemp("model") / "constants.safetensors"
    ou_files.save(path, network, card)
    return path


@pytest.fixture(scope="module")
def page(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = predict(PROTEIN, LIGAND, model=model, time=5.0)
    return write(found, tmp_path_factory.mktemp("out") / "prediction") / "report.html"


def test_the_viewer_has_the_given_pose_and_every_snapshot(page: Path, model: Path) -> None:
    text = page.read_text(encoding="utf-8")
    held = re.search(r'id="scenes">(.*?)</script>', text, re.DOTALL)
    assert held is not None
    (stored,) = json.loads(held[1])
    (one,) = predict(PROTEIN, LIGAND, model=model, time=5.0)
    assert stored == json.loads(json.dumps(scene(one)))
    assert len(stored["times"]) == 6 and len(stored["atoms"]) == len(one.pose)


@pytest.mark.chromium
@pytest.mark.skipif(
    chromium_program() is None and "CI" not in os.environ,
    reason="Chromium is not installed (Debian: apt-get install chromium)",
)
def test_it_plays_in_a_browser_and_fetches_nothing(page: Path) -> None:
    said: list[str] = []
    fetched: list[str] = []
    with sync_playwright() as running:
        browser = launched(running)
        opened = browser.new_page(viewport={"width": 1100, "height": 900})
        opened.set_default_timeout(120_000)  # software rendering on a busy machine
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("request", lambda request: fetched.append(request.url))
        opened.goto(page.as_uri())
        assert opened.inner_text("#clock") == "given pose"
        opened.click("#play")
        expect(opened.locator("#slider")).not_to_have_value("0")
        assert opened.inner_text("#play") == "Pause"
        opened.click("#play")  # a picture waits until nothing moves
        # Not the element's own screenshot: it waits for two quick frames, which software 3D lacks.
        view = opened.locator("#view").bounding_box()
        assert view is not None
        taken = opened.screenshot(clip=view)
        shot = Image.open(io.BytesIO(taken)).convert("RGB")
        browser.close()
    x = np.asarray(shot, dtype=int)
    blue = (x[..., 2] - x[..., 0] > 60).mean()
    assert blue > 1e-3, "the ligand is drawn"
    assert said == [] and fetched == [page.as_uri()]


def test_a_kill_while_writing_leaves_no_folder_and_the_next_run_ends(
    model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "prediction"
    words = [sys.executable, "-c", KILLED, *map(str, (PROTEIN, LIGAND, model, output))]
    ended = subprocess.run(words, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert not output.exists()
    write(predict(PROTEIN, LIGAND, model=model, time=2.0), output)
    assert (output / "report.html").is_file() and not list(tmp_path.glob(".*"))
