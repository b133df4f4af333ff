"""`nav.contrib`: what knows the models of one provider."""

from __future__ import annotations

from pytest_navigator.api.contrib import huggingface as huggingface
