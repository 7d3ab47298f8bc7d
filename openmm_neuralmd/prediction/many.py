"""Predictions of many ligands to files; each is stored at once, and a failure affects only one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..campaign.cluster import connected, dask
from ..campaign.cluster_settings import ClusterSettings
from ..errors import InputError, NeuralMDError, one_line
from ..utils.progress import Advance, silent
from ..utils.resume import PartialRun
from .ensemble import LigandPrediction
from .outputs import Summary, ranked, write_files
from .run import MODEL, Request
from .stored import restore, store

BATCH = 16
"""Ligands that a process takes at once."""


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
    cluster: ClusterSettings | None = None,
    progress: Advance = silent,
) -> Predicted:
    """Predict every ligand of an SDF and write the folder; see `predict` for what is not here.

    Each prediction is kept beside the output until all are done: after an interruption the same
    call goes on.  The result does not depend on the number of processes.

    Parameters
    ----------
    output : path
        See `outputs.write_files`.
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
    store_folder = partial.folder / "ligands"
    store_folder.mkdir(exist_ok=True)
    missing = [number for number in wanted if not _file(store_folder, number).is_file()]
    progress(len(wanted) - len(missing), "")
    done = Predicted(Path(output))
    for reasons in _in_batches(request, missing, store_folder, cluster):
        for number, reason in reasons.items():
            progress(1, request.title(number))
            if reason:
                done.failed[f"{number + 1}. {request.title(number)}"] = reason
    stored = [number for number in wanted if _file(store_folder, number).is_file()]
    if not stored:
        raise InputError(next(iter(done.failed.values())))

    def read(number: int) -> LigandPrediction:
        return _restored(request, store_folder, number)

    _rank(done, stored, read)
    partial.empty()
    write_files(partial.run, done.ranking, read, done.failed)
    partial.publish()
    return done


def _rank(done: Predicted, numbers: Sequence[int], read: Callable[[int], LigandPrediction]) -> None:
    """Sort the predictions, read one at a time, and note those unlike the training set."""
    summaries = []
    for number in numbers:
        one = read(number)
        summaries.append(Summary.of(number, one))
        if one.unlike:
            done.unlike[one.name] = one.unlike
    done.ranking = ranked(summaries)


def _in_batches(
    request: Request, numbers: Sequence[int], store_folder: Path, cluster: ClusterSettings | None
) -> Iterator[dict[int, str]]:
    """Predict and keep these ligands; yield what `_predict_batch` says of each batch as it ends."""
    size = 1 if cluster is None else BATCH
    batches = [tuple(numbers[k : k + size]) for k in range(0, len(numbers), size)]
    with nullcontext() if cluster is None else connected(cluster) as client:
        if client is None:
            yield from (_predict_batch(request, batch, store_folder) for batch in batches)
            return
        # A copy without the files that this process has read: a worker reads them itself, once.
        unread = replace(request)
        futures = {
            client.submit(_predict_there, unread, batch, store_folder.resolve(), pure=False): batch
            for batch in batches
        }
        for future in dask().as_completed(futures):
            error = future.exception()
            if error is None:
                yield future.result()
            else:
                reason = f"its process ended: {one_line(error)}"
                yield dict.fromkeys(futures[future], reason)


def _predict_there(request: Request, batch: Sequence[int], store_folder: Path) -> dict[int, str]:
    """Work for a process, which reads the protein, the SDF and the model once."""
    return _predict_batch(_first_equal(request), batch, store_folder)


@lru_cache(maxsize=1)
def _first_equal(request: Request) -> Request:
    """The first of equal requests, which has read its files already."""
    return request


def _predict_batch(request: Request, batch: Sequence[int], store_folder: Path) -> dict[int, str]:
    """Predict and keep some ligands; why each failed, empty where it did not."""
    reasons = {}
    for number in batch:
        try:
            store(request.predict(request.ligand(number)), _file(store_folder, number))
            reasons[number] = ""
        except NeuralMDError as error:
            reasons[number] = one_line(error)
    return reasons


def _restored(request: Request, store_folder: Path, number: int) -> LigandPrediction:
    ligand = request.ligand(number)
    return restore(_file(store_folder, number), request.complex(ligand), ligand)


def _file(store_folder: Path, number: int) -> Path:
    return store_folder / f"{number + 1}.npz"
