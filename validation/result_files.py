"""What all tables made of result files share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "validation" / "results"


def measured(name: str) -> bool:
    """Whether there is a result file."""
    return (RESULTS / f"{name}.json").is_file()


def missing(command: str) -> str:
    """What stands in place of a table that was not measured."""
    return f"Not measured yet: `{command}`.\n"


def read(name: str) -> dict[str, Any]:
    """A result file."""
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def machine(name: str) -> str:
    """Machine, versions and command of a result."""
    origin = read(name)["provenance"]
    where = origin["machine"]
    versions = ", ".join(f"{package} {version}" for package, version in origin["versions"].items())
    return (
        f"`{origin['command']}` on {where['processor']}, {where['cores']} cores, "
        f"{where['system']}; Python {where['python']}, {versions}.\n"
    )
