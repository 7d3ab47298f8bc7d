"""One process on one output; nothing overwritten; kills at every point of a publication."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.utils.lock import Lock
from openmm_neuralmd.utils.resume import PartialRun, check_free, partial_folder

HOLD = """
import sys
from pathlib import Path
from openmm_neuralmd.utils.resume import PartialRun
PartialRun(Path(sys.argv[1]), "one")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that works on tmp_path/run."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        yield other
        other.stdin.close()


def test_two_processes_on_one_output(tmp_path: Path, holder: subprocess.Popen) -> None:
    with pytest.raises(InputError, match="another process is working on this run"):
        PartialRun(tmp_path / "run", "one")
    holder.kill()
    holder.wait()
    assert PartialRun(tmp_path / "run", "one").resume(lambda state: None, 3) == 0


def test_the_lock_is_the_process_s(tmp_path: Path) -> None:
    """In a notebook an interrupted run goes on in the same process."""
    first = PartialRun(tmp_path / "run", "one")
    second = PartialRun(tmp_path / "run", "one")
    del first
    done = subprocess.run(
        [sys.executable, "-c", HOLD, str(second.output)], capture_output=True, text=True
    )
    assert "another process" in done.stderr


def test_a_released_lock_is_free(tmp_path: Path) -> None:
    Lock(tmp_path).release()
    assert not (tmp_path / "lock").exists()
    Lock(tmp_path).release()


def run_with(tmp_path: Path, done: int = 4) -> PartialRun:
    partial = PartialRun(tmp_path / "out.dcd", "one", beside=[tmp_path / "out.pdb"])
    (partial.run / "t").write_bytes(b"0123456789")
    (partial.run / "p").write_bytes(b"pdb")
    partial.commit(b"state", done, [partial.run / "t"])
    return partial


def test_resumed_with_what_was_committed(tmp_path: Path) -> None:
    partial = run_with(tmp_path)
    with (partial.run / "t").open("ab") as file:
        file.write(b"beyond the checkpoint")
    loaded: list[bytes] = []
    assert PartialRun(tmp_path / "out.dcd", "one").resume(loaded.append, 9) == 4
    assert loaded == [b"state"] and (partial.run / "t").read_bytes() == b"0123456789"


@pytest.mark.parametrize("stop", [0, 1])
def test_a_kill_within_the_publication(tmp_path: Path, stop: int, monkeypatch) -> None:
    partial = run_with(tmp_path)
    targets = {"p": tmp_path / "out.pdb", "t": tmp_path / "out.dcd"}
    names = list(targets)

    def replace(self: Path, target: Path, original=Path.replace) -> Path:
        if names.index(self.name) == stop:
            raise KeyboardInterrupt
        return original(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            partial.publish_files(targets)
    assert not (tmp_path / "out.dcd").exists()
    again = PartialRun(tmp_path / "out.dcd", "one", beside=[tmp_path / "out.pdb"])
    assert again.resume(lambda state: None, 4) == 4
    (again.run / "p").write_bytes(b"pdb")
    again.publish_files(targets)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.dcd", "out.pdb"]


def test_what_a_kill_leaves_after_publication_is_tidied(tmp_path: Path) -> None:
    partial = run_with(tmp_path)
    shutil.move(partial.run, tmp_path / "out.dcd")  # killed before the folder was removed
    with pytest.raises(InputError, match="exists; choose another name"):
        check_free(tmp_path / "out.dcd")
    assert not partial_folder(tmp_path / "out.dcd").exists()


def test_a_file_of_another_program_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.pdb").write_text("mine")
    with pytest.raises(InputError, match=r"out\.pdb: exists"):
        run_with(tmp_path)
    assert (tmp_path / "out.pdb").read_text() == "mine"


def damage(partial: PartialRun, kind: str) -> None:
    path = partial.checkpoint
    if kind == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif kind == "noise":
        path.write_bytes(os.urandom(500))
    elif kind == "short":
        os.truncate(partial.run / "t", 3)
    else:
        name = {"path": "../../x", "negative": "run/t", "object": "run/t"}[kind]
        files = np.array([name], dtype=object if kind == "object" else None)
        lengths = np.array([-5 if kind == "negative" else 1])
        done = -1 if kind == "negative" else 4
        np.savez(path, done=done, files=files, lengths=lengths, context=np.zeros(3, np.uint8))


@pytest.mark.parametrize("kind", ["cut", "noise", "short", "path", "negative", "object"])
def test_a_damaged_checkpoint_is_one_line(tmp_path: Path, kind: str) -> None:
    partial = run_with(tmp_path)
    (tmp_path.parent / "x").write_bytes(b"not ours")
    damage(partial, kind)
    with pytest.raises(InputError) as caught:
        PartialRun(tmp_path / "out.dcd", "one").resume(lambda state: None, 9)
    assert "\n" not in str(caught.value)
    assert (tmp_path.parent / "x").read_bytes() == b"not ours"
