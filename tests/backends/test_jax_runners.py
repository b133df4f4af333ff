from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.backends.builtin import known
from pytest_navigator.errors import NotApplicable

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
models = pytest.importorskip("jax_models")

if TYPE_CHECKING:
    from collections.abc import Callable

JAX = known().runners()["JAX"].load()
JAXCUDA = known().runners()["JAXCUDA"].load()
JAXJit = known().runners()["JAXJit"].load()
JAXJitCUDA = known().runners()["JAXJitCUDA"].load()


@pytest.mark.parametrize("runner", [JAX, JAXJit])
@pytest.mark.parametrize("make", models.SOURCES)
def test_the_live_model_agrees_with_itself(make: Callable[[], models.Subject], runner: type[JAX]) -> None:
    subject = make()
    subject.check(runner(subject.source, subject.signature, {}), atol=1e-2 if make is models.half_precision else 1e-5)


def test_inputs_and_outputs_are_copied_alone() -> None:
    subject = models.SOURCES[0]()
    with JAX(subject.source, subject.signature, {}) as runner:
        assert runner.copies(subject.example, runner.bind(subject.example)())() is None
        with pytest.raises(KeyError):  # it does read the inputs
            runner.copies({}, runner.bind(subject.example)())()


def test_the_model_is_called_as_the_user_wrote_it() -> None:
    seen = []

    def model(x: object, *, factor: object) -> object:
        seen.append(type(x))
        return x * factor

    subject = models.Subject(model, lambda n: ({"x": models.normal(n, 3), "factor": 2.0},))
    with JAX(subject.source, subject.signature, {}) as runner:
        del seen[:]
        runner.bind(subject.example)()
        assert all(issubclass(kind, jax.Array) and not issubclass(kind, jax.core.Tracer) for kind in seen)
        assert len(seen) == 2


def test_a_compiled_model_is_compiled_once_per_shape_and_before_it_is_timed() -> None:
    traced = []

    def model(x: object) -> object:
        traced.append(x.shape)
        return x + 1

    subject = models.Subject(model, lambda n: models.normal(n, 3))
    with JAXJit(subject.source, subject.signature, {}) as runner:
        del traced[:]
        call = runner.bind(subject.feed(subject.sample(4)))
        assert traced == [(4, 3)]
        (value,) = call()
        assert traced == [(4, 3)]
        assert value.is_ready()


def test_parameters_are_no_constants_of_the_compiled_program() -> None:
    subject = models.params_last()
    with JAXJit(subject.source, subject.signature, {}) as runner:
        lowered = runner.function.func.lower(*runner.function.args, *subject.example.values())
    assert lowered.as_text().count("tensor<5x7xf32>") >= 1
    assert "dense<" not in lowered.as_text()


def test_options_of_the_compiler_come_from_the_configuration() -> None:
    subject = models.params_last()
    runner = JAXJit(subject.source, subject.signature, {"custom_args": {"compiler_options": {"no_such_option": True}}})
    with runner, pytest.raises(Exception, match="no_such_option"):
        runner.infer(subject.example)


def test_a_model_that_looks_at_values_is_not_compiled_and_says_so() -> None:
    subject = models.branching()
    with JAX(subject.source, subject.signature, {}) as runner:
        subject.check_sample(runner, -np.ones((2, 3), np.float32))
    with (
        JAXJit(subject.source, subject.signature, {}) as runner,
        pytest.raises(
            NotApplicable, match=r"jax.jit cannot compile the model, which looks at values: Attempted boolean"
        ),
    ):
        runner.infer(subject.example)


def test_settings_say_what_figures_depend_on() -> None:
    subject = models.params_last()
    with JAX(subject.source, subject.signature, {}) as runner:
        assert runner.settings() == {"device": "cpu", "default_matmul_precision": None, "enable_x64": False}


def test_requirements_name_the_missing_device_first() -> None:
    assert JAXCUDA.requires[0] == JAXJitCUDA.requires[0] == "cuda"
