"""The Package Descriptor: what people ask of a package, and take out of it, in Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.api.instead import instead_of
from pytest_navigator.core.enums import Format
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.core.warned import warn
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.choice import Wanted, one_runtime
from pytest_navigator.package.query.other_machines import differences
from pytest_navigator.package.running import artifacts
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.frameworks.base import Framework, Source
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.container.workdir import Workdir
    from pytest_navigator.package.query.choice import Cell
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure, Strategy
    from pytest_navigator.package.running.runner import PackageRunner

    Profile = OptimizationProfile | ProfilerConfig


class Package:
    """An open package; made by `load`. A context manager: `close` removes a temporary workdir.

    In all methods a format is a member of `Format`, its string, or a folder name ("torchscript-trace"); a runtime is a
    member of `RuntimeProvider`, its string, one of ours ("cpu", "cuda"), or the name of a runner ("OnnxCPU"). `runtime`
    and `runtime_provider` are the same; what is None is not restricted.

    Attributes:
        path: of the `.nav` file.
        results: every outcome, as records.
    """

    def __init__(self, file: PackageFile, workdir: Workdir, target_device: str | None = None) -> None:
        self.path = file.path
        self.results: Results = file.results
        self._file = file
        self._workdir = workdir
        self._device = target_device
        self._source: Source | None = None
        self._at_hand: object = None

    def __getattr__(self, name: str) -> Any:
        return instead_of("package", name)

    def __repr__(self) -> str:
        held = [variant.key for variant in self.results.suite.variants if artifacts.held(self._file, variant)]
        return f"<package {self.path.name}: {', '.join(held) or 'no models'}>"

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the formats and runners, as the summary of the run has them."""
        from pytest_navigator.reporting.notebook import table
        from pytest_navigator.reporting.of_packages import as_the_run

        return table(self.path.name, as_the_run(self.results))

    @property
    def status(self) -> dict[str, JSON]:
        """The content of status.yaml, as the file has it."""
        return self._file.status

    @property
    def file(self) -> PackageFile:
        """The open file: the names and the contents of what is in it."""
        return self._file

    @property
    def target_device(self) -> str | None:
        """The device whose runners count; None: any."""
        return self._device

    @property
    def workdir(self) -> Path | None:
        """Where files are extracted; None as long as a temporary folder was not needed."""
        return self._workdir.path

    @property
    def has_source(self) -> bool:
        """Whether its live model is at hand: it was made from it in this process, or `load_source` was given it."""
        return self._source is not None or self._at_hand is not None

    def get_formats_status(self) -> dict[str, bool]:
        """Return folder name of a format -> whether it was made, and passed correctness in a runtime."""
        return {variant.key: verdict.good(self.results, variant) for variant in self.results.suite.variants}

    def get_formats_performance(self) -> dict[str, float]:
        """Return folder name of a format -> median latency in ms of its fastest runner, at the smallest batch size.

        Formats without figures are not in it; it is empty where nothing was measured (`--nav-no-profile`). What is
        slower or larger than its float format is in it, though nothing chooses it.
        """
        return verdict.latencies(self.results)

    def get_status(
        self,
        format: str,
        runtime_provider: str | None = None,
        jit_type: str | None = None,
        precision: str | None = None,
        enable_xla: bool | None = None,
        jit_compile: bool | None = None,
        *,
        runtime: str | None = None,
    ) -> bool:
        """Return whether a format was made and passed correctness, with a runtime: there.

        What no runner checked is False. A format or runtime of Model Navigator that the package does not have is False.

        Raises:
            PackageError: there is no such format or runtime at all.
        """
        wanted = self._wanted(format, runtime, runtime_provider, jit_type, precision, enable_xla, jit_compile)
        try:
            return verdict.status(self.results, wanted)
        except PackageError:
            # What Model Navigator could have made is no mistake of the caller's, only not in this package.
            known = format in {*Format, *(v.key for v in self.results.suite.variants)}
            if known and (wanted.runtime is None or wanted.runtime in artifacts.runtimes()):
                return False
            raise

    def get_model(
        self,
        format: str,
        jit_type: str | None = None,
        precision: str | None = None,
        enable_xla: bool | None = None,
        jit_compile: bool | None = None,
    ) -> Any:
        """Return a format as the model object of its library: `onnx.ModelProto`, `torch.jit.ScriptModule`, ...

        For TensorRT, and formats of other packages, it is the path; for the source, what it was made from in
        this process, or `load_source` was given.
        Loading a file of PyTorch or TensorFlow can run code that is in it: know where the package comes from.

        Raises:
            PackageError: there is no such format, or no file of it.
        """
        wanted = Wanted(format, None, None, jit_type, precision, enable_xla, jit_compile)
        variant = self._variant(wanted)
        if not variant.file:
            return self._live(variant).model
        return artifacts.model(variant, self.get_path(variant.key))

    def get_path(self, format: str) -> Path:
        """Extract a format into the workdir; returns the path of its file or folder.

        Raises:
            PackageError: there is no such format, or no file of it.
        """
        variant = self._variant(Wanted(format))
        folder, names = artifacts.names(self._file, self.results, variant)
        return self._workdir.extract(self._file, names) / folder / variant.file

    def get_runner(
        self,
        format: str | None = None,
        jit_type: str | None = None,
        precision: str | None = None,
        runtime: str | None = None,
        enable_xla: bool | None = None,
        jit_compile: bool | None = None,
        *,
        runtime_provider: str | None = None,
        strategies: Strategy | Sequence[Strategy] | None = None,
        include_source: bool = True,
        verified_only: bool = False,
        threads: int | None = None,
        session_options: Mapping[str, JSON] | None = None,
        return_type: str | None = None,
        device: object = None,
    ) -> PackageRunner:
        """Return a runner, not active yet; only its format's files are extracted, only its framework is imported.

        Warns (UserWarning) if it was checked with another version of a library that it needs, or on another GPU; or if
        the noise of an output is left to `verify_` tests that have not passed: no strategy chooses such a runner.

        Of several that the keywords leave, strategies choose by the figures. Without strategies, a format has the first
        runner that passed correctness and that this machine can run; without a format, the default strategies
        (`MaxThroughputAndMinLatencyStrategy`, else `MinLatencyStrategy`) choose of those that this machine can run: a
        live model that was not given, and what needs a library that is not installed, are left out.

        Args:
            strategies: one, or several, of which the first that has an answer counts.
            include_source: whether a strategy may choose the live model, if it is at hand.
            verified_only: leave out what neither a `verify_` test nor `set_verified` vouches for.
            threads: of one inference, of a runner of ONNX Runtime; None: what the package says, else all cores.
            session_options: of ONNX Runtime, in place of those in the package: `{"intra_op_num_threads": 1}`.
            return_type: whose tensors `infer` gives, a `TensorType` or its string, and takes beside numpy's arrays;
                None: numpy's.
            device: "cpu" or "cuda", as in Model Navigator 0.14: only runners there; None: as the package was opened.

        Raises:
            ConfigError: `threads` or `session_options` of a runner that takes none; no such `return_type` or `device`.
            PackageError: no such runner, one that did not pass, one whose file or requirement is missing, or the
                live model where it is not at hand.
            StrategyError: no strategy has an answer.
        """
        wanted = self._wanted(format, runtime, runtime_provider, jit_type, precision, enable_xla, jit_compile)
        wanted = replace(wanted, device=kind_of(device, "device") or wanted.device)
        own = artifacts.session_options(threads, session_options), artifacts.tensor_library(return_type)
        if format is None or strategies is not None:
            figure = self._chosen(
                wanted, strategies, self._usable, include_source=include_source, verified_only=verified_only
            )
            return self._runner(figure.key, figure.runner, *own)
        cells = verdict.runnable(self.results, self._cells(wanted), verified_only=verified_only)
        return self._runner(*artifacts.available(self.results, cells), *own)

    def get_best(
        self,
        strategies: Strategy | Sequence[Strategy] | None = None,
        *,
        include_source: bool = True,
        verified_only: bool = False,
    ) -> Figure:
        """Return what strategies choose: format, runner, batch size, p50 latency in ms and throughput in infer/s.

        Raises:
            StrategyError: no strategy has an answer.
        """
        wanted = Wanted(device=self._device)
        return self._chosen(wanted, strategies, None, include_source=include_source, verified_only=verified_only)

    def keep_source(self, model: object) -> None:
        """Remember the live model that the package was just made from, for who asks for a runner of it."""
        self._at_hand = model

    def load_source(self, model: object) -> None:
        """Give the package its live model, which no file holds, so that its runners can run.

        Raises:
            PackageError: it is another model than the package was made from.
            SourceError: it is no model of the package's framework, or not ready for inference.
        """
        self._source = artifacts.source_of(self.results, model)

    def set_verified(
        self,
        format: str,
        runtime: str | None = None,
        jit_type: str | None = None,
        precision: str | None = None,
        enable_xla: bool | None = None,
        jit_compile: bool | None = None,
        *,
        runtime_provider: str | None = None,
    ) -> None:
        """Note that a format is verified in a runtime, as a `verify_` test does; `save` writes it down.

        Without a runtime: in every one in which it passed correctness.

        Raises:
            PackageError: it did not pass correctness there, or a `verify_` test of it failed.
        """
        wanted = self._wanted(format, runtime, runtime_provider, jit_type, precision, enable_xla, jit_compile)
        self.results = verdict.verified(self.results, self._cells(wanted))

    def is_verified(self, format: str, runtime: str) -> bool:
        """Return whether `verify_` tests or `set_verified` vouch for a format in a runtime, and no such test failed."""
        return all(self.results.verified(*cell) for cell in self._cells(Wanted(format, runtime, self._device)))

    def save(self, path: str | Path, keep_workdir: bool = True, override: bool = False, save_data: bool = True) -> None:
        """Write the package, with what was noted since it was opened: whole, or not at all.

        Args:
            path: of the new file, which may be the one that was opened.
            keep_workdir: False: remove what was extracted.
            override: replace a package that is at the path.
            save_data: False: leave out the samples; correctness cannot be checked from such a package again.

        Raises:
            ConfigError: the path is a URL.
            PackageError: something is at the path, a file of this package is damaged, or the new one cannot be written.
        """
        from pytest_navigator.package.container.copying import write_copy

        if "://" in str(path):
            raise ConfigError(f"save({str(path)!r}): a path is needed, not a URL: write a file, and copy it there")
        write_copy(self._file, self.results, Path(path), override=override, save_data=save_data)
        if not keep_workdir:
            self._workdir.remove()

    def retest(self, *, profile: bool = True, profiler_config: Profile | None = None) -> None:
        """Run the checks again on this machine; the package has their outcomes then, and `save` writes them down.

        It is a run of `pytest --nav-model` with this package: what was exported is checked as it is, what was converted
        is made again. The live model's own figures are not among the outcomes, since no package holds it.

        Args:
            profile: measure as well.
            profiler_config: how; None: as it was measured before.

        Raises:
            ConfigError: `profiler_config` is something else.
            PackageError: the package holds nothing to check, or the run did not come to its end.
        """
        from pytest_navigator.api.retest import Again, checked_again

        flags = {"device": self._device, **({} if profile else {"profile": False})}
        file = checked_again(self._file, self.results, Again(profiler_config, flags))
        self._file.close()
        self._workdir.remove()
        self._file, self.results = file, file.results

    def made_again(self, **again: Any) -> Package:
        """Return the package that a run of the checks gives; this one stays as it is. See `retest.Again`."""
        from pytest_navigator.api.retest import Again, checked_again
        from pytest_navigator.package.container.workdir import Workdir

        found = Package(checked_again(self._file, self.results, Again(**again)), Workdir(None), self._device)
        found.path, found._source, found._at_hand = self.path, self._source, self._at_hand
        return found

    def close(self) -> None:
        """Close the file and remove a temporary workdir."""
        self._file.close()
        self._workdir.close()
        self._source = self._at_hand = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _runner(self, key: str, name: str, options: Parameters | None, tensors: Framework | None) -> PackageRunner:
        variant, record = self.results.variant(key), self.results.suite.runners[name]
        artifacts.check_runs_here(self.results, key, name)
        if found := differences(self.results, self.status, key, record):
            warn(f"{key} on {name} was checked elsewhere: {one_line('; '.join(found))}")
        kind = artifacts.runner_class(record)
        if doubt := self.results.unjudged(key, name):
            warn(one_line(doubt))
        artifact = self._live(variant) if record.live else self.get_path(key)
        variant = artifacts.with_options(variant, options)
        return artifacts.runner(kind, artifact, self.results, variant, self, tensors)

    def _live(self, variant: Variant) -> Source:
        if self._source is None and self._at_hand is not None:
            self.load_source(self._at_hand)  # not before somebody asks: it reads every weight
        if self._source is None:
            raise PackageError(artifacts.NOT_GIVEN.format(key=variant.key, package=self.path.name))
        return self._source

    def _wanted(self, format: str | None, runtime: str | None, provider: str | None, *parameters: Any) -> Wanted:
        return Wanted(format, one_runtime(runtime, provider), self._device, *parameters)

    def _variant(self, wanted: Wanted) -> Variant:
        own = self.results.suite.variants
        return wanted.one_variant(self.results, [v.key for v in own if verdict.possible(self.results, v)])

    def _cells(self, wanted: Wanted) -> list[Cell]:
        return wanted.cells(self.results, [self._variant(wanted)])

    def _chosen(
        self,
        wanted: Wanted,
        strategies: Strategy | Sequence[Strategy] | None,
        possible: Callable[[Figure], bool] | None,
        **among: bool,
    ) -> Figure:
        return verdict.chosen(self.results, wanted, strategies, possible=possible, **among)

    def _usable(self, figure: Figure) -> bool:
        return artifacts.usable(self._file, self.results, figure.key, figure.runner, live=self.has_source)
