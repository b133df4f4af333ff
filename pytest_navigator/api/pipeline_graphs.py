"""The formats of one graph of a module: made, checked and measured as those of any model, or known from before."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.api.given import check_verify_func
from pytest_navigator.api.keywords import WORKSPACE, optimizing
from pytest_navigator.api.loading import load
from pytest_navigator.api.running import check
from pytest_navigator.backends.builtin import known
from pytest_navigator.configuration.optimize_config import check_config
from pytest_navigator.errors import ConfigError, PackageError, SourceError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.package.zip.file_names import portable
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.choosing import Verdict, verdict_of
from pytest_navigator.pipelines.class_code import said_of
from pytest_navigator.pipelines.replaying import problem_of
from pytest_navigator.planning.compiled import compiling

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.api.given import Given
    from pytest_navigator.api.package import Package
    from pytest_navigator.configuration.optimize_config import OptimizeConfig
    from pytest_navigator.pipelines.graphs import Graph
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.store import Store

OF_A_RUN = ("batching", "workspace", "debug", "verify_func")
"""Options that change nothing of a package."""


NOT_YET = "the pipeline was not checked with it: nav.optimize was interrupted; run it again"


@dataclass(frozen=True)
class Made:
    """What came of one graph.

    Attributes:
        asked: digest of the calls and the settings that its package was made with.
        package: open; None: there is none.
        kept: name of the package in the store.
    """

    graph: Graph
    verdict: Verdict
    asked: str = ""
    package: Package | None = None
    kept: str = ""

    @property
    def precision(self) -> str:
        """What the chosen format computes in, if that is its own; else ""."""
        if self.package is None or not self.verdict.format:
            return ""
        return str(self.package.results.variant(self.verdict.format).parameters.get("precision", ""))

    def choice(self, fingerprint: str, back: str = "", *, slower: bool = False, doubt: str = "") -> Choice:
        """Return what is to be kept.

        Args:
            back: why the module goes back to eager all the same; slower: whether that is for speed alone.
            doubt: what speaks against the format and is not borne out.
        """
        graph, verdict = self.graph, self.verdict
        reason = "; ".join(filter(None, (verdict.reason, doubt)))
        return Choice(
            graph.wrapped.name,
            graph.name,
            fingerprint,
            graph.key,
            "" if back else verdict.format,
            "" if back else verdict.runner,
            back or reason,
            graph.varied,
            verdict.eager_ms,
            verdict.chosen_ms,
            self.kept,
            graph.sizes,
            graph.aliases,
            self.asked,
            slower if back else verdict.slower,
            graph.numbers,
            verdict.caveat,
            verdict.spread,
        )


@dataclass(frozen=True)
class Making:
    """How graphs get their formats.

    Attributes:
        samples: how many samples the user's loader has: calls of later ones are at a batch size that is not the user's.
        reuse: whether a package of the same weights, code, calls and settings is taken from the store.
    """

    config: OptimizeConfig
    store: Store
    samples: int
    reuse: bool = True

    def made(self, graph: Graph, fingerprint: str, changing: Sequence[str] = (), refused: str = "") -> Made:
        """Return what comes of a graph; its package is in the store then, to be used when this is interrupted.

        Args:
            fingerprint, changing: of its module, see `Store.put`.
            refused: why no format of its module can be made.

        Raises:
            ConfigError, PackageError, KeyboardInterrupt: as `running.check`.
        """
        if problem := refused or problem_of(graph):
            return Made(graph, Verdict(reason=problem))
        options = options_of(graph.wrapped, self.config)
        asked = _asked(graph, options)
        if self.reuse and (known := self._known(graph, fingerprint, asked, "verify_func" in options)):
            return known
        workspace = Path(options.get("workspace") or WORKSPACE, portable(graph.name))
        try:
            package = check(
                self._given(graph, options), workspace, override_workdir=True, debug=options.get("debug", False)
            )
        except SourceError as error:
            return Made(graph, Verdict(reason=error_line(error)))
        verdict = verdict_of(package.results, verified_only="verify_func" in options)
        return self._stored(Made(graph, verdict, asked, package), fingerprint, changing)

    def _stored(self, made: Made, fingerprint: str, changing: Sequence[str]) -> Made:
        assert made.package is not None
        made.package.close()
        choice = made.choice(fingerprint, NOT_YET)
        (kept,) = self.store.put([choice], {made.graph.name: made.package.path}, changing)
        return replace(made, package=load(self.store.package(kept)), kept=kept.package)

    def _known(self, graph: Graph, fingerprint: str, asked: str, verified_only: bool) -> Made | None:
        choices = self.store.choices(fingerprint)
        same = [
            each for each in choices if (each.module, each.key, each.asked) == (graph.wrapped.name, graph.key, asked)
        ]
        try:
            package = load(self.store.package(same[0])) if same else None
        except PackageError:  # damaged, or gone: it is made again
            package = None
        if package is None:
            return None
        verdict = verdict_of(package.results, verified_only=verified_only)
        return Made(graph, verdict, asked, package, same[0].package)

    def _given(self, graph: Graph, options: dict[str, Any]) -> Given:
        loader = [each.call for each in graph.calls]
        keywords: Any = {name: value for name, value in options.items() if name not in OF_A_RUN[:3]}
        given = optimizing("torch", graph.wrapped.module, loader, keywords)
        config = given.config.replace(
            name=graph.name,
            batch_dim=graph.batch_dim,
            unbatched=graph.unbatched,
            batch_sizes=self._batch_sizes(graph),
        )
        return replace(
            given,
            config=config,
            without=frozenset() if options.get("runners") else compiling(known().formats["torch"].runner_specs),
        )

    def _batch_sizes(self, graph: Graph) -> Sequence[int] | None:
        """Return the smallest and the largest batch that the module has on the user's own samples."""
        if graph.rows is None:
            return None
        sizes = {graph.rows * each.batch_size for each in graph.calls if each.sample < self.samples}
        return sorted({min(sizes), max(sizes)}) if sizes else None


def check_options(wrapped: Wrapped, config: OptimizeConfig) -> None:
    """Refuse a module's own configuration before anything is made.

    Raises:
        ConfigError: it is none, or its `verify_func` cannot be called.
    """
    own = wrapped.options.optimize_config or getattr(wrapped.module, "optimize_config", None)
    try:
        check_config(own)
        check_verify_func(options_of(wrapped, config).get("verify_func"))
    except ConfigError as error:
        raise ConfigError(f"{wrapped.name}: {error}") from None


def options_of(wrapped: Wrapped, config: OptimizeConfig) -> dict[str, Any]:
    """Return what holds for a module, as keywords of `nav.torch.optimize`: its own configuration, or the pipeline's.

    The pipeline's `verify_func` is of the pipeline, and no module's.
    """
    own = wrapped.options.optimize_config or getattr(wrapped.module, "optimize_config", None)
    options: dict[str, Any] = (own or config).options()
    if own is None:
        options.pop("verify_func", None)
    return options


def _asked(graph: Graph, options: dict[str, Any]) -> str:
    """Return a digest of all that a package depends on, beside weights and code."""
    import torch

    said = sorted((name, repr(value)) for name, value in options.items() if name not in OF_A_RUN)
    verified = said_of(options["verify_func"]) if "verify_func" in options else ""
    calls = graph.varied, graph.numbers, graph.sizes, graph.rows, graph.unbatched, len(graph.calls)
    return hashlib.sha256(repr((__version__, torch.__version__, said, verified, calls)).encode()).hexdigest()[:16]
