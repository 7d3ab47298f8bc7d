"""A software bill of materials of the environment, as CycloneDX 1.5 JSON on standard output.

    .venv/bin/python scripts/sbom.py > build/sbom.json

Every installed distribution that openmm-neuralmd needs, directly or not, with version, licence and
package URL, and which one needs which.  Audit it with any program that reads CycloneDX.
"""

from __future__ import annotations

import json
import sys
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "openmm-neuralmd"
EXTRAS = ("all",)


def needed(root: str = ROOT, extras: tuple[str, ...] = EXTRAS) -> dict[str, set[str]]:
    """Distributions that are needed and installed, each with what it needs itself."""
    tree: dict[str, set[str]] = {}
    waiting = [(canonicalize_name(root), extras)]
    seen = set()
    while waiting:
        name, chosen = waiting.pop()
        if (name, chosen) in seen:
            continue
        seen.add((name, chosen))
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        own = tree.setdefault(name, set())
        for requirement in map(Requirement, lines):
            marker = requirement.marker
            environments = [{"extra": extra} for extra in ("", *chosen)]
            if marker is None or any(marker.evaluate(one) for one in environments):
                other = canonicalize_name(requirement.name)
                own.add(other)
                waiting.append((other, tuple(sorted(requirement.extras))))
    return {name: others & tree.keys() for name, others in tree.items()}


def component(name: str) -> dict[str, Any]:
    """Entry of one distribution."""
    about = metadata.metadata(name)
    version = metadata.version(name)
    entry = {
        "type": "library",
        "bom-ref": name,
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version}",
    }
    licence = about.get("License-Expression") or (about.get("License") or "").split("\n")[0][:80]
    return entry | ({"licenses": [{"license": {"name": licence}}]} if licence else {})


def bill() -> dict[str, Any]:
    """The whole document."""
    tree = needed()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": component(canonicalize_name(ROOT)) | {"type": "application"}},
        "components": [component(name) for name in sorted(tree) if name != ROOT],
        "dependencies": [
            {"ref": name, "dependsOn": sorted(others)} for name, others in sorted(tree.items())
        ],
    }


if __name__ == "__main__":
    json.dump(bill(), sys.stdout, indent=1)
