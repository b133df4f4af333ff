"""`nav.experimental`: Model Navigator's place for JAX since 0.11; here it is `nav.jax`."""

from __future__ import annotations

from pytest_navigator.api import jax as jax

__all__ = ["jax"]
