"""The generated tests: an ordinary class that the plugin plants where `nav_model` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_navigator.collecting.item import SuiteItem


@pytest.mark.usefixtures("nav_model", "nav_dataloader")
class NavigatorSuite:
    """Each test reports the outcome of one step; the workspace runs what has not run yet."""

    @pytest.fixture
    def navigator(self, request: pytest.FixtureRequest) -> SuiteItem:
        """The suite, seen from one of its items."""
        from pytest_navigator.collecting.item import suite_item

        return suite_item(request)

    @pytest.mark.nav_source
    def test_source(self, navigator: SuiteItem) -> None:
        """The model and its loader keep their contract."""
        navigator.report("source")

    @pytest.mark.nav_export
    def test_export(self, navigator: SuiteItem, nav_format: str) -> None:
        """The model can be written in this format, and a runtime loads it."""
        navigator.report("export", nav_format)

    @pytest.mark.nav_convert
    def test_convert(self, navigator: SuiteItem, nav_format: str) -> None:
        """The format that this one is made from can be converted."""
        navigator.report("convert", nav_format)

    @pytest.mark.nav_correctness
    def test_correctness(self, navigator: SuiteItem, nav_format: str, nav_runtime: str) -> None:
        """The runtime gives the source's numbers, on the user's own batches."""
        navigator.report("correctness", nav_format, nav_runtime)

    @pytest.mark.nav_profile
    def test_profile(
        self,
        navigator: SuiteItem,
        nav_format: str,
        nav_runtime: str,
        nav_batch: str,
        benchmark: object,
    ) -> None:
        """Latency, throughput and memory are measured."""
        navigator.profile(nav_format, nav_runtime, nav_batch, benchmark)
