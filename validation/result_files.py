"""Result files: how every program here writes one, and what the tables made of them share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from openmm_neuralmd.utils.files import complete
from openmm_neuralmd.utils.provenance import provenance

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "validation" / "results"


def save(name: str, result: Mapping[str, Any], target: Path | None = None) -> Path:
    """Write a result with its provenance, and say where.

    Parameters
    ----------
    name : str
        Of the file in validation/results/.
    result : mapping
    target : Path, optional
        Another file instead.
    """
    target = target or RESULTS / f"{name}.json"
    content = {**result, "provenance": provenance()}
    with complete(target) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")
    return target


def measured(name: str) -> bool:
    """Test whether there is a result file."""
    return (RESULTS / f"{name}.json").is_file()


def missing(command: str) -> str:
    """Text in place of a table that was not measured."""
    return f"Not measured yet: `{command}`.\n"


def read(name: str) -> dict[str, Any]:
    """A result file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def machine(name: str) -> str:
    """Machine, versions and command of a result."""
    return origin(read(name)["provenance"])


def origin(provenance: Mapping[str, Any]) -> str:
    """Machine, versions and command, in words."""
    where = provenance["machine"]
    packages = provenance["versions"].items()
    versions = ", ".join(f"{package} {version}" for package, version in packages)
    return (
        f"`{provenance['command']}` on {where['processor']}, {where['cores']} cores, "
        f"{where['system']}; Python {where['python']}, {versions}.\n"
    )
