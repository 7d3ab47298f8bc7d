"""Metals away from the pocket: recorded, and refused where minimising pulls them in."""

from __future__ import annotations

import numpy as np
import pytest
from openmm import app

from openmm_neuralmd.errors import InputError
from openmm_neuralmd.prepare.soundness import check_metals


@pytest.fixture
def zinc() -> tuple[app.Topology, np.ndarray]:
    """Zn with the nitrogen of a histidine and a water 2.08 Å away, and a carbon nearby."""
    topology = app.Topology()
    chain = topology.addChain("A")
    places = []
    for residue, number, name, symbol, place in (
        ("HIS", "94", "ND1", "N", (0.208, 0.0, 0.0)),
        ("HIS", "94", "CE1", "C", (0.25, 0.1, 0.0)),
        ("HOH", "95", "O", "O", (0.0, 0.208, 0.0)),
        ("ZN", "96", "ZN", "Zn", (0.0, 0.0, 0.0)),
    ):
        last = list(chain.residues())[-1:]
        same = last[0] if last and last[0].id == number else None
        own = same or topology.addResidue(residue, chain, number)
        topology.addAtom(name, app.Element.getBySymbol(symbol), own)
        places.append(place)
    return topology, np.array(places)


def test_coordination_is_recorded(zinc: tuple[app.Topology, np.ndarray]) -> None:
    topology, positions = zinc
    (one,) = check_metals(topology, positions, positions)
    assert one == {
        "metal": "ZN A:96",
        "atom": "ND1 of HIS A:94",
        "before_angstrom": 2.08,
        "after_angstrom": 2.08,
    }


def test_a_metal_that_is_pulled_in_is_refused(zinc: tuple[app.Topology, np.ndarray]) -> None:
    topology, positions = zinc
    moved = positions.copy()
    moved[0, 0] = 0.176
    words = r"ZN A:96 .* ND1 of HIS A:94: 2\.08 Å before minimising, 1\.76 Å after.*--drop ZN"
    with pytest.raises(InputError, match=words):
        check_metals(topology, positions, moved)


def test_water_on_a_metal_is_free(zinc: tuple[app.Topology, np.ndarray]) -> None:
    topology, positions = zinc
    moved = positions.copy()
    moved[2, 1] = 0.5
    assert len(check_metals(topology, positions, moved)) == 1
