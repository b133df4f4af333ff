"""TF-TRT in scripts: the conversion of a SavedModel (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.formats.tf_tensorrt_model import convert_savedmodel
from pytest_navigator.formats.tf_tensorrt_model import filled
from pytest_navigator.formats.tf_tensorrt_model import of_one_shape
from pytest_navigator.frameworks.tensorflow_names import argument_names
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.reproduce.torch_tensorrt import profile_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.records import Signature
    from pytest_navigator.reproduce.parts import Subject

CONVERT = """{names}
{profile}
{options}
calibration = {calibration}
convert_savedmodel(args.artifact, args.output, options, filled(batch, names, profile), calibration)"""


def conversion_code(subject: Subject, options: Mapping[str, Any]) -> MakingCode:
    """Return the conversion; `options` are the converter's.

    Raises:
        StepFailed: the profile does not fit the model.
    """
    paths, calibrated = literal(list(subject.loader.batches)), subject.variant.parameters["precision"] == "int8"
    body = CONVERT.format(
        names=literal(names(subject.signature), "names"),
        profile=literal(profile_of(subject), "profile"),
        options=literal(dict(options), "options"),
        calibration=f"of_one_shape([read(path, INPUTS) for path in {paths}], names)" if calibrated else "[]",
    )
    return MakingCode(body, functions=(convert_savedmodel, filled, *([of_one_shape] if calibrated else [])))


def names(signature: Signature) -> dict[str, str]:
    """Return the argument of the SavedModel's signature -> the input's name."""
    return dict(zip(argument_names(signature), (spec.name for spec in signature.inputs), strict=True))
