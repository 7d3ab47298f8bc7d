"""Search for AmberTools and GROMACS, which `doctor` runs in a separate process.

Finding them loads OpenMM, which a bad installation answers with a crash.  The last line on
standard output is JSON: version by name, null where a program is missing.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress


def programs() -> dict[str, str | None]:
    """Versions of the programs that this package calls."""
    # Absolute, because this file is run as a program and belongs to no package then.
    from openmm_neuralmd.errors import ProgramError
    from openmm_neuralmd.md.gromacs.program import find_gmx
    from openmm_neuralmd.prepare.programs import find_ambertools

    versions: dict[str, str | None] = {"antechamber": None, "gmx": None}
    with suppress(ProgramError):
        tools = find_ambertools()
        versions["antechamber"] = f"{tools.version()} ({tools.source})"
    with suppress(ProgramError):
        gmx = find_gmx()
        versions["gmx"] = f"{gmx.version} ({gmx.simd})"
    return versions


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(programs()) + "\n")
