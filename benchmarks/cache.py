"""What `--nav-cache` saves: a first, a second and a third run of pytest on one model file, as a user would start them.

    python benchmarks/cache.py model.pt --inputs=x:-1,3,224,224:float32
    python benchmarks/cache.py saved_model/ --runs=3 --workers=2

Without a file, a SavedModel of `--layers` dense layers is made. Prints Markdown: wall time of each run, its steps that
passed and were cached, and the size of the cache. Only formats on the CPU, and no profile items.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from costs import table

HEADINGS = ("run", "s", "steps passed", "of these cached", "cache (MiB)")
MAKE = """
import keras, sys, tensorflow as tf
keras.utils.set_random_seed(0)
width = 1024
model = keras.Sequential([keras.Input((width,)), *[keras.layers.Dense(width, "gelu") for _ in range(int(sys.argv[2]))]])
call = tf.function(lambda x: {"y": model(x)}, input_signature=[tf.TensorSpec((None, width), tf.float32, name="x")])
model.call_x = call
tf.saved_model.save(model, sys.argv[1], signatures={"serving_default": call.get_concrete_function()})
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--inputs", help="as --nav-inputs")
    parser.add_argument("--layers", type=int, default=48)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = given.model.absolute() if given.model else made(Path(folder, "saved_model"), given.layers)
        more = [
            *([f"--nav-inputs={given.inputs}"] if given.inputs else []),
            *([f"-n{given.workers}"] * bool(given.workers)),
        ]
        print(table(HEADINGS, [run(i, model, Path(folder), more) for i in range(given.runs)]))


def made(path: Path, layers: int) -> Path:
    """Save a model; in a process of its own, which takes its memory with it."""
    subprocess.run([sys.executable, "-c", MAKE, str(path), str(layers)], check=True, capture_output=True)
    return path


def run(index: int, model: Path, folder: Path, more: list[str]) -> tuple[str, ...]:
    """Run pytest once; returns a row."""
    own = [
        "-v",
        "--nav-cache=cache",
        "--nav-no-profile",
        "--nav-runtimes=cpu",
        f"--nav-model={model}",
        "--nav-package=out.nav",
    ]
    begin = time.perf_counter()
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *own, *more], cwd=folder, capture_output=True, encoding="utf-8", check=False
    )
    seconds = time.perf_counter() - begin
    if ended.returncode:
        sys.exit(ended.stdout + ended.stderr)
    passed, cached = len(re.findall(r"\bPASSED\b", ended.stdout)), len(re.findall(r"PASSED \(cached", ended.stdout))
    size = sum(path.stat().st_size for path in (folder / "cache").rglob("*") if path.is_file())
    return str(index + 1), f"{seconds:.1f}", str(passed), str(cached), f"{size / 2**20:.1f}"


if __name__ == "__main__":
    main()
