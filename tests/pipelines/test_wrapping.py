"""Wrapped modules stay what they are, whatever stands in the place of their forward."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError
from pytest_navigator.pipelines.loaded_graph import LoadedGraph
from pytest_navigator.pipelines.recording import recording
from pytest_navigator.pipelines.registry import Wrapped, registered
from pytest_navigator.pipelines.structures import structure_of
from pytest_navigator.pipelines.swapped import swapping
from pytest_navigator.samples.structure import Call
from tests.pipelines.pipelines import Encoder, Pipeline, Unet

X = torch.ones(2, 3, 4)


def names() -> list[str]:
    return [known.name for known in registered()]


def one() -> Wrapped:
    return next(registered())


def zeros_for(call: Call) -> dict[str, LoadedGraph]:
    """A format that is easily told from the module: it returns zeros."""
    return {structure_of(call): LoadedGraph(lambda x, **_: torch.zeros_like(x))}


def test_module_returns_the_module_itself() -> None:
    encoder = Encoder()
    assert nav.Module(encoder) is encoder
    assert names() == ["Encoder"]
    assert "forward" not in vars(encoder)


def test_two_modules_of_one_class_have_two_names() -> None:
    first, second = nav.Module(torch.nn.Linear(1, 1)), nav.Module(torch.nn.Linear(1, 1))
    assert names() == ["Linear", "Linear_2"]
    assert first is not second


def test_a_module_that_is_wrapped_twice_is_one() -> None:
    encoder = nav.Module(Encoder())
    nav.Module(encoder, batching=False)
    assert names() == ["Encoder"]
    assert one().options.batching is False


def test_a_module_goes_with_its_pipeline_and_leaves_its_name() -> None:
    nav.Module(Encoder(), "encoder")
    gc.collect()
    kept = nav.Module(Encoder(), "encoder")
    assert names() == ["encoder"]
    assert one().module is kept


def compiled_in_place() -> torch.nn.Module:
    module = Encoder()
    module.compile()
    return module


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: nav.Module(len), "builtin_function_or_method cannot be wrapped: only a torch.nn.Module can be"),
        (lambda: nav.Module(Encoder), "the class Encoder is no module: wrap an instance"),
        (lambda: nav.Module(torch.jit.trace(torch.nn.ReLU(), X)), "no Python forward to replace"),
        (lambda: nav.Module(torch.compile(Encoder())), "module._orig_mod"),
        (lambda: nav.Module(compiled_in_place()), "computes what module.compile() has made of it"),
        (lambda: nav.Module(Encoder(), precision="fp33"), "unknown precision 'fp33'; did you mean 'fp32'"),
        (lambda: nav.Module(Encoder(), name=3), "nav.Module(name=3): a text, or None is needed"),
        (lambda: nav.Module(Encoder(), name=" "), "nav.Module(name=' '): a text, or None is needed"),
        (lambda: nav.Module(Encoder(), batching="yes"), "nav.Module(batching='yes'): True, False or None is needed"),
        (lambda: nav.Module(Encoder(), input_mapping=3), "nav.Module(input_mapping=3): a function, or None is needed"),
        (lambda: nav.Module(Encoder(), output_mapping="x"), "nav.Module(output_mapping='x'): a function"),
        (lambda: nav.Module(Encoder(), timer=3), "nav.Module(timer=3): a nav.Timer, or None is needed"),
        (lambda: nav.Module(Encoder(), optimize_config={}), "optimize_config={}: a nav.OptimizeConfig is needed"),
        (lambda: nav.module(3), "@nav.module over 3: a class, or a function that returns a module, is needed"),
        (lambda: nav.wrap(None, ["a"]), "there is no torch.nn.Module in None"),
        (lambda: nav.wrap(Pipeline(), [3]), "nav.wrap(..., [3]): the place of a module is needed"),
        (lambda: nav.Module(Encoder(), forward_func="decode"), "forward_func='decode': only forward is replaced"),
        (lambda: nav.Module(Encoder(), model_path="x.onnx"), "model_path='x.onnx'"),
        (lambda: nav.wrap(Pipeline(), ["unett"]), "unknown module 'unett'; did you mean 'unet'?"),
        (lambda: nav.wrap(Pipeline(), ["unet", "tokenizer"]), "tokenizer: a builtins.method_descriptor cannot"),
        (lambda: nav.wrap(Pipeline(), []), "no module is named; the pipeline has encoder, unet, vae"),
    ],
)
def test_what_cannot_be_wrapped_is_told(make, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        make()
    assert said in str(raised.value)
    assert not names()


def test_a_name_that_another_module_has_is_refused() -> None:
    kept = nav.Module(Encoder(), "encoder")
    with pytest.raises(ConfigError, match="another module is called 'encoder'"):
        nav.Module(Encoder(), "encoder")
    with pytest.raises(ConfigError, match="already wrapped, as 'encoder'"):
        nav.Module(kept, "other")


def test_a_decorated_class_wraps_its_instances_and_stays_a_class() -> None:
    @nav.module
    class Net(Encoder):
        pass

    class Derived(Net):
        pass

    net, derived = Net(), Derived(8)
    assert isinstance(net, Net)
    assert type(derived).__mro__[1] is Net
    assert names() == ["Net"]


def test_a_decorated_function_wraps_what_it_makes() -> None:
    @nav.module(name="text", batching=False)
    def make(width: int) -> Encoder:
        return Encoder(width)

    made = make(8)
    assert made.width() == 8
    assert one().name == "text"
    assert one().options.batching is False


def test_parts_are_wrapped_by_their_place() -> None:
    pipeline = Pipeline()
    wrapped = nav.wrap(pipeline, ["unet", "vae.decoder"])
    assert wrapped == {"unet": pipeline.unet, "vae.decoder": pipeline.vae.decoder}
    assert names() == ["unet", "vae.decoder"]


def test_modules_of_two_pipelines_are_told_apart_by_a_prefix() -> None:
    first, second = Pipeline(), Pipeline()
    nav.wrap(first, ["unet"])
    with pytest.raises(ConfigError, match=r"another module is called 'unet' .*prefix= of nav"):
        nav.wrap(second, ["encoder", "unet"])
    assert names() == ["unet"]
    assert nav.wrap(second, ["unet"], prefix="second.") == {"second.unet": second.unet}


def test_parts_of_what_a_function_uses_are_found() -> None:
    nets = {"a": Encoder(), "b": [Unet()]}

    def run(x: torch.Tensor) -> torch.Tensor:
        return nets["a"](x)

    assert list(nav.wrap(run, ["nets.a", "nets.b.0"])) == ["nets.a", "nets.b.0"]


def test_a_swapped_module_keeps_what_it_is() -> None:
    encoder = nav.Module(Encoder().eval())
    before = {name: id(value) for name, value in encoder.state_dict(keep_vars=True).items()}
    calls = []
    encoder.register_forward_hook(lambda *_: calls.append("hook"))
    with swapping({one(): zeros_for(Call(X, scale=1.0))}):
        assert type(encoder) is Encoder
        assert encoder.width() == 4
        assert {name: id(value) for name, value in encoder.state_dict(keep_vars=True).items()} == before
        assert not encoder(X).any()
        assert calls == ["hook"]
    assert "forward" not in vars(encoder)
    assert encoder(X).hidden.any()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_of_a_swapped_module_is_a_module_of_its_own(copied) -> None:
    encoder = nav.Module(Encoder().eval())
    with swapping({one(): zeros_for(Call(X, scale=1.0))}):
        other = copied(encoder)
    with torch.no_grad():
        encoder.linear.weight.zero_()
    assert other(X).hidden.std() > 0
    assert other.forward.__self__ is other


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))])
def test_a_copy_of_a_recorded_module_is_a_module_of_its_own(copied) -> None:
    encoder = nav.Module(Encoder().eval())
    with recording([one()]) as recorder:
        other = copied(encoder)
        other(X)
    assert not recorder.calls["Encoder"]


def test_a_forward_of_the_instance_comes_back() -> None:
    encoder = nav.Module(Encoder().eval())
    own = encoder.forward = lambda x: x + 1
    with swapping({one(): zeros_for(Call(X))}):
        assert not encoder(X).any()
    assert encoder.forward is own
