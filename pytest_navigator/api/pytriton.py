"""`nav.pytriton`: what PyTriton takes of a package."""

from __future__ import annotations

from pytest_navigator.deploy.pytriton import PyTritonAdapter

__all__ = ["PyTritonAdapter"]
