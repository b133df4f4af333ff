"""Which formats and runners of a package a user means by Model Navigator's keywords (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.enums import Format, RuntimeProvider
from pytest_navigator.core.variants import covers
from pytest_navigator.errors import PackageError, unknown_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.package.query.results import Results

Cell = tuple[str, str]  # A format's key and the name of its runner

FLAGS = ("enable_xla", "jit_compile")
# Parameters that tell formats of one kind apart, and keywords of what chooses one.
TELLING = ("jit_type", "precision", *FLAGS)

# Model Navigator 0.3's name of a runtime -> ours.
RUNTIMES = {
    RuntimeProvider.CPU: "cpu",
    RuntimeProvider.CUDA: "cuda",
    RuntimeProvider.TRT: "tensorrt",
    RuntimeProvider.TRT_TRTEXEC: "trtexec",
}

# Its runtimes that are a framework -> the formats that the framework executes, on any device.
FAMILIES = {
    RuntimeProvider.PYT: (Format.TORCH, Format.TORCHSCRIPT, Format.TORCH_EXPORTEDPROGRAM, Format.TORCH_TRT),
    RuntimeProvider.TF: (Format.TENSORFLOW, Format.TF_SAVEDMODEL, Format.TF_TRT),
}


def one_runtime(runtime: str | None, provider: str | None) -> str | None:
    """Return what was said by one of two keywords that are the same.

    Raises:
        PackageError: they say two things.
    """
    if runtime is not None and provider is not None and runtime != provider:
        raise PackageError(f"runtime={runtime} and runtime_provider={provider} are the same keyword: give one of them")
    return provider if runtime is None else runtime


@dataclass(frozen=True)
class Wanted:
    """The keywords of `Package.get_runner` and its like; None: any.

    Attributes:
        format: a format ("torchscript") or a folder name ("torchscript-trace").
        runtime: a runtime ("cpu", "CPUExecutionProvider") or the name of a runner ("OnnxCPU").
        device: "cpu" or "cuda".
        jit_type, precision, enable_xla, jit_compile: parameters of the format.
    """

    format: str | None = None
    runtime: str | None = None
    device: str | None = None
    jit_type: str | None = None
    precision: str | None = None
    enable_xla: bool | None = None
    jit_compile: bool | None = None

    def variants(self, results: Results) -> list[Variant]:
        """Return the formats that are meant.

        Raises:
            PackageError: there are none; with those that there are.
        """
        own = results.suite.variants
        named = [v for v in own if self.format is None or covers(self.format, v)]
        if not named:
            raise PackageError(f"{self._absence(own)}{_for_runtime([self.format], results)}")
        found = [variant for variant in named if self._fits(variant)]
        if not found:
            given = self._parameters()
            asked = ", ".join(f"{name}={value}" for name, value in given.items())
            hint = _for_runtime(given.values(), results)
            raise PackageError(f"there is no {self.format} with {asked} (there are: {_keys(named)}){hint}")
        return found

    def one_variant(self, results: Results, among: Collection[str]) -> Variant:
        """Return the format that is meant.

        Args:
            among: keys of those that can be used; the others count only if there is no such.

        Raises:
            PackageError: there is none, or more than one.
        """
        found = self.variants(results)
        usable = [variant for variant in found if variant.key in among] or found
        usable = [variant for variant in usable if variant.key == self.format] or usable
        if len(usable) > 1:
            raise PackageError(
                f"{self.format} means several formats here ({_keys(usable)}): give one of these names{_telling(usable)}"
            )
        return usable[0]

    def runners(self, results: Results, variant: Variant) -> list[RunnerRecord]:
        """Return the runners of a format that are meant, in the suite's order."""
        own = [results.suite.runners[name] for name in variant.runners if name in results.suite.runners]
        return [r for r in own if self.device in (None, r.device) and (self.runtime is None or runs(self.runtime, r))]

    def cells(self, results: Results, variants: Sequence[Variant]) -> list[Cell]:
        """Return the formats with their runners that are meant.

        Raises:
            PackageError: there are none; with those that there are.
        """
        found = [(variant.key, runner.name) for variant in variants for runner in self.runners(results, variant)]
        if found:
            return found
        known = [results.suite.runners[name] for variant in variants for name in variant.runners]
        names = {runner.runtime for runner in known} | {runner.name for runner in known}
        if self.runtime is not None and not any(runs(self.runtime, runner) for runner in known):
            raise PackageError(f"{_keys(variants)}: {unknown_text('runtime', str(self.runtime), names)}")
        raise PackageError(f"{_keys(variants)} has no runner on {self.device} (there are: {', '.join(sorted(names))})")

    def _absence(self, own: Sequence[Variant]) -> str:
        if not isinstance(self.format, str):
            return f"format = {self.format!r}: not the name of a format; strategies are given as strategies=..."
        names = {v.key for v in own} | {v.format for v in own}
        if self.format in {*Format}:
            return f"there is no {self.format} in this package (there are: {', '.join(sorted(names))})"
        return unknown_text("format", self.format, names)

    def _fits(self, variant: Variant) -> bool:
        given, own = self._parameters().items(), variant.parameters
        return all(_value(n, own.get(n)) == (asked if n in FLAGS else str(asked)) for n, asked in given)

    def _parameters(self) -> dict[str, JSON]:
        return {name: getattr(self, name) for name in TELLING if getattr(self, name) is not None}


def runs(runtime: str, runner: RunnerRecord) -> bool:
    """Whether a name that a user wrote means the runtime of this runner."""
    if runtime in FAMILIES:
        return runner.format in FAMILIES[RuntimeProvider(runtime)]
    return runtime in (runner.name, runner.runtime) or RUNTIMES.get(runtime) == runner.runtime  # type: ignore[call-overload]


def _for_runtime(values: Iterable[JSON], results: Results) -> str:
    """Return what to write where a runtime was given in the place of something else, as the end of a sentence."""
    own = {name for runner in results.suite.runners.values() for name in (runner.name, runner.runtime)}
    known = {*own, *RUNTIMES, *RUNTIMES.values()}
    return next((f"; did you mean runtime={str(value)!r}?" for value in values if str(value) in known), "")


def _value(name: str, own: JSON) -> bool | str:
    return bool(own) if name in FLAGS else str(own)  # a flag that nobody set is off


def _telling(variants: Sequence[Variant]) -> str:
    """Return which keywords tell formats apart, as the end of a sentence; "" if none does."""
    names = [name for name in TELLING if len({_value(name, variant.parameters.get(name)) for variant in variants}) > 1]
    return f", or {' or '.join(names)}" if names else ""


def _keys(variants: Sequence[Variant]) -> str:
    return ", ".join(variant.key for variant in variants)
