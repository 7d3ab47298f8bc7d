"""Jumps of a learned model on whole complexes: kept, dropped and why, and how sound they are.

    python validation/jumps.py runs/pocket/tyk2/complex=MODEL [COMPLEX=MODEL ...]

`neuralmd hybrid` on each complex folder with its model; how many jumps were kept, why the others
were not, and how many poses pass PoseBusters' checks as they were jumped to, relaxed, in the
snapshots of kept jumps, and in the MD between.  Runs stay in --work; an interrupted one goes on
after its last snapshot.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.hybrid.jumped import FELL_BACK, JUMPED
from openmm_neuralmd.hybrid.run import MD, run_hybrid
from openmm_neuralmd.hybrid.settings import HybridSettings, read_hybrid
from openmm_neuralmd.md.folder import ComplexFolder
from openmm_neuralmd.md.outcome import RECORD
from openmm_neuralmd.model import load_model
from openmm_neuralmd.utils.progress import progress_bar
from pose_rates import pose_rates
from result_files import save

HERE = Path(__file__).parent


def snapshots_for(settings: HybridSettings, count: int) -> int:
    """Snapshots of a run with at least `count` jumps; more only to complete jumps in a row."""
    return settings.before + -(-count // settings.jumps) * (settings.jumps + settings.strides)


def simulated(folder: Path, file: str, settings: HybridSettings, count: int, work: Path) -> Path:
    """Folder of a run with `count` jumps, which is simulated if it is not there yet."""
    model, total = load_model(file), snapshots_for(settings, count)
    output = work / f"{ComplexFolder.open(folder).name}-{model.card.name}"
    if not (output / RECORD).is_file():
        time_ps = total * model.card.interval_ps
        with progress_bar(output.name, total, "snapshots") as advance:
            run_hybrid(file, folder, output, time_ps, settings=settings, progress=advance)
    record = yaml.safe_load((output / RECORD).read_text(encoding="utf-8"))
    identity = record["model"]["sha256"], record["settings"], record["snapshots"]
    if identity != (model.sha256, asdict(settings), total):
        raise InputError(
            f"{output}: a run with other settings; remove it, or choose another --work"
        )
    return output


def told_of(run: Path) -> dict[str, Any]:
    """The figures of one complex, for the result file."""
    record = yaml.safe_load((run / RECORD).read_text(encoding="utf-8"))
    kinds = record["kinds"]
    return {
        "complex": record["complex"]["name"],
        "model": record["model"],
        "interval_ps": record["interval_ps"],
        "jumps": kinds.get(JUMPED, 0) + kinds.get(FELL_BACK, 0),
        "kept": kinds.get(JUMPED, 0),
        "md": kinds.get(MD, 0),
        "reasons": record["reasons"],
        "posebusters": {name: rate._asdict() for name, rate in pose_rates(run).items()},
    }


def report(rows: list[dict[str, Any]]) -> None:
    """The numbers in words."""
    for row in rows:
        dropped = ", ".join(f"{name} {n}" for name, n in row["reasons"].items()) or "none"
        sound = ", ".join(
            f"{name} {rate['share'][0]:.0f} %" for name, rate in row["posebusters"].items()
        )
        print(f"{row['complex']}: {row['kept']} of {row['jumps']} jumps kept; dropped: {dropped}")
        print(f"  PoseBusters: {sound}")


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("complexes", nargs="+", metavar="COMPLEX=MODEL")
    parser.add_argument("--jumps", type=int, default=50, help="on each complex")
    settings_file = HERE.parent / "examples" / "hybrid.yaml"
    parser.add_argument("--settings", type=Path, default=settings_file)
    parser.add_argument("--work", type=Path, default=Path("runs/jumps"))
    parser.add_argument("--json", type=Path, help="result file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings, places = read_hybrid(arguments.settings), []
    for word in arguments.complexes:
        folder, sign, model = word.rpartition("=")
        if not sign:
            parser.error(f"{word}: a complex folder and its model are told as COMPLEX=MODEL")
        run = simulated(Path(folder), model, settings, arguments.jumps, arguments.work)
        places.append(run)
    rows = [told_of(run) for run in places]
    result = {
        "what": "jumps of a learned model, relaxed and checked by all-atom physics",
        "settings": asdict(settings),
        "complexes": rows,
    }
    save("jumps", result, arguments.json)
    report(rows)


if __name__ == "__main__":
    main()
