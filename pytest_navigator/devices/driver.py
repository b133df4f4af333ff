"""Asks NVIDIA's driver, in a process of its own that may hang or crash: `python driver.py SECONDS`.

Prints one line of JSON. Imports the standard library only, so that nothing else can be what went wrong.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from ctypes import byref, c_int
from typing import Any

# CUDA_ERROR_NO_DEVICE: the driver is well, and has no GPU or may show none (CUDA_VISIBLE_DEVICES is empty).
NO_DEVICE = 100

MAJOR, MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR

MIB = 2**20
TEXT = 256


def main() -> None:
    """Print what `found` returns; anything that the driver prints goes to stderr."""
    signal.alarm(int(float(sys.argv[1])) + 1)  # should nobody be left who would end this process
    answer = os.dup(1)
    os.dup2(2, 1)
    os.write(answer, json.dumps(found()).encode())
    os._exit(0)  # a driver in trouble crashes in its exit handlers


def found() -> dict[str, Any]:
    """Return the driver's error code (0: none; None: there is no driver), its versions and its GPUs."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return {"error": None}
    nvml = _nvml()
    versions = {"cuda": _cuda_version(cuda), "driver": _driver_version(nvml)}
    count = c_int()
    error = cuda.cuInit(0) or cuda.cuDeviceGetCount(byref(count))
    if error in (0, NO_DEVICE):
        return {"error": 0, **versions, "gpus": [_gpu(cuda, nvml, index) for index in range(count.value)]}
    return {"error": error, **versions}


def _nvml() -> ctypes.CDLL | None:
    try:
        nvml = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return None if nvml.nvmlInit_v2() else nvml


def _cuda_version(cuda: ctypes.CDLL) -> str:
    # 12040 stands for "12.4".
    number = c_int()
    if cuda.cuDriverGetVersion(byref(number)):
        return ""
    return f"{number.value // 1000}.{number.value % 1000 // 10}"


def _driver_version(nvml: ctypes.CDLL | None) -> str:
    text = ctypes.create_string_buffer(TEXT)
    if nvml is None or nvml.nvmlSystemGetDriverVersion(text, TEXT):
        return ""
    return text.value.decode()


def _gpu(cuda: ctypes.CDLL, nvml: ctypes.CDLL | None, index: int) -> dict[str, Any]:
    device, name, memory = c_int(), ctypes.create_string_buffer(TEXT), ctypes.c_size_t()
    cuda.cuDeviceGet(byref(device), index)
    cuda.cuDeviceGetName(name, TEXT, device)
    cuda.cuDeviceTotalMem_v2(byref(memory), device)
    return {
        "name": name.value.decode(errors="replace"),
        "memory": memory.value // MIB,
        "compute_capability": f"{_attribute(cuda, MAJOR, device)}.{_attribute(cuda, MINOR, device)}",
        "power_limit": _power_limit(cuda, nvml, device),
    }


def _attribute(cuda: ctypes.CDLL, attribute: int, device: c_int) -> int:
    value = c_int()
    cuda.cuDeviceGetAttribute(byref(value), attribute, device)
    return value.value


def _power_limit(cuda: ctypes.CDLL, nvml: ctypes.CDLL | None, device: c_int) -> float | None:
    """Return W; NVML counts devices that CUDA does not, so the PCI address tells which one is meant."""
    address, handle, milliwatts = ctypes.create_string_buffer(TEXT), ctypes.c_void_p(), ctypes.c_uint()
    failed = (
        nvml is None
        or cuda.cuDeviceGetPCIBusId(address, TEXT, device)
        or nvml.nvmlDeviceGetHandleByPciBusId_v2(address, byref(handle))
        or nvml.nvmlDeviceGetPowerManagementLimit(handle, byref(milliwatts))
    )
    return None if failed else milliwatts.value / 1000


if __name__ == "__main__":
    main()
