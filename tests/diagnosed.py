"""A suite's folder with an artifact and one sample, in which a fault can be planted and then be looked for."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import torch
from torch_models import Subject

from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.comparison.tolerances import Rule
from pytest_navigator.configuration.onnx_config import OnnxConfig
from pytest_navigator.core.records import Case
from pytest_navigator.formats.diagnosis import Question
from pytest_navigator.samples.npz import save_npz

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.formats.base import Format


class Attention(torch.nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = torch.nn.Linear(size, 3 * size)
        self.out = torch.nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, length, size = x.shape
        parts = (y.reshape(batch, length, self.heads, -1).transpose(1, 2) for y in self.qkv(x).chunk(3, -1))
        q, k, v = parts
        weights = torch.softmax(q @ k.transpose(-1, -2) / (size // self.heads) ** 0.5, -1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, length, size))


class Mlp(torch.nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        self.up = torch.nn.Linear(size, 4 * size)
        self.down = torch.nn.Linear(4 * size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(torch.nn.functional.gelu(self.up(x)))


class Layer(torch.nn.Module):
    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.n1 = torch.nn.LayerNorm(size)
        self.att = Attention(size, heads)
        self.n2 = torch.nn.LayerNorm(size)
        self.mlp = Mlp(size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.att(self.n1(x))
        return x + self.mlp(self.n2(x))


class Transformer(torch.nn.Module):
    def __init__(self, layers: int = 4, size: int = 64) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(*[Layer(size, 4) for _ in range(layers)])
        self.head = torch.nn.Linear(size, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layers(x).mean(1))


class Image(torch.nn.Module):
    """A bit of everything that keeps the shapes of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = torch.nn.BatchNorm2d(8)
        self.norm.running_var.uniform_(0.1, 2)
        self.norm.running_mean.uniform_(-1, 1)
        self.second = torch.nn.Conv2d(8, 8, 3)
        self.shared = torch.nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(torch.relu(self.first(x)))
        x = self.second(torch.nn.functional.pad(x, (1, 1, 1, 1), value=0.5))
        x = self.shared(x.transpose(2, 3))
        y = x - x.mean(3, keepdim=True)
        y = torch.cat([y.clamp(-0.3, 0.3), torch.sigmoid(y * 0.7)], 1)
        return self.shared(y).sum(2)


class Rounding(torch.nn.Module):
    """A model that rounds a value on purpose."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = torch.nn.Linear(8, 32), torch.nn.Linear(32, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.up(x))
        return self.down(x.half().float())


def rounding() -> Subject:
    torch.manual_seed(0)
    return Subject(Rounding().eval(), lambda size: torch.randn(size, 8))


def transformer() -> Subject:
    torch.manual_seed(0)
    return Subject(Transformer().eval(), lambda size: torch.randn(size, 16, 64))


def image() -> Subject:
    torch.manual_seed(0)
    return Subject(Image().eval(), lambda size: torch.randn(size, 3, 16, 16))


class Suite:
    """The folder of a suite: one exported artifact, and one sample with what the model gave for it."""

    def __init__(
        self, subject: Subject, folder: Path, form: Format | None = None, config: FormatConfig | None = None
    ) -> None:
        self.folder, self.subject = folder, subject
        self.form, config = form or OnnxFormat(), config or OnnxConfig(opset=20)
        key = self.form.variants(config, [])[0].key
        (folder / key).mkdir(parents=True)
        self.variant, _ = subject.export(self.form, config, folder / key)
        sample = subject.sample(2)
        save_npz(folder / "model_input/0.npz", subject.feed(sample))
        save_npz(folder / "model_output/0.npz", subject.expected(sample))

    @property
    def artifact(self) -> Path:
        return self.folder / self.variant.key / self.variant.file

    def copy(self, folder: Path) -> Suite:
        """Return the same in another folder."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        found = object.__new__(Suite)
        found.__dict__ = {**self.__dict__, "folder": folder}
        return found

    def planted(self, folder: Path, *faults: Callable[[Any], None]) -> Suite:
        """Return the same in another folder, with an ONNX file that is wrong."""
        import onnx

        found = self.copy(folder)
        model = onnx.load(found.artifact)
        for fault in faults:
            fault(model)
        onnx.save(model, found.artifact)
        return found

    def question(self, **changes: Any) -> Question:
        """Return what a diagnosis is asked."""
        names = [spec.name for spec in self.subject.signature.outputs]
        given: dict[str, Any] = {
            "folder": str(self.folder),
            "key": self.variant.key,
            "variants": {self.variant.key: self.variant},
            "runner": self.form.runner_specs[0].record(),
            "cell": f"{self.variant.key}-cpu",
            "signature": self.subject.signature,
            "case": Case(0, "batch", "model_input/0.npz", "model_output/0.npz", 2),
            "outputs": tuple(names),
            "rules": {name: Rule("close", atol=2e-6, rtol=1e-5) for name in names},
        }
        return Question(**{**given, **changes})
