"""Predictions of many ligands to files; each is stored at once, and a failure affects only one."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..campaign.cluster import connected, dask, in_turn, workers_of
from ..campaign.cluster_settings import ClusterSettings
from ..errors import InputError, NeuralMDError, ProgramError, one_line
from ..utils.files import complete
from ..utils.progress import Advance, silent
from ..utils.resume import PartialRun
from .ensemble import LigandPrediction
from .outputs import write_one, write_overview
from .ranking import Plan, Summary, ranked
from .run import MODEL, Request
from .stored import restore, store

if TYPE_CHECKING:
    from distributed import Client

BATCH = 16
"""Ligands that a process takes at once."""
WINDOW = 3
"""Batches for each process that Dask has at once, taken or waiting."""


@dataclass
class Predicted:
    """Result of `predict_many`.

    Attributes
    ----------
    output : Path
    ranking : list of Summary
        Every predicted ligand, the likeliest to stay first.
    unlike : dict of str to tuple of str
        Why a ligand's complex is unlike the training set.
    failed : dict of str to str
        Ligands without a prediction, and why.
    """

    output: Path
    ranking: list[Summary] = field(default_factory=list)
    unlike: dict[str, tuple[str, ...]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def predict_many(
    protein: str | Path,
    ligand: str | Path,
    output: str | Path,
    *,
    model: str | Path = MODEL,
    molecule: str | None = None,
    time: Any = 200.0,
    interval: Any = 1.0,
    seed: int = 0,
    files: int | None = None,
    cluster: ClusterSettings | None = None,
    progress: Advance = silent,
) -> Predicted:
    """Predict every ligand of an SDF and write the folder; see `predict` for what is not here.

    Each prediction is kept beside the output until all are done, and each ligand's files are
    written once: after an interruption the same call goes on.  The processes that predict also
    write; this one collects the table.  The result does not depend on the number of processes.

    Parameters
    ----------
    output : path
        See `outputs.write_files`.
    files : int, optional
        Ligands with a folder of files, the first of the ranking; all of them by default.  The
        table and the record have every ligand.
    cluster : ClusterSettings, optional
        Processes of this machine or jobs of SLURM that share the work; this process by default.
    progress : callable, optional
        See `utils.progress.Advance`; counts ligands.

    Raises
    ------
    InputError
        As `predict`, the first reason where no ligand can be predicted; the output exists.
    ModelError
        The model file is missing, damaged or of another kind.
    """
    request = Request.of(protein, ligand, model=model, time=time, interval=interval, seed=seed)
    wanted = request.wanted(molecule)
    # What concerns every ligand is said once, before any is tried.
    _ = request.network, request.structure
    partial = PartialRun(Path(output), f"{request.identity()} {molecule}")
    store_folder = partial.folder.resolve() / "ligands"
    store_folder.mkdir(exist_ok=True)
    done = Predicted(Path(output))
    with _processes(request, cluster) as each:
        summaries = []
        for batch, result in each(_predict_batch, wanted, store_folder):
            if isinstance(result, BaseException):
                result = dict.fromkeys(batch, f"its process ended: {one_line(result)}")
            for number, summary in result.items():
                progress(1, request.title(number))
                if isinstance(summary, Summary):
                    summaries.append(summary)
                else:
                    done.failed[f"{number + 1}. {request.title(number)}"] = summary
        if not summaries:
            raise InputError(next(iter(done.failed.values())))
        done.ranking = ranked(summaries)
        done.unlike = {one.name: one.unlike for one in summaries if one.unlike}
        plan = Plan.of(done.ranking, done.failed, files)
        _begin(partial, plan)
        written = each(_write_batch, plan.places, store_folder, partial.run.resolve(), plan.top)
        write_overview(
            partial.run,
            plan,
            (entry for batch, entries in written for entry in _sound(entries)),
            lambda number: _restored(request, store_folder, number),
        )
    _tidy(partial)
    partial.publish()
    return done


Each = Callable[..., Iterator[tuple[Sequence[Any], Any]]]


@contextmanager
def _processes(request: Request, cluster: ClusterSettings | None) -> Iterator[Each]:
    """Give a function that calls function(request, batch, *more) for batches of items.

    It yields each batch and its result, or the exception that ended it, in the order of the items.
    """

    def here(function: Callable[..., Any], items: Sequence[Any], *more: Any) -> Iterator[Any]:
        for item in items:
            yield (item,), function(request, (item,), *more)

    if cluster is None:
        yield here
        return
    with connected(cluster) as client:
        # A copy without the files that this process has read: a worker reads them itself, once.
        yield _workers(client, replace(request), WINDOW * workers_of(cluster))


def _workers(client: Client, request: Request, window: int) -> Each:
    def there(function: Callable[..., Any], items: Sequence[Any], *more: Any) -> Iterator[Any]:
        batches = (tuple(items[k : k + BATCH]) for k in range(0, len(items), BATCH))
        yield from in_turn(client, _there, batches, window, function, request, *more)

    return there


def _there(batch: Sequence[Any], function: Callable[..., Any], request: Request, *more: Any) -> Any:
    """Work for a process, which reads the protein, the SDF and the model once."""
    return function(_first_equal(request), batch, *more)


@lru_cache(maxsize=1)
def _first_equal(request: Request) -> Request:
    """Return the first of equal requests, which has read its files already."""
    return request


def _predict_batch(
    request: Request, batch: Sequence[int], store_folder: Path
) -> dict[int, Summary | str]:
    """Predict and keep those ligands that are not there yet; the line of each, or its failure."""
    lines: dict[int, Summary | str] = {}
    for number in batch:
        file = _file(store_folder, number)
        try:
            if file.is_file():
                one = _restored(request, store_folder, number)
            else:
                one = request.predict(request.ligand(number))
                store(one, file)
            lines[number] = Summary.of(number, one)
        except NeuralMDError as error:
            lines[number] = one_line(error)
    return lines


def _write_batch(
    request: Request,
    batch: Sequence[tuple[int, str | None]],
    store_folder: Path,
    run: Path,
    top: float,
) -> list[str]:
    """Write the files of some ligands; their entries in the record."""
    return [
        write_one(_restored(request, store_folder, number), run, name, top)
        for number, name in batch
    ]


def _sound(entries: list[str] | BaseException) -> list[str]:
    """Pass the entries on, or raise what ended the process that wrote them."""
    if not isinstance(entries, BaseException):
        return entries
    if isinstance(entries, dask().scheduler.KilledWorker):
        raise ProgramError(
            "a process that wrote files of ligands died (out of memory? a crash?); run the same "
            "command again to continue"
        ) from entries
    raise entries


def _begin(partial: PartialRun, plan: Plan) -> None:
    """Keep the files of an interrupted run if they were written for the same ranking."""
    content = repr((plan.places, plan.top)).encode()
    mark, wanted = partial.folder / "plan", hashlib.sha256(content).hexdigest()
    if not mark.is_file() or mark.read_text(errors="replace") != wanted:
        partial.empty()
        with complete(mark) as temporary:
            temporary.write_text(wanted)
    _tidy(partial)


def _tidy(partial: PartialRun) -> None:
    """Remove what processes that were killed have left."""
    for left in partial.run.glob(".*.part"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _restored(request: Request, store_folder: Path, number: int) -> LigandPrediction:
    ligand = request.ligand(number)
    return restore(_file(store_folder, number), request.complex(ligand), ligand)


def _file(store_folder: Path, number: int) -> Path:
    return store_folder / f"{number + 1}.npz"
