"""What the driver says of itself and of its GPUs, as plain data, and what to tell people of it (pure)."""

from __future__ import annotations

from dataclasses import dataclass

# Environment variable with the folder of what a run asks once: set by the run, and so for its workers and children.
FOLDER = "NAV_PROBES"

NONE = "no CUDA device"


@dataclass(frozen=True)
class Gpu:
    """One GPU that this run may use.

    Attributes:
        name: "NVIDIA H200".
        memory: MiB.
        compute_capability: "9.0".
        power_limit: W; None where the driver does not tell.
    """

    name: str
    memory: int
    compute_capability: str
    power_limit: float | None = None

    @property
    def architecture(self) -> str:
        """The compute capability as compilers write it, "sm_90"."""
        return f"sm_{self.compute_capability.replace('.', '')}"


@dataclass(frozen=True)
class Devices:
    """What CUDA programs find on this machine.

    Attributes:
        gpus: in CUDA's order; what CUDA_VISIBLE_DEVICES hides is not among them.
        driver: version of NVIDIA's driver ("580.65.06"); "" where it does not tell.
        cuda: newest CUDA that the driver runs ("13.0"); "" without a driver.
        problem: why CUDA cannot be used although a driver is there; "" otherwise.
    """

    gpus: tuple[Gpu, ...] = ()
    driver: str = ""
    cuda: str = ""
    problem: str = ""

    @property
    def missing(self) -> str | None:
        """Why nothing can run on a GPU here; None when it can."""
        if self.problem:
            return self.problem
        return None if self.gpus else NONE

    def too_old(self, library: str, cuda: str) -> str | None:
        """Return that the driver cannot run a library's CUDA ("13.0"); None when it can, or nobody knows.

        A driver runs every minor version of its own major version and all before it.
        """
        if not self.cuda or not cuda or _major(self.cuda) >= _major(cuda):
            return None
        return f"the driver (CUDA {self.cuda}) is older than {library}'s CUDA {cuda}"


def unusable(why: str) -> str:
    """Return the text of a driver in trouble."""
    return f"CUDA is visible but unusable ({why})"


def devices_line(devices: Devices) -> str:
    """Return all GPUs, driver and CUDA for a header: "2 x NVIDIA H200 (sm_90, 143771 MiB), driver 570.1, CUDA 12.8"."""
    if devices.missing:
        return devices.missing
    names = [f"{gpu.name} ({gpu.architecture}, {gpu.memory} MiB)" for gpu in devices.gpus]
    parts = [f"{count} x {name}" if (count := names.count(name)) > 1 else name for name in dict.fromkeys(names)]
    parts += [f"driver {devices.driver}"] if devices.driver else []
    return ", ".join([*parts, f"CUDA {devices.cuda}"])


def _major(version: str) -> int:
    return int(version.partition(".")[0])
