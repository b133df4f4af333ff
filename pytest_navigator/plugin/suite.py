"""The generated tests: ordinary classes that the plugin plants where `nav_model` or `nav_pipeline` is."""

from __future__ import annotations

from typing import Protocol

import pytest


class Reporting(Protocol):
    """The suite, seen from one of its items: the fixture `navigator`."""

    def report(self, step: str, nav_format: str = "", nav_runtime: str = "", nav_batch: str = "") -> object:
        """Pass, fail, skip or xfail as the step did."""

    def profile(self, nav_format: str, nav_runtime: str, nav_batch: str, benchmark: object) -> None:
        """Report a profile step, and show its figures as pytest-benchmark's."""


@pytest.mark.usefixtures("nav_model", "nav_dataloader")
class NavigatorSuite:
    """Each test reports the outcome of one step; the workspace runs what has not run yet."""

    @pytest.mark.nav_source
    def test_source(self, navigator: Reporting) -> None:
        """The model and its loader keep their contract."""
        navigator.report("source")

    @pytest.mark.nav_export
    def test_export(self, navigator: Reporting, nav_format: str) -> None:
        """The model can be written in this format, and a runtime loads it."""
        navigator.report("export", nav_format)

    @pytest.mark.nav_convert
    def test_convert(self, navigator: Reporting, nav_format: str) -> None:
        """The format that this one is made from can be converted."""
        navigator.report("convert", nav_format)

    @pytest.mark.nav_correctness
    def test_correctness(self, navigator: Reporting, nav_format: str, nav_runtime: str) -> None:
        """The runtime gives the source's numbers, on the user's own batches."""
        navigator.report("correctness", nav_format, nav_runtime)

    @pytest.mark.nav_decoding
    def test_decoding(self, navigator: Reporting, nav_format: str, nav_runtime: str) -> None:
        """The runtime chooses the source's tokens, step after step, with the cache that it gives itself."""
        navigator.report("decoding", nav_format, nav_runtime)

    @pytest.mark.nav_throughput
    def test_throughput(self, navigator: Reporting, nav_format: str, nav_runtime: str) -> None:
        """The batch sizes with the most throughput are found, and the runtime gives the source's numbers at them."""
        navigator.report("throughput", nav_format, nav_runtime)

    @pytest.mark.nav_profile
    def test_profile(
        self,
        navigator: Reporting,
        nav_format: str,
        nav_runtime: str,
        nav_batch: str,
        benchmark: object,
    ) -> None:
        """Latency, throughput and memory are measured."""
        navigator.profile(nav_format, nav_runtime, nav_batch, benchmark)

    @pytest.mark.nav_quantization
    def test_quantization(self, navigator: Reporting, nav_format: str, nav_runtime: str) -> None:
        """A format with fewer digits is no slower and no larger than the one with more."""
        navigator.report("quantization", nav_format, nav_runtime)

    @pytest.mark.nav_regression
    def test_regression(self, navigator: Reporting, nav_format: str, nav_runtime: str) -> None:
        """Nothing is worse than in the baseline."""
        navigator.report("regression", nav_format, nav_runtime)

    @pytest.mark.nav_budget
    def test_budget(self, navigator: Reporting, nav_format: str, nav_runtime: str, nav_limit: str) -> None:
        """A cell keeps one limit of its budget."""
        navigator.report("budget", nav_format, nav_runtime, nav_limit)


class WholePipeline(Protocol):
    """A pipeline, seen from one of its items: the fixture `navigator_pipeline`."""

    def report(self, mix: tuple[str, ...]) -> object:
        """Pass, fail or skip as the whole pipeline did with these formats in it."""


@pytest.mark.usefixtures("nav_pipeline")
class PipelineSuite(NavigatorSuite):
    """The tests of each module of a `nav_pipeline`, and of the whole."""

    @pytest.fixture
    def nav_model(self, request: pytest.FixtureRequest) -> str:
        """Tell the modules apart: each is one model to the tests above."""
        name: str = request.param
        return name

    @pytest.mark.nav_pipeline
    def test_pipeline(self, navigator_pipeline: WholePipeline, nav_mix: tuple[str, ...]) -> None:
        """The whole pipeline gives the eager one's results with these formats in it."""
        navigator_pipeline.report(nav_mix)
