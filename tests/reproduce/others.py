"""The same for models of the other sources: TensorFlow, JAX, functions, model files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.forking import TENSORFLOW, TORCH, preload
from tests.reproduce.project import Project, make_project, run_plugin, unpack, write_user

if TYPE_CHECKING:
    from pathlib import Path

MODELS = '''
def make_keras():
    import keras

    words, weight = keras.Input((None, 3), name="words"), keras.Input((4,), name="weight-1")
    hidden = keras.layers.GlobalAveragePooling1D()(keras.layers.Dense(4, "gelu")(words))
    hidden = keras.layers.Multiply()([hidden, weight])
    return keras.Model([words, weight], {"logits": keras.layers.Dense(2)(hidden), "hidden": hidden})


def make_leaning():
    """Another function when it is traced: every export is wrong."""
    import tensorflow as tf

    class Leaning(tf.Module):
        def __call__(self, x):
            return x if tf.executing_eagerly() else x + 1.0

    return Leaning()


def make_eager():
    """Looks at values, which no export can."""
    import tensorflow as tf

    class Eager(tf.Module):
        def __call__(self, x):
            return x * float(x.numpy().ndim)

    return Eager()


def make_uncommon():
    """Has an operation that ONNX lacks."""
    import tensorflow as tf

    class Uncommon(tf.Module):
        def __call__(self, x):
            return tf.math.bessel_i0e(x)

    return Uncommon()


def make_flat():
    import jax.numpy as jnp

    return lambda params, x: {"sum": (x @ params["w"]).sum(1), "y": jnp.tanh(x)}, {"w": jnp.ones((4, 2))}


def make_values():
    """Takes one way or the other by its values: nothing compiles it."""

    def model(params, x):
        return x * params["scale"] if x.sum() > 0 else -x

    return model, {"scale": 2.0}


def make_traced():
    """Another function when it is traced."""
    import jax

    def model(params, x):
        return x + params["offset"] if isinstance(x, jax.core.Tracer) else x

    return model, {"offset": 1.0}


def make_function():
    def model(x, weight):
        if len(x) > 6:
            raise ValueError(f"{len(x)} rows are too many")
        return {"sum": x.sum(1), "product": x * weight}

    return model
'''

ROWS = '[np.random.rand(n, 4).astype("f4") for n in (1, 3)]'
PAIRS = '[(np.random.rand(n, 4).astype("f4"), np.random.rand(n, 1).astype("f4")) for n in (1, 3)]'
WORDS = '[(np.random.rand(n, n + 2, 3).astype("f4"), np.random.rand(n, 4).astype("f4")) for n in (1, 3)]'

LIVE = {
    "keras": ("framework='tensorflow', batch_sizes=[2]", WORDS),
    "leaning": ("framework='tensorflow', profile=False", ROWS),
    "eager": ("framework='tensorflow', profile=False", ROWS),
    "uncommon": ("framework='tensorflow', profile=False", ROWS),
    "flat": ("framework='jax', batch_sizes=[2]", ROWS),
    "values": ("framework='jax', profile=False", ROWS),
    "traced": ("framework='jax', profile=False, formats=['stablehlo']", ROWS),
    "function": ("framework='python', batch_sizes=[2, 7]", PAIRS),
}
"""Name of a model -> its configuration and its samples."""

TEST = """
import numpy as np, pytest, models
from pytest_navigator import NavConfig

nav_config = NavConfig(name="{name}", {config})
nav_model = pytest.fixture(scope="module")(models.make_{name})

@pytest.fixture(scope="module")
def nav_dataloader():
    return {samples}
"""

CONFTEST = """
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).parent))
"""

FILES = {
    "graph.onnx": ("flat", "onnx/model.onnx"),
    "saved": ("uncommon", "tf-savedmodel/model.savedmodel"),
    "script.pt": ("linear", "torchscript-trace/model.pt"),
    "program.pt2": ("half", "torch-exportedprogram/model.pt2"),
}
"""Name of a model file -> in which package it is, and where."""

OTHERS = [*LIVE, *(name.partition(".")[0] for name in FILES)]
MODULES = "jax, tensorflow, tf2onnx"
RUNTIMES = "--nav-runtimes=cpu,JAX,JAXJit,PythonRunner"


def make_others(root: Path, unpacked: Path) -> Project:
    """Write the project, run it once for the live models and once for the files, and unpack its packages."""
    files = {f"test_{n}.py": TEST.format(name=n, config=c, samples=samples) for n, (c, samples) in LIVE.items()}
    for name, content in {"models.py": MODELS, "conftest.py": CONFTEST, **files}.items():
        (root / name).write_text(content)
    preload(TENSORFLOW)
    report = run_plugin(root, RUNTIMES)
    preload(TORCH)
    unpack(root, unpacked, LIVE)
    _run_files(root, unpacked)
    write_user(unpacked, MODELS)
    return Project(root, unpacked, report, tuple(OTHERS))


def _run_files(root: Path, unpacked: Path) -> None:
    folder, torch = root / "files", root / "of_torch"
    folder.mkdir()
    (torch / "unpacked").mkdir(parents=True)
    models = tuple(model for model, _ in FILES.values() if model not in LIVE)
    make_project(
        torch, torch / "unpacked", models, "--nav-formats=torchscript-trace,torch-exportedprogram", "--nav-no-profile"
    )
    for name, (model, place) in FILES.items():
        path = (unpacked if model in LIVE else torch / "unpacked") / model / place
        (shutil.copytree if path.is_dir() else shutil.copy)(path, folder / name)
    (folder / "script.pt.yaml").write_text("inputs:\n  input: {shape: [-1, 5], dtype: float32}\n")
    run_plugin(folder, "--nav-batch-sizes=2", "--nav-runtimes=cpu", *(f"--nav-model={name}" for name in FILES))
    unpack(folder, unpacked, (name.partition(".")[0] for name in FILES))
