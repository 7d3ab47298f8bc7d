"""Choice of the OpenMM platform: one function decides for every Context of this package."""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Mapping
from ctypes import POINTER, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Any

import openmm

from ..errors import InputError, one_line

OPENCL = "OpenCL"
ON_CPU = ("CPU", "Reference")
"""Platforms that compute on the CPU, whatever devices a machine has."""


def choose_platform(name: str | None = None) -> openmm.Platform:
    """The platform by this name, or without a name the fastest one that works.

    The order is CUDA, HIP, OpenCL on a GPU, CPU, Reference.  OpenCL on a CPU (pocl, Intel) is
    taken only by name: it is slower than OpenMM's CPU platform, and parts of it crash.

    Parameters
    ----------
    name : str, optional
        'CUDA', 'HIP', 'OpenCL', 'CPU', 'Reference' or that of another plug-in.

    Raises
    ------
    InputError
        There is no platform of that name.
    """
    if name is None:
        return openmm.Platform.getPlatformByName(fastest_platform())
    known = installed()
    for platform in known:
        if platform.getName() == name:
            return platform
    names = ", ".join(platform.getName() for platform in known)
    raise InputError(f"platform '{name}' is not installed; there are: {names}")


def installed() -> list[openmm.Platform]:
    """The platforms that OpenMM has loaded."""
    return [openmm.Platform.getPlatform(i) for i in range(openmm.Platform.getNumPlatforms())]


def caution(name: str | None) -> str:
    """One line on a platform that was asked for and is not to be trusted; empty for others.

    OpenMM prints its own warning on standard output, which the command line keeps for results.
    """
    if name != OPENCL or gpu_devices():
        return ""
    return (
        "no OpenCL device here is a GPU: OpenCL runs on the CPU, through an implementation that "
        "OpenMM does not support; results may be incorrect, and platform CPU is faster"
    )


@cache
def fastest_platform() -> str:
    """Name of the fastest platform on which a Context can be made, OpenCL on a CPU excepted."""
    for platform in sorted(installed(), key=lambda platform: -platform.getSpeed()):
        if platform.getName() in ON_CPU or _works(platform):
            return str(platform.getName())
    raise InputError("OpenMM has no platform that works; run `neuralmd doctor`")


def _works(platform: openmm.Platform) -> bool:
    """Test whether a Context of one particle can be made, and runs on a GPU if it is OpenCL."""
    opencl = platform.getName() == OPENCL
    if opencl and not gpu_devices():
        return False  # without a try, on which OpenMM warns of the implementation
    system = openmm.System()
    system.addParticle(1.0)
    try:
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    except openmm.OpenMMException:
        return False
    return not opencl or opencl_device(context) in gpu_devices()


def opencl_device(context: openmm.Context) -> tuple[int, int]:
    """Indices of the OpenCL platform and of the device that a Context uses."""
    properties = describe_platform(context)["properties"]
    first = properties["DeviceIndex"].split(",")[0]
    return int(properties["OpenCLPlatformIndex"]), int(first)


def new_context(
    system: openmm.System,
    integrator: openmm.Integrator,
    platform: str | None = None,
    properties: Mapping[str, str] | None = None,
) -> openmm.Context:
    """A Context on the platform of `choose_platform`.

    Parameters
    ----------
    platform : str, optional
        The fastest by default.
    properties : mapping, optional
        Platform properties, such as {'Precision': 'mixed'}.

    Raises
    ------
    InputError
        The platform is not there, or refuses its properties or a force of the System.
    """
    chosen = choose_platform(platform)
    try:
        return openmm.Context(system, integrator, chosen, dict(properties or {}))
    except openmm.OpenMMException as error:
        raise InputError(
            f"OpenMM cannot make a Context on platform {chosen.getName()}: {one_line(error)}"
        ) from error


