"""The graph of a SavedModel, piece by piece: each from the right values before it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.backends.tensorflow.diagnosis import ARRAYS, VALUES
from pytest_navigator.backends.tensorflow.diagnosis.layers import Edge
from pytest_navigator.comparison.divergence import EXPORT, Segment, first_divergence, no_divergence
from pytest_navigator.core.plain import load
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.diagnosis import save_evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.backends.tensorflow.runners import SavedModelRunner
    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.formats.diagnosis import Question

METHOD = "pieces of the graph between Keras layers"
