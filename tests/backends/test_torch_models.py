from __future__ import annotations

import copy

import ml_dtypes
import numpy as np
import pytest
import torch
from torch_models import PLAIN, KeywordOnly, Residual

from pytest_navigator.backends.torch.arrays import FOREIGN
from pytest_navigator.backends.torch.source import TorchFramework, TorchSource
from pytest_navigator.errors import SourceError

framework = TorchFramework()


def source(model: torch.nn.Module, **parameters: object) -> TorchSource:
    return framework.source(model, parameters)


@pytest.mark.parametrize(
    "dtype", ["float32", "float16", "float64", "int8", "int64", "bool", "complex64", "uint8", "uint16"]
)
def test_an_array_goes_to_torch_and_back_without_a_change(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    tensor = framework.from_numpy(array)
    assert str(tensor.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(framework.to_numpy(tensor), array, strict=True)


@pytest.mark.parametrize("dtype", FOREIGN)
def test_types_that_only_ml_dtypes_has_keep_their_bits(dtype: str) -> None:
    every_bit_pattern = np.arange(256, dtype="uint8" if dtype != "bfloat16" else "uint16").view(
        getattr(ml_dtypes, dtype)
    )
    tensor = framework.from_numpy(every_bit_pattern)
    assert str(tensor.dtype) == f"torch.{dtype}"
    back = framework.to_numpy(tensor)
    assert back.dtype == every_bit_pattern.dtype
    assert back.tobytes() == every_bit_pattern.tobytes()


@pytest.mark.parametrize("array", [np.array(3.5), np.zeros((0, 4)), np.arange(4)[::-2], np.arange(3, dtype=">i4")])
def test_scalars_empty_reversed_and_big_endian_arrays_keep_their_values(array: np.ndarray) -> None:
    back = framework.to_numpy(framework.from_numpy(array))
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_a_bfloat16_scalar_and_a_transposed_tensor_keep_shape_and_values() -> None:
    assert framework.to_numpy(torch.tensor(1.5, dtype=torch.bfloat16)) == np.array(1.5, ml_dtypes.bfloat16)
    tensor = torch.arange(6.0).reshape(2, 3).bfloat16().T
    np.testing.assert_array_equal(framework.to_numpy(tensor).astype("f4"), tensor.float().numpy())


def test_no_memory_is_shared_in_either_direction() -> None:
    array = np.zeros(3, "float32")
    tensor = framework.from_numpy(array)
    tensor += 1
    back = framework.to_numpy(tensor)
    back += 1
    assert array.tolist() == [0, 0, 0]
    assert tensor.tolist() == [1, 1, 1]


def test_a_tensor_that_needs_a_gradient_is_copied() -> None:
    assert framework.to_numpy(torch.ones(2, requires_grad=True)).tolist() == [1, 1]


def test_seeding_repeats_the_numbers_and_restores_the_old_state() -> None:
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    with framework.seeded(7):
        first = torch.rand(2)
    with framework.seeded(7):
        second = torch.rand(2)
    assert torch.equal(first, second)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("model", "message"),
    [({"a": 1}, "dict: a torch.nn.Module"), (torch.nn.ReLU, "the class ReLU: an instance of it is needed")],
)
def test_what_is_no_module_is_refused(model: object, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        framework.source(model, PLAIN)


def test_training_mode_is_refused_and_the_submodule_is_named() -> None:
    model = Residual().eval()
    model.norm.train()
    with pytest.raises(SourceError, match=r"submodule 'norm' \(BatchNorm2d\); return model.eval\(\)"):
        source(model).check()
    source(model.eval()).check()


def test_a_model_on_two_devices_or_without_values_is_refused() -> None:
    model = Residual().eval()
    model.last.to("meta")
    with pytest.raises(SourceError, match=r"more than one device \('first.weight' on cpu, 'last.weight' on meta\)"):
        source(model).check()
    with pytest.raises(SourceError, match="no values"):
        source(model.to("meta")).check()


def test_the_fingerprint_depends_on_every_tensor_and_on_nothing_else() -> None:
    model = Residual().eval()
    before = source(model).fingerprint()
    assert before == source(copy.deepcopy(model)).fingerprint()
    model.norm.running_mean[0] += 1e-6
    assert source(model).fingerprint() != before


def test_the_fingerprint_sees_types_and_buffers_that_are_not_saved() -> None:
    model = torch.nn.Linear(2, 2)
    model.register_buffer("scale", torch.ones(2), persistent=False)
    before = source(model).fingerprint()
    model.scale *= 2
    changed = source(model).fingerprint()
    assert len({before, changed, source(model.bfloat16()).fingerprint()}) == 3


def test_digests_tell_which_tensor_has_changed() -> None:
    model = Residual().eval()
    before = source(model).digests()
    model.norm.running_mean[0] += 1e-6
    after = source(model).digests()
    assert {name for name in before if before[name] != after[name]} == {"norm.running_mean"}


def test_a_lazy_module_that_was_never_called_is_refused() -> None:
    model = torch.nn.Sequential(torch.nn.LazyLinear(3)).eval()
    with pytest.raises(SourceError, match=r"no values: '0.weight' gets them in the first call; call the model once"):
        source(model).check()
    model(torch.zeros(2, 5))
    source(model).check()


def test_a_model_without_tensors_has_no_fingerprint_and_is_on_the_cpu() -> None:
    assert source(torch.nn.ReLU()).fingerprint() is None
    assert source(torch.nn.ReLU()).device() == "cpu"


def test_parameter_names_are_those_of_forward_without_keyword_only_ones() -> None:
    assert source(Residual()).parameter_names() == ["image"]
    assert source(KeywordOnly()).parameter_names() == []


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_script_module_is_a_model_too() -> None:
    model = torch.jit.freeze(torch.jit.script(Residual().eval()))
    wrapped = source(model)
    wrapped.check()
    assert wrapped.parameter_names() == ["image"]
    with wrapped.preserved():
        assert wrapped.call([torch.zeros(2, 3, 8, 8)], {}).shape == (2, 5)


def test_a_call_has_no_gradient_and_hands_over_the_callers_own_objects() -> None:
    class Keeps(torch.nn.Module):
        def forward(self, x: torch.Tensor, option: dict[str, int]) -> torch.Tensor:
            self.option = option
            self.inference = torch.is_inference_mode_enabled()
            return x * 2

    model, option = Keeps(), {"a": 1}
    result = source(model).call([torch.ones(2, requires_grad=True)], {"option": option})
    assert not result.requires_grad
    assert model.option is option
    assert model.inference
    source(model, inference_mode=False).call([torch.ones(2)], {"option": option})
    assert not model.inference


def test_autocast_is_used_only_if_asked_for() -> None:
    model, x = torch.nn.Linear(2, 2).eval(), torch.ones(1, 2)
    assert source(model).call([x], {}).dtype == torch.float32
    assert source(model, autocast=True, autocast_dtype="bfloat16").call([x], {}).dtype == torch.bfloat16


def test_mode_gradient_flags_are_put_back_after_an_error() -> None:
    model = Residual().eval()
    model.first.weight.requires_grad_(False)

    def spoil() -> None:
        model.train()
        model.requires_grad_(True)
        torch.set_grad_enabled(False)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), source(model).preserved():
        spoil()
    assert not any(module.training for module in model.modules())
    assert not model.first.weight.requires_grad
    assert model.last.weight.requires_grad
    assert torch.is_grad_enabled()


def test_what_a_model_draws_from_and_counts_with_and_its_class_come_back() -> None:
    model = torch.nn.Linear(2, 2).eval()
    model.drawn = torch.distributions.Normal(torch.zeros(1), torch.ones(1))
    model.source = torch.Generator().manual_seed(1)
    model.count = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
    drawn, state = model.drawn.loc, model.source.get_state()
    with source(model).preserved():
        torch.nn.utils.parametrizations.weight_norm(model)
        model.drawn.loc = torch.ones(1)
        torch.rand(3, generator=model.source)
        model.count.data.add_(1)
    assert (type(model), list(model._parameters)) == (torch.nn.Linear, ["weight", "bias", "count"])
    assert model.drawn.loc is drawn
    assert torch.equal(model.source.get_state(), state)
    assert model.count.item() == 0
