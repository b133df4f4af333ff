"""What a large package costs: pack, open, one runner's figures, one format; against `cp` of the same bytes.

    python benchmarks/package.py                # a package of 3 GiB: needs three times that on the disk
    python benchmarks/package.py --size 0.2

Prints Markdown: the median and the range of interleaved runs, each in a process of its own, with its peak memory.
`sync` is part of what is timed, since packing ends with fsync; `sha256` is reading the same bytes and hashing them
once. The memory is VmHWM: what getrusage says includes the peak of the process that started this one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from costs import table

HERE = Path(__file__).parent
TESTS = HERE.parent / "tests" / "package"
BLOCK = 2**26
HEADINGS = ("what", "median (s)", "range (s)", "by cp", "peak memory (MiB)")

TIMED = """
import os, re, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
{imports}
begin = time.perf_counter()
{body}
wall = time.perf_counter() - begin
print(wall, int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))[1]) / 1024)
"""
COPY = "import shutil"
OPEN = """
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.layout.recorded import recorded
"""
WORK = {
    "cp and sync": (
        COPY,
        'shutil.copyfile(folder / "out.nav", folder / "copy.nav")\n'
        'with (folder / "copy.nav").open("rb+") as file:\n    os.fsync(file.fileno())',
    ),
    "sha256": (
        "import hashlib",
        'with (folder / "out.nav").open("rb") as file:\n    hashlib.file_digest(file, "sha256")',
    ),
    "pack": (
        "from pytest_navigator.package.container.writer import pack",
        'pack(folder / "workspace" / "linear", folder / "again.nav")',
    ),
    "open": (OPEN, 'open_package(folder / "out.nav").close()'),
    "one runner's figures": (
        OPEN,
        'with open_package(folder / "out.nav") as package:\n    assert recorded(package).profiles("torch", "TorchCPU")',
    ),
    "extract one format": (
        OPEN,
        'with open_package(folder / "out.nav") as package:\n    package.extract(["onnx/model.onnx"], folder / "out")',
    ),
    "verify": (OPEN, 'with open_package(folder / "out.nav") as package:\n    package.verify()'),
}


@dataclass(frozen=True)
class Cost:
    """Wall time in s, peak memory in MiB."""

    wall: float
    memory: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=float, default=3.0, help="of the package, GiB")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where there is space (default: the folder for temporary files)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        write_workspace(folder / "workspace" / "linear", int(arguments.size * 2**30))
        measured(folder, "pack")
        shutil.move(folder / "again.nav", folder / "out.nav")
        costs: dict[str, list[Cost]] = {what: [] for what in WORK}
        for _ in range(arguments.repetitions):
            for what, found in costs.items():
                found.append(measured(folder, what))
        size = (folder / "out.nav").stat().st_size
    runs = f"{arguments.repetitions} interleaved runs"
    print(f"A package of {size / 2**30:.2f} GiB; {runs}; load average {os.getloadavg()[1]:.1f}.\n")
    print(table(HEADINGS, rows(costs)))


def write_workspace(folder: Path, size: int) -> None:
    """Write what a run leaves, the recorded one of the tests, with models of `size` bytes in all."""
    sys.path.insert(0, str(TESTS))
    import recorded

    from pytest_navigator.core.plain import save

    steps = recorded.outcomes()
    save(folder / "suite.json", recorded.suite(steps))
    save(folder / "signature.json", recorded.SIGNATURE)
    for number, outcome in enumerate(steps):
        save(folder / ".steps" / f"{outcome.id}.{number}.json", outcome)
    for name in ("onnx/model.onnx", "torchscript-trace/model.pt"):
        (folder / name).parent.mkdir()
        with (folder / name).open("wb") as file:
            for start in range(0, size // 2, BLOCK):
                file.write(os.urandom(min(BLOCK, size // 2 - start)))


def measured(folder: Path, what: str) -> Cost:
    """Run one thing in a fresh process."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    for name in ("copy.nav", "again.nav"):
        (folder / name).unlink(missing_ok=True)
    os.sync()
    imports, body = WORK[what]
    program = TIMED.format(imports=imports, body=body)
    ran = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, encoding="utf-8", check=True)
    wall, memory = ran.stdout.split()[-2:]
    return Cost(float(wall), float(memory))


def rows(costs: dict[str, list[Cost]]) -> list[list[str]]:
    """Return a row for each thing that was measured."""
    copy = statistics.median(cost.wall for cost in costs["cp and sync"])
    return [
        [
            what,
            f"{(median := statistics.median(cost.wall for cost in found)):.3g}",
            f"{min(cost.wall for cost in found):.3g} to {max(cost.wall for cost in found):.3g}",
            f"{median / copy:.2f}",
            f"{max(cost.memory for cost in found):.0f}",
        ]
        for what, found in costs.items()
    ]


if __name__ == "__main__":
    main()
