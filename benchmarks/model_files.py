"""Which of these ONNX files pass, and why the others do not: one run of pytest for each, as a user would start it.

    python benchmarks/model_files.py models/ other.onnx
    python benchmarks/model_files.py --configs=benchmarks/model_files.yaml --logs=logs models/

Takes files and folders, whose .onnx files it finds at any depth. A run checks one file with --nav-runtimes=cpu on
random data, without any configuration unless `--configs` names a YAML file that has one for it: {pattern of the path:
what --nav-config takes}; the first pattern that fits counts. Prints Markdown; ends with 1 if a file did not pass.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx
import yaml
from costs import table

from pytest_navigator.comparison.tolerances import number
from pytest_navigator.package.container.reader import open_package

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HEADINGS = ("file", "opset", "inputs", "configured", "passed", "max abs", "p50 ms", "why not, or what it says")
SHOWN = 4
"""Inputs that are listed, at most."""

Configs = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Found:
    """What one run left.

    Attributes:
        ended: how the command ended: "" if it wrote a package.
        steps: of the package, by name.
    """

    ended: str
    steps: Mapping[str, dict[str, Any]]

    @property
    def passed(self) -> bool:
        """Whether nothing failed and each kind of step passed; a batch size that the file does not take is skipped."""
        good = {step["step"] for step in self.steps.values() if step["status"] == "passed"}
        failed = any(step["status"] == "failed" for step in self.steps.values())
        return not self.ended and not failed and good == {"source", "correctness", "profile"}


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--configs", type=Path, help="YAML: {pattern of the path: content of --nav-config}")
    parser.add_argument("--seconds", default="0.3", help="limit of one measurement, --nav-profile-seconds")
    parser.add_argument("--timeout", type=float, default=300, help="s of one run")
    parser.add_argument("--logs", type=Path, help="folder for what pytest prints")
    arguments = parser.parse_args()
    configs: Configs = yaml.safe_load(arguments.configs.read_text(encoding="utf-8")) if arguments.configs else {}
    print(table(HEADINGS, []), flush=True)
    passed = []
    for path in files(arguments.paths):
        config = next((own for pattern, own in configs.items() if fnmatchcase(str(path), pattern)), {})
        found = check(path, config, arguments)
        print(line(row(path, config, found)), flush=True)
        passed.append(found.passed)
    print(f"\n{sum(passed)} of {len(passed)} files passed; load average {os.getloadavg()[1]:.1f}.")
    return int(not all(passed))


def files(paths: Iterable[Path]) -> list[Path]:
    """Return the ONNX files among and below the paths."""
    return [
        path.resolve() for given in paths for path in (sorted(given.rglob("*.onnx")) if given.is_dir() else [given])
    ]


def check(path: Path, config: dict[str, Any], arguments: argparse.Namespace) -> Found:
    """Run pytest on one file, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "pytest", "-p", "pytest_navigator.plugin", f"--nav-model={path}"]
        command += ["--nav-runtimes=cpu", f"--nav-profile-seconds={arguments.seconds}", "--nav-package=out.nav"]
        if config:
            (folder / "nav.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
            command.append("--nav-config=nav.yaml")
        output, ended = run(command, folder, arguments.timeout)
        if arguments.logs:
            arguments.logs.mkdir(parents=True, exist_ok=True)
            (arguments.logs / f"{label(path).replace('/', '__')}.log").write_text(output, encoding="utf-8")
        package = folder / "out.nav"
        if not package.exists():
            return Found(ended or last_error(output), {})
        with open_package(package) as opened:
            opened.verify()
            return Found(ended, opened.details["steps"])


def run(command: list[str], folder: Path, timeout: float) -> tuple[str, str]:
    """Return what a command printed, and why it was ended; "" if it ended itself."""
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, timeout=timeout, encoding="utf-8", capture_output=True, check=False
        )
    except subprocess.TimeoutExpired as error:
        return (error.stdout or b"").decode(), f"no end after {timeout:g} s"
    return done.stdout + done.stderr, ""


def last_error(output: str) -> str:
    """Return the last line in which pytest says what is wrong."""
    errors = [line.removeprefix("ERROR: ") for line in output.splitlines() if line.startswith("ERROR: ")]
    return errors[-1] if errors else output.strip().splitlines()[-1]


def row(path: Path, config: dict[str, Any], found: Found) -> list[str]:
    """Return the cells of one file."""
    opset, inputs = facts(path)
    good = [name for name, step in found.steps.items() if step["status"] == "passed"]
    passed = "all" if found.passed else ", ".join(dict.fromkeys(name.split(".")[0] for name in good)) or "-"
    return [label(path), opset, inputs, ", ".join(config) or "-", passed, largest(found), latency(found), why(found)]


def facts(path: Path) -> tuple[str, str]:
    """Return the opset and the inputs of a file, by its own words."""
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        return "-", type(error).__name__
    weights = {tensor.name for tensor in model.graph.initializer}
    texts = [text(value) for value in model.graph.input if value.name not in weights]
    more = [f"{len(texts) - SHOWN} more"] if len(texts) > SHOWN else []
    opsets = [f"{each.domain} {each.version}".strip() for each in model.opset_import]
    return ", ".join(opsets), ", ".join(texts[:SHOWN] + more) or "none"


def text(value: onnx.ValueInfoProto) -> str:
    """Return name, type and shape of an input."""
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        return f"{value.name} {str(kind).removesuffix('_type')}"
    tensor = value.type.tensor_type
    sizes = [dim.dim_param or str(dim.dim_value if dim.HasField("dim_value") else "?") for dim in tensor.shape.dim]
    return f"{value.name} {onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}[{', '.join(sizes)}]"


def largest(found: Found) -> str:
    """Return the largest absolute difference over all outputs."""
    outputs = [out for step in found.steps.values() for out in (step.get("data") or {}).get("outputs", ())]
    values = [float(out["atol"]) for out in outputs if out.get("atol") is not None]
    return number(max(values)) if values else "-"


def latency(found: Found) -> str:
    """Return the median of one inference at the smallest batch."""
    results = [(step.get("data") or {}).get("result") for step in found.steps.values() if step["step"] == "profile"]
    return number(min(result["p50_latency"] for result in results if result)) if any(results) else "-"


def why(found: Found) -> str:
    """Return what went wrong first, or what a step that passed notes; without the caveats of the measurements."""
    said = [
        step.get("message", "")
        for status in ("failed", "skipped", "passed")
        for step in found.steps.values()
        if step["status"] == status and (step["step"] != "profile" or status == "failed")
    ]
    return found.ended or next(filter(None, said), "-")


def label(path: Path) -> str:
    """Return the file's name with its folder's: many files are called model.onnx."""
    return f"{path.parent.name}/{path.name}"


def line(cells: list[str]) -> str:
    """Return a line of a Markdown table."""
    return f"| {' | '.join(' '.join(cell.split()).replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    sys.exit(main())
