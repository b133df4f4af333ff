"""A model that cannot run on the first row of a sample is told whose call that was: in every framework alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_navigator.backends.jax.source import JaxFramework
from pytest_navigator.backends.python.source import PythonFramework
from pytest_navigator.backends.tensorflow.source import TensorFlowFramework
from pytest_navigator.engine.inference import AT_BATCH_1, SourceModel
from pytest_navigator.engine.row_hints import row_hint
from pytest_navigator.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.frameworks.base import Source

OURS = "; this call, on the first row of a sample, is a check of ours: where the model takes no batch of 1, say that "
TREE = {"args": [{"leaf": "x"}], "kwargs": []}


def normalised(x: Any) -> Any:
    if x.shape[0] == 1:
        raise ValueError("at least two rows")
    return x - x.mean(0)


def of_jax() -> Source:
    pytest.importorskip("jax")
    return JaxFramework().source(normalised, {})


def of_keras() -> Source:
    pytest.importorskip("tensorflow")
    import keras

    class Normalised(keras.Model):
        def call(self, x: Any) -> Any:
            if x.shape[0] == 1:
                raise ValueError("at least two rows")
            return x - keras.ops.mean(x, 0)

    return TensorFlowFramework().source(Normalised(), {})


def of_python() -> Source:
    return PythonFramework().source(normalised, {})


@pytest.mark.parametrize("made", [of_jax, of_keras, of_python])
def test_a_first_row_that_a_model_refuses_was_our_call(made: Callable[[], Source]) -> None:
    model = SourceModel(made(), TREE, None, row_hint=row_hint(1, batch_1_is_given=False, in_file=False))
    batch = np.arange(8, dtype=np.float32).reshape(2, 4)
    (y,) = model({"x": batch}, "sample 0").values()
    np.testing.assert_array_equal(y, batch - batch.mean(0))
    with pytest.raises(InferenceError, match="at least two rows") as caught:
        model({"x": batch[:1]}, f"sample 0{AT_BATCH_1}")
    assert str(caught.value).endswith(f"{OURS}nothing is to be cut into rows, NavConfig(batch_dim=None)")
    with pytest.raises(InferenceError, match="at least two rows") as caught:
        model({"x": batch[:1]}, "sample 1")
    assert "check of ours" not in str(caught.value)


def test_a_batch_of_1_that_the_loader_gives_is_the_models_to_take() -> None:
    assert row_hint(1, batch_1_is_given=True, in_file=False) == ""
    several = row_hint(2, batch_1_is_given=True, in_file=False)
    assert several.startswith("; an input that has no batch is to be named: NavConfig(unbatched=[...]); ")


def test_with_several_inputs_both_may_be_what_is_wrong() -> None:
    hint = row_hint(2, batch_1_is_given=False, in_file=False)
    assert hint.startswith(OURS)
    assert "; an input that has no batch is to be named: NavConfig(unbatched=[...]); " in hint


@pytest.mark.parametrize("inputs", [1, 2])
def test_who_has_a_configuration_file_reads_its_keys(inputs: int) -> None:
    hint = row_hint(inputs, batch_1_is_given=False, in_file=True)
    assert "batch_dim: null in --nav-config" in hint
    assert "NavConfig(" not in hint
