"""Types of the OpenCL devices of this machine, asked of the OpenCL library itself.

OpenMM lists names of devices but not whether a device is a GPU; drivers such as pocl run OpenCL on
the CPU.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import POINTER, c_int32, c_size_t, c_uint32, c_uint64, c_void_p
from functools import cache

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
