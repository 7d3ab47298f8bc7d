"""An unfinished run on disk: files that only grow, and a checkpoint that knows their lengths."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from glob import escape
from pathlib import Path

import openmm

from ..errors import InputError, one_line
from .checkpoint import DAMAGE, Checkpoint, length_on_disk, read_checkpoint, set_dcd_length
from .files import complete
from .lock import Lock

_PUBLISHING = "publishing"


class PartialRun:
    """The hidden folder '.NAME.partial' of a run, with 'run' in it, which becomes the output.

    One process works on it at a time.  The output is a folder that takes the place of 'run'
    (`publish`), or several files that are moved out of it (`publish_files`).

    Parameters
    ----------
    output : Path
        Final name of the folder or of the main file.
    identity : str
        Hash of everything that decides the trajectory; another run's folder is refused.
    beside : iterable of Path
        Further files that `publish_files` will write.

    Raises
    ------
    InputError
        An output exists, another process works on it, or the folder holds another run.
    """

    def __init__(self, output: Path, identity: str, beside: Iterable[Path] = ()) -> None:
        self.output = output
        self.folder = partial_folder(output)
        self.run = self.folder / "run"
        self.checkpoint = self.folder / "checkpoint.npz"
        check_free(output)
        self.run.mkdir(parents=True, exist_ok=True)
        self._lock = Lock(self.folder)
        check_free(output)  # another process may have finished it just now
        self.run.mkdir(parents=True, exist_ok=True)
        mark = self.folder / "identity"
        if not mark.is_file():
            with complete(mark) as temporary:
                temporary.write_text(identity)
        elif mark.read_text(errors="replace") != identity:
            raise InputError(
                f"{self.folder} holds an interrupted run of another model, complex, start or other "
                "settings; finish that one, or remove the folder to start anew"
            )
        if not (self.folder / _PUBLISHING).is_file():
            for path in beside:
                check_free(path)

    @property
    def started(self) -> bool:
        """True if there are snapshots to continue from."""
        return self.checkpoint.is_file() and any(self.run.iterdir())

    def empty(self) -> None:
        """Remove unfinished output after an interruption."""
        shutil.rmtree(self.run)
        self.run.mkdir()

    def resume(self, load: Callable[[bytes], None], total: int) -> int:
        """Restore the last checkpoint by `load`; return its number of snapshots (0: none).

        What the files hold beyond it is cut off.

        Parameters
        ----------
        load : callable
            Takes the state that `commit` was given.
        total : int
            Snapshots that the run is to have.

        Raises
        ------
        InputError
            The checkpoint is damaged or of another platform, or stands for more than `total`.
        """
        if not self.started:
            self.empty()
            return 0
        saved = read_checkpoint(self.checkpoint)
        if saved.done > total:
            raise InputError(
                f"{self.folder} holds {saved.done} snapshots already, {total} were asked for; "
                "ask for as many at least, or remove the folder to start anew"
            )
        try:
            load(saved.context)
        except (openmm.OpenMMException, *DAMAGE) as error:
            raise InputError(
                f"{self.checkpoint} is of another platform or OpenMM version ({one_line(error)}); "
                "remove its folder to start anew"
            ) from error
        for name, length in saved.files.items():
            self._cut(self.folder / name, length, saved.done)
        return saved.done

    def _cut(self, file: Path, length: int, done: int) -> None:
        inside = self.folder.resolve() in file.resolve().parents
        if not inside or not file.is_file() or file.stat().st_size < length:
            raise InputError(
                f"{self.checkpoint}: {file.name} is missing or shorter than it was; "
                "remove its folder to start anew"
            )
        os.truncate(file, length)
        if file.suffix == ".dcd":
            set_dcd_length(file, done)

    def commit(self, checkpoint: bytes, done: int, files: Iterable[Path]) -> None:
        """Save a checkpoint of the first `done` snapshots in `files`, which survives a kill -9."""
        lengths = {str(file.relative_to(self.folder)): length_on_disk(file) for file in files}
        Checkpoint(done=done, files=lengths, context=checkpoint).save(self.checkpoint)

    def publish(self) -> None:
        """Give the folder of the run its final name."""
        check_free(self.output)
        self.run.rename(self.output)
        self._remove()

    def publish_files(self, targets: Mapping[str, Path]) -> None:
        """Move files of the run to their final names, in this order; the main output comes last.

        After a kill in between, the same command moves what is left.

        Parameters
        ----------
        targets : mapping of str to Path
            Names in the folder of the run, and where they go.
        """
        (self.folder / _PUBLISHING).touch()
        for name, target in targets.items():
            if target == self.output:
                check_free(target)
            (self.run / name).replace(target)
        self._remove()

    def _remove(self) -> None:
        for entry in self.folder.iterdir():
            if entry != self._lock.path and entry.name != "lock":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self._lock.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def partial_folder(output: Path) -> Path:
    """Return the hidden folder of a run that is not complete yet."""
    return output.with_name(f".{output.name}.partial")


def check_free(path: Path) -> None:
    """Refuse to overwrite what is there.

    What a kill between publication and tidying up has left beside a finished output is removed.

    Raises
    ------
    InputError
    """
    if not path.exists():
        return
    left = partial_folder(path)
    if left.is_dir() and not any((left / "run").glob("*")):
        lock = Lock(left)
        shutil.rmtree(left, ignore_errors=True)
        lock.release()
    raise InputError(
        f"{path}: exists; choose another name, or move it away "
        "(as --restart does in commands that have it)"
    )


@contextmanager
def complete_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path`, which gets that name if the block ends without error.

    For a folder that is written in one go; `PartialRun` is for one that can be interrupted.

    Parameters
    ----------
    path : Path
    replace : bool
        Whether a folder of that name is removed, once the new one is complete.

    Raises
    ------
    InputError
        The folder exists.
    """
    if not replace:
        check_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    temporary, former = (_temporary(path, word) for word in ("", "former."))
    temporary.mkdir()
    try:
        yield temporary
        if replace and path.is_dir():
            path.rename(former)
        check_free(path)
        temporary.rename(path)
        shutil.rmtree(former, ignore_errors=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary(path: Path, word: str) -> Path:
    return path.with_name(f".{path.name}.{word}{os.getpid()}.part")


def _remove_abandoned(path: Path) -> None:
    """Remove temporary folders of `path` whose process was killed."""
    for folder in path.parent.glob(f".{escape(path.name)}.*.part"):
        process = folder.name.removesuffix(".part").rpartition(".")[2]
        if process.isdigit() and not _is_running(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True
