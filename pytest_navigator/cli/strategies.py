"""Strategies as a command line names them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, unknown_text
from pytest_navigator.package.query import strategies

if TYPE_CHECKING:
    from pytest_navigator.package.query.strategies import Strategy

NAMES: dict[str, type[Strategy]] = {
    "min-latency": strategies.MinLatencyStrategy,
    "max-throughput": strategies.MaxThroughputStrategy,
    "max-throughput-and-min-latency": strategies.MaxThroughputAndMinLatencyStrategy,
}
BUDGET = "max-throughput-within"
HELP = f"{', '.join(NAMES)} or {BUDGET}=MS, a budget of latency (default: what a package chooses by itself)"


def strategy(text: str) -> Strategy:
    """Return the strategy of a name, which may be Model Navigator's ("MinLatencyStrategy").

    Raises:
        argparse.ArgumentTypeError: there is none of that name, or its budget is no number above 0.
    """
    name, _, value = text.partition("=")
    own = {**NAMES, **{kind.__name__: kind for kind in NAMES.values()}}
    if name in own and not value:
        return own[name]()
    if name not in (BUDGET, strategies.MaxThroughputWithLatencyBudgetStrategy.__name__):
        raise argparse.ArgumentTypeError(unknown_text("strategy", text, [*NAMES, f"{BUDGET}=MS"]))
    try:
        return strategies.MaxThroughputWithLatencyBudgetStrategy(float(value))
    except (ValueError, ConfigError):
        raise argparse.ArgumentTypeError(f"{text}: a number of ms above 0 is needed, like {BUDGET}=5") from None
