"""`nav.triton.model_repository`: models of files and of packages, as an inference server loads them."""

from __future__ import annotations

from pytest_navigator.deploy.triton.adding import add_model

__all__ = ["add_model"]
