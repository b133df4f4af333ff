"""`nav.pytriton`: what PyTriton takes of a package."""

from __future__ import annotations

from pytest_navigator.api.instead import instead_of
from pytest_navigator.deploy.pytriton import PyTritonAdapter

__all__ = ["PyTritonAdapter"]


def __getattr__(name: str) -> object:
    return instead_of("nav.pytriton", name)
