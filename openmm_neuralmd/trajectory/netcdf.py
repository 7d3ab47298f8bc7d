"""Headers of NetCDF trajectories, checked before MDTraj allocates what they promise."""

from __future__ import annotations

from pathlib import Path

from scipy.io import netcdf_file

_CLASSIC = (b"CDF\x01", b"CDF\x02")


def check_netcdf(path: Path) -> None:
    """Check that a file of the classic format is as long as its header says.

    Its variables are mapped, not read: a damaged number of snapshots costs no memory.  NetCDF-4
    files are HDF5 files, whose library checks them.

    Raises
    ------
    ValueError, TypeError, LookupError, AssertionError
        The header is damaged, or promises more than the file holds.
    """
    with path.open("rb") as file:
        if file.read(4) not in _CLASSIC:
            return
    try:
        netcdf_file(str(path), mmap=True).close()
    except SyntaxError as error:  # of a type that SciPy writes down from the variables' names
        raise ValueError(f"strange names of variables: {error}") from error
