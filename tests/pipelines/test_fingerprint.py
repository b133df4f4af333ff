"""Other weights, code or settings are another module; another process, a call or a format in its place are not."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from importlib import import_module, invalidate_caches
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

from pytest_navigator.pipelines.class_code import hooks_of  # noqa: E402
from pytest_navigator.pipelines.fingerprint import changing, fingerprint, identity_of  # noqa: E402
from pytest_navigator.pipelines.registry import Wrapped, forget, register  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

MODEL = """
import torch
from fingerprinted_helpers import factory, twice

class Config:
    # As those of diffusers and transformers are: with a list in the order of a set, and a place.
    def __init__(self, names):
        self.names = names
    def to_dict(self):
        return {"names": self.names, "_use_default_values": list({*self.names}), "_name_or_path": str(id(self))}

FACTOR = 2.0

class Slotted:
    __slots__ = ("k",)

class Net(torch.nn.Module):
    power = 1

    def __init__(self, scale=1.0):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(3, 3)
        self.norm = torch.nn.BatchNorm1d(3)
        self.register_buffer("calls", torch.zeros(()))
        self.scale = scale
        self.config = Config(("a", "b", "c", "d"))
        self.table = {"b": torch.ones(2), "a": (1, None)}
        self.slotted = Slotted()
        self.slotted.k = 1
        self.act = lambda x: x * 2
        self.eval()

    def forward(self, x):
        self.calls += 1
        self.seen = x.shape[0]
        x = self.act(x) ** self.power * FACTOR * self.slotted.k
        return twice(self.norm(self.linear(x))) * self.scale
"""
HELPERS = """
import torch

def twice(x):
    return 2 * x

def factory(k):
    class Made(torch.nn.Module):
        def forward(self, x):
            return x * k
    return Made()
"""


def _import(folder: Path, model: str = MODEL, helpers: str = HELPERS) -> ModuleType:
    """Return the module of these texts, as a process would have it that starts now."""
    (folder / "fingerprinted_model.py").write_text(model)
    (folder / "fingerprinted_helpers.py").write_text(helpers)
    for name in ("fingerprinted_model", "fingerprinted_helpers"):
        sys.modules.pop(name, None)
    invalidate_caches()
    return import_module("fingerprinted_model")


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return _import(tmp_path)


def _retrained(net):
    with torch.no_grad():
        net.linear.weight[0, 0] += 1


def _other_statistics(net):
    net.norm.running_mean += 1


def _other_setting(net):
    net.scale = 2.0


def _other_layer_setting(net):
    net.norm.eps = 0.1


def _other_configuration(net):
    net.config.names = ("a",)


def _other_array(net):
    net.table["b"] = torch.zeros(2)


def _half(net):
    net.half()


def _own_forward(net):
    net.forward = lambda x: net.linear(x)


def _other_lambda(net):
    net.act = lambda x: x * 3


def _other_slot(net):
    net.slotted.k = 2


def _class_attribute(net):
    type(net).power = 2


def _global(net):
    sys.modules[type(net).__module__].FACTOR = 3.0


def _other_function(net):
    sys.modules[type(net).__module__].twice = lambda x: x


def _patched_class(net):
    type(net).forward = lambda self, x: self.linear(x)


def _patched_as_the_own_one(net):
    before = type(net).forward

    @functools.wraps(before)
    def forward(self, x):
        return before(self, x) * 2

    type(net).forward = forward


def _patched_layer(net):
    torch.nn.BatchNorm1d.forward = lambda self, x: x * 2


def _hook_of_a_submodule(net):
    net.linear.register_forward_hook(lambda module, given, found: found * 2)


def _pre_hook_of_a_submodule(net):
    net.norm.register_forward_pre_hook(lambda module, given: (given[0] * 2,))


EDITS = [
    _other_lambda,
    _other_slot,
    _class_attribute,
    _global,
    _other_function,
    _patched_class,
    _patched_as_the_own_one,
    _patched_layer,
    _hook_of_a_submodule,
    _pre_hook_of_a_submodule,
    _retrained,
    _other_statistics,
    _other_setting,
    _other_layer_setting,
    _other_configuration,
    _other_array,
    _half,
    _own_forward,
]


def test_a_module_made_again_is_the_same(code):
    assert fingerprint(code.Net()) == fingerprint(code.Net())
    assert len(fingerprint(code.Net())) == 64


@pytest.fixture
def layers(code) -> Iterator[None]:
    """PyTorch's own layer, as it was, afterwards."""
    yield
    if "forward" in vars(torch.nn.BatchNorm1d):
        del torch.nn.BatchNorm1d.forward


