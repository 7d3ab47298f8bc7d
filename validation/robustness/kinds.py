"""Kinds of awkward input that people really have: what happens, and the tests that prove it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    name, outcome : str
    tests : tuple of str
        'file::function', from the folder of tests.
    """

    name: str
    outcome: str
    tests: tuple[str, ...]


_STRUCTURES = "structure/test_awkward_structures.py"
_TRAJECTORIES = "trajectory/test_strange_files.py"
_PREPARE = "prepare/test_awkward.py"

KINDS = (
    Kind(
        "A trajectory that does not say its times: NetCDF and HDF5 without them, DCD with a "
        "placeholder, XTC and TRR whose times do not differ",
        "asks for `--interval`",
        (
            f"{_TRAJECTORIES}::test_a_netcdf_without_times_asks_for_the_interval",
            f"{_TRAJECTORIES}::test_a_dcd_without_a_true_time_step_asks",
            f"{_TRAJECTORIES}::test_times_that_do_not_differ_ask_for_the_interval",
        ),
    ),
    Kind(
        "CONECT records that are stale or of a part of the atoms",
        "bonds from distances, with a note; missing ones are completed",
        (
            f"{_STRUCTURES}::test_bonds_that_their_lengths_contradict_are_replaced",
            f"{_STRUCTURES}::test_bonds_that_are_missing_are_completed",
        ),
    ),
    Kind(
        "Text in Latin-1: SDF, PDB, mmCIF, Amber and GROMACS files",
        "read",
        (
            f"{_PREPARE}::test_an_sdf_need_not_be_utf8",
            f"{_STRUCTURES}::test_structures_need_not_be_utf8",
            f"{_PREPARE}::test_a_prmtop_need_not_be_utf8",
            f"{_PREPARE}::test_virtual_sites_of_gromacs_keep_the_energy_of_their_source",
            f"{_PREPARE}::test_included_files_of_a_topology_need_not_be_utf8",
        ),
    ),
    Kind(
        "Endings in capitals; names with spaces, quotes or letters that are not ASCII",
        "read, and printed quoted",
        (
            f"{_TRAJECTORIES}::test_endings_in_capitals",
            f"{_TRAJECTORIES}::test_names_that_are_not_ascii",
            f"{_STRUCTURES}::test_names_of_structure_files",
            "commands/test_next_commands.py::test_words_are_quoted",
        ),
    ),
    Kind(
        "A unit cell of NaN, zero, absurd or too small for its atoms: trajectories, PDB, mmCIF",
        "no box, with a note unless it is a usual placeholder; XTC with NaN is refused in one line",
        (
            f"{_TRAJECTORIES}::test_an_absurd_cell_is_no_cell",
            f"{_STRUCTURES}::test_a_cell_that_is_none_is_left_out_with_a_note",
            f"{_STRUCTURES}::test_an_mmcif_without_lengths_has_no_cell",
        ),
    ),
    Kind(
        "Atoms of unknown element: UNX, UNK, UNL in PDB and mmCIF",
        "left out, with a note",
        (
            f"{_STRUCTURES}::test_atoms_of_unknown_element_are_left_out",
            f"{_STRUCTURES}::test_atoms_of_unknown_element_are_left_out_of_mmcif",
        ),
    ),
    Kind(
        "Protonation by residue names, without hydrogens: HIP, HID, HIE, HSP, HSE, ASH, ASPP, GLH, "
        "GLUP, LYN, CYM",
        "obeyed, and printed",
        (f"{_PREPARE}::test_protonation_by_names_is_obeyed_and_printed",),
    ),
    Kind(
        "A residue without parameters: a sugar on ASN, an incomplete amino acid",
        "the one residue and its cause are named; an amino acid is never offered to be dropped",
        (
            f"{_STRUCTURES}::test_a_sugar_on_an_amino_acid_is_the_cause_that_is_named",
            f"{_STRUCTURES}::test_an_amino_acid_without_parameters_is_never_offered_to_be_dropped",
        ),
    ),
    Kind(
        "Four-point water, CMAP, repartitioned masses, virtual sites: Amber and GROMACS",
        "imported with the energy of the source",
        (
            f"{_PREPARE}::test_four_point_water_keeps_the_energy_of_its_source",
            f"{_PREPARE}::test_virtual_sites_of_gromacs_keep_the_energy_of_their_source",
            f"{_PREPARE}::test_repartitioned_masses_of_a_prmtop_change_no_energy",
        ),
    ),
    Kind(
        "A MISATO entry whose small molecule is not the last one",
        "the small molecule is the ligand",
        ("misato/test_misato.py::test_a_small_molecule_before_the_last_chain_is_the_ligand",),
    ),
    Kind(
        "OpenCL on a CPU, which calls itself fastest",
        "CPU by default; the platform that is named, everywhere",
        (
            "utils/test_choose_platform.py::test_opencl_without_a_gpu_is_not_even_tried",
            "utils/test_choose_platform.py::test_no_context_is_made_without_a_platform",
            "commands/test_options.py::test_a_platform_can_be_named_wherever_a_context_is_made",
        ),
    ),
    Kind(
        "Numbers beyond what is meant: cutoffs, masses, times, seeds",
        "refused in one line",
        (
            "md/test_limits.py::test_numbers_of_a_run",
            "md/test_limits.py::test_cutoffs_of_the_issue",
            "md/test_limits.py::test_times_that_cannot_be",
            "md/test_limits.py::test_seeds_of_a_run",
        ),
    ),
)
