"""What profiles are made on where `OptimizationProfile` has a loader of its own: its first sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.engine.inference import SourceModel
from pytest_navigator.errors import SourceError
from pytest_navigator.samples.npz import save_npz
from pytest_navigator.samples.reading import first_sample

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.engine.inference import Arrays
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.samples.reading import Flatten, Samples

FILE = "model_input/profiling_batch.npz"
TIMED = "timed_batch"  # In the data of the source step: the file, below the suite's folder


def write_timing_sample(
    root: Path, source: Source, config: NavConfig, flatten: Flatten, samples: Samples, signature: Signature
) -> tuple[dict[str, JSON], list[str]]:
    """Write the sample, once the model has taken it; return what to record, nothing where there is no such loader.

    The second is what a user should know of it: sizes that none of the samples has.

    Raises:
        SourceError: it is no sample of the model's, or has a size that the exports will not take.
    """
    profile = config.optimization_profile
    if not isinstance(profile, OptimizationProfile) or profile.dataloader is None:
        return {}, []
    try:
        arrays = first_sample(profile.dataloader, flatten, samples)
        _check_sizes(arrays, signature)
    except SourceError as error:
        raise SourceError(f"OptimizationProfile.dataloader: {error}") from error.__cause__
    model = SourceModel(source, signature.input_tree, config.output_names, config.comparisons)
    model(arrays, "the first sample of OptimizationProfile.dataloader")
    save_npz(root / FILE, arrays)
    return {TIMED: FILE}, _outside(arrays, samples, signature)


def timed_batch(folder: SuiteFolder) -> str:
    """Return the file of the sample that is timed, below the suite's folder."""
    return folder.source.timed_batch or folder.source.profiling_batch


def _check_sizes(arrays: Arrays, signature: Signature) -> None:
    for spec in signature.inputs:
        for axis, (size, found) in enumerate(zip(spec.shape, arrays[spec.name].shape, strict=True)):
            if size not in (-1, found):
                raise SourceError(
                    f"sample 0: input {spec.name} has {found} on axis {axis}, where every sample of nav_dataloader has "
                    f"{size}, so that the exports take nothing else; let nav_dataloader give a sample of that size too"
                )


def _outside(arrays: Arrays, samples: Samples, signature: Signature) -> list[str]:
    """Say which axes have a size outside of those of the samples: a format that is bound to these does not take it."""
    batch = {spec.name: signature.batch_dim if spec.batched else None for spec in signature.inputs}
    found = [
        f"axis {axis} of {name} is {size}, in nav_dataloader {min(sizes)} to {max(sizes)}"
        for name, array in arrays.items()
        for axis, (size, sizes) in enumerate(zip(array.shape, samples.dims[name], strict=True))
        if axis != batch[name] and not min(sizes) <= size <= max(sizes)  # rows are taken as each batch size needs them
    ]
    return [f"OptimizationProfile.dataloader: {'; '.join(found)}: not every format takes it"] if found else []
