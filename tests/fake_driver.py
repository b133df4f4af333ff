"""A libcuda and an NVML of our own: real shared libraries, which a process finds through LD_LIBRARY_PATH."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="the driver of these tests is compiled by gcc")

CUDA = r"""
#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <unistd.h>

static const char *names[] = {NAMES};
static const int capabilities[] = {CAPABILITIES};
static int shown[64], count;

/* What CUDA_VISIBLE_DEVICES means: numbers, up to the first one that there is not. */
static void look(void) {
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    int total = COUNT;
    count = 0;
    if (!visible) { for (; count < total; count++) shown[count] = count; return; }
    char *copy = strdup(visible);
    for (char *each = strtok(copy, ","); each; each = strtok(0, ",")) {
        int index = atoi(each);
        if (index < 0 || index >= total) break;
        shown[count++] = index;
    }
    free(copy);
}

int cuInit(unsigned flags) {
    FILE *log = fopen(LOG, "a");
    fprintf(log, "%d\n", (int)getpid());
    fclose(log);
    ON_INIT;
    look();
    return ERROR ? ERROR : (count ? 0 : 100);
}
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuDeviceGetCount(int *found) { *found = count; return 0; }
int cuDeviceGet(int *device, int index) { *device = shown[index]; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, names[device], length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)MEMORY << 20; return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? capabilities[device] / 10 : capabilities[device] % 10;
    return 0;
}
int cuDeviceGetPCIBusId(char *address, int length, int device) { snprintf(address, length, "%d", device); return 0; }
"""

NVML = r"""
#include <string.h>
#include <unistd.h>

typedef struct { unsigned pid; unsigned long long used; unsigned gpu, compute; } Process;
typedef struct { unsigned long long total, free, used; } Memory;
static unsigned long long used;

int nvmlInit_v2(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned length) { strncpy(text, "570.1", length); return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *address, void **device) { *device = (void *)1; return 0; }
int nvmlDeviceGetPowerManagementLimit(void *device, unsigned *milliwatts) { *milliwatts = 700000; return 0; }
int nvmlDeviceGetClockInfo(void *device, int type, unsigned *clock) { *clock = 1980; return 0; }
/* Each look finds more in use. */
int nvmlDeviceGetMemoryInfo(void *device, Memory *memory) {
    used += 100ull << 20;
    memory->total = 1000ull << 20; memory->used = used; memory->free = memory->total - used;
    return 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count, Process *processes) {
    *count = 2;
    processes[0] = (Process){1, 7ull << 20, 0, 0};
    processes[1] = (Process){KNOWN ? getpid() : 2, 512ull << 20, 0, 0};
    return 0;
}
"""


@dataclass(frozen=True)
class Driver:
    """What the driver says.

    Attributes:
        gpus: name and compute capability of each.
        version: newest CUDA, as the driver writes it.
        error: that cuInit returns; on_init: C statement that it runs first.
        known: whether NVML tells which process uses how much memory.
    """

    gpus: tuple[tuple[str, str], ...] = (("NVIDIA H200", "9.0"),)
    version: int = 12080
    error: int = 0
    on_init: str = ""
    known: bool = True

    def build(self, folder: Path) -> Path:
        """Compile it; returns the folder for LD_LIBRARY_PATH."""
        folder.mkdir(exist_ok=True)
        values = {
            "NAMES": ", ".join(f'"{name}"' for name, _ in self.gpus) or "0",
            "CAPABILITIES": ", ".join(capability.replace(".", "") for _, capability in self.gpus) or "0",
            "COUNT": len(self.gpus),
            "LOG": f'"{folder / "asked.txt"}"',
            "ON_INIT": self.on_init,
            "ERROR": self.error,
            "VERSION": self.version,
            "MEMORY": 143771,
            "KNOWN": int(self.known),
        }
        for name, code in (("libcuda.so.1", CUDA), ("libnvidia-ml.so.1", NVML)):
            source = folder / f"{name}.c"
            source.write_text("".join(f"#define {key} {value}\n" for key, value in values.items()) + code)
            subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", folder / name, source], check=True)
        return folder


def times_asked(folder: Path) -> int:
    """Return in how many processes the driver was initialised."""
    log = folder / "asked.txt"
    return len(set(log.read_text().split())) if log.exists() else 0