def minimise_energy(context: openmm.Context, tolerance: float, iterations: int) -> None:
    """Minimise the energy of a Context's positions by OpenMM's L-BFGS.

    The minimiser's kernels of OpenMM 8.6 end Python with a segmentation fault under pocl; a Context
    on OpenCL without a GPU is therefore minimised in a copy on the CPU platform.

    Parameters
    ----------
    tolerance : float
        kJ/mol/nm, root mean square of the forces.
    iterations : int
        At most; 0 for no limit.

    Raises
    ------
    openmm.OpenMMException
        The energy is not a number.
    """
    if context.getPlatform().getName() != OPENCL or opencl_device(context) in gpu_devices():
        openmm.LocalEnergyMinimizer.minimize(context, tolerance, iterations)
        return
    integrator, cpu = openmm.VerletIntegrator(0.001), choose_platform("CPU")
    copy = openmm.Context(context.getSystem(), integrator, cpu)
    copy.setState(context.getState(positions=True, parameters=True))
    openmm.LocalEnergyMinimizer.minimize(copy, tolerance, iterations)
    context.setPositions(copy.getState(positions=True).getPositions(asNumpy=True))


def describe_platform(context: openmm.Context) -> dict[str, Any]:
    """Name and properties in force of a Context's platform, for records."""
    platform = context.getPlatform()
    used = {name: platform.getPropertyValue(context, name) for name in platform.getPropertyNames()}
    return {"name": platform.getName(), "properties": used}


_LIBRARY = "libOpenCL.so.1"
# Constants and signatures of the OpenCL 1.2 specification, sections 4.1 and 4.2.
_ALL_DEVICES = c_uint64(0xFFFFFFFF)
_DEVICE_TYPE = c_uint32(0x1000)
_TYPE_GPU = 1 << 2
_HANDLES = POINTER(c_void_p)
_COUNT = POINTER(c_uint32)


@cache
def gpu_devices() -> frozenset[tuple[int, int]]:
    """Index of the OpenCL platform and index in it, of each device that is a GPU.

    The indices are those of OpenMM's properties `OpenCLPlatformIndex` and `DeviceIndex`.  The set
    is empty where there is no OpenCL library.
    """
    library = _load()
    if library is None:
        return frozenset()
    return frozenset(
        (number, index)
        for number, platform in enumerate(_platforms(library))
        for index, device in enumerate(_devices(library, platform))
        if _type(library, device) & _TYPE_GPU
    )


def _load() -> ctypes.CDLL | None:
    for name in (_LIBRARY, ctypes.util.find_library("OpenCL")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None:
            library.clGetPlatformIDs.argtypes = (c_uint32, _HANDLES, _COUNT)
            library.clGetDeviceIDs.argtypes = (c_void_p, c_uint64, c_uint32, _HANDLES, _COUNT)
            library.clGetDeviceInfo.argtypes = (
                *(c_void_p, c_uint32, c_size_t, c_void_p),
                POINTER(c_size_t),
            )
            for function in ("clGetPlatformIDs", "clGetDeviceIDs", "clGetDeviceInfo"):
                getattr(library, function).restype = c_int32
            return library
    return None


def _platforms(library: ctypes.CDLL) -> list[int | None]:
    count = c_uint32(0)
    if library.clGetPlatformIDs(0, None, ctypes.byref(count)) != 0 or not count.value:
        return []
    handles = (c_void_p * count.value)()
    library.clGetPlatformIDs(count, handles, None)
    return list(handles)


def _devices(library: ctypes.CDLL, platform: int | None) -> list[int | None]:
    count = c_uint32(0)
    arguments = (platform, _ALL_DEVICES)
    if library.clGetDeviceIDs(*arguments, 0, None, ctypes.byref(count)) != 0 or not count.value:
        return []
    handles = (c_void_p * count.value)()
    library.clGetDeviceIDs(*arguments, count, handles, None)
    return list(handles)


def _type(library: ctypes.CDLL, device: int | None) -> int:
    value = c_uint64(0)
    library.clGetDeviceInfo(device, _DEVICE_TYPE, ctypes.sizeof(value), ctypes.byref(value), None)
    return value.value