@pytest.mark.usefixtures("layers")
@pytest.mark.parametrize("edit", EDITS)
def test_whatever_else_it_computes_it_is_another_one(code, edit):
    net = code.Net()
    before = fingerprint(net)
    edit(net)
    assert fingerprint(net) != before


def test_classes_of_one_factory_are_told_apart_by_what_they_close_over(code):
    assert fingerprint(code.factory(2)) == fingerprint(code.factory(2)) != fingerprint(code.factory(3))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_hooks_of_pytorch_are_part_of_its_layers(code):
    net = torch.nn.Sequential(torch.nn.utils.weight_norm(torch.nn.Linear(2, 2)))
    assert hooks_of(net) == {}


def test_a_class_setting_that_calls_change_is_no_part_of_it(code):
    net = code.Net()
    before = identity_of(net)
    type(net).power = 5
    assert changing(before, identity_of(net)) == ["class Net.power"]


@pytest.mark.parametrize("edited", ["forward", "helper"])
def test_an_edit_of_its_code_or_of_what_that_imports_makes_it_another_one(code, tmp_path, edited):
    before = fingerprint(code.Net())
    model = MODEL.replace("* self.scale", "+ self.scale") if edited == "forward" else MODEL
    helpers = HELPERS.replace("2 *", "3 *") if edited == "helper" else HELPERS
    assert fingerprint(_import(tmp_path, model, helpers).Net()) != before


@pytest.mark.parametrize("decorated", ["@nav.module\nclass Net", "class Net"])
def test_what_is_decorated_is_known_by_its_own_file(code, tmp_path, decorated):
    model = MODEL.replace("class Net", f"import pytest_navigator as nav\n{decorated}")
    model = model.replace("    def forward", "    @torch.no_grad()\n    def forward").replace(
        "    def __init__(self, scale", "    @torch.no_grad()\n    def __init__(self, scale"
    )
    before = fingerprint(_import(tmp_path, model).Net())
    forget()
    assert fingerprint(_import(tmp_path, model.replace("* self.scale", "+ self.scale")).Net()) != before


def test_what_a_call_changes_is_no_part_of_it(code):
    net = code.Net()
    before = identity_of(net)
    net(torch.ones(2, 3))
    after = identity_of(net)
    names = changing(before, after)
    assert names == ["calls", "seen"]
    assert before.fingerprint(names) == after.fingerprint(names) != before.fingerprint()


def test_what_stands_in_the_place_of_forward_is_no_part_of_it(code):
    net = code.Net()
    before = fingerprint(net)
    wrapped = Wrapped("net", net)
    register(wrapped)
    try:
        wrapped.replace(lambda *args: None)
        net.optimize_config = object()
        assert fingerprint(net) == before
    finally:
        forget("net")


def test_another_process_has_the_same(code, tmp_path):
    script = (
        "from fingerprinted_model import Net; from pytest_navigator.pipelines.fingerprint import fingerprint;"
        "print(fingerprint(Net()))"
    )
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"}
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == fingerprint(code.Net())


def test_code_in_no_file_counts_too():
    script = (
        "import torch; from pytest_navigator.pipelines.fingerprint import fingerprint\n"
        "class Net(torch.nn.Module):\n    def forward(self, x):\n        return x * {}\n"
        "print(fingerprint(Net()))"
    )
    runs = [subprocess.run([sys.executable, "-c", script.format(n)], capture_output=True, text=True) for n in (2, 2, 3)]
    first, again, other = (run.stdout for run in runs)
    assert first == again != other
