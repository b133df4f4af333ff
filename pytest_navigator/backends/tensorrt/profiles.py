"""The shapes that an engine takes: what the loader shows, what the user says, and the batch sizes to try (pure).

A profile is `{input: {"min": shape, "opt": shape, "max": shape}}`, as in status.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import StepFailed, unknown_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.records import LoaderRecord, Signature

Profile = dict[str, dict[str, list[int]]]
WORDS = ("min", "opt", "max")
HALVINGS = 2


def batch_sizes(loader: LoaderRecord, *, fallback: bool) -> list[int | None]:
    """Return the largest batch sizes to build for, in the order in which to try them.

    Model Navigator's rule: half and a quarter of what was asked for while that is more than the loader has, at last
    the loader's own.
    """
    asked, largest = loader.asked_batch, loader.max_batch_size
    if not fallback or asked is None or largest is None or asked <= largest:
        return [asked]
    halves = [asked // 2**i for i in range(HALVINGS + 1)]
    return [*(size for size in halves if size > largest), largest]


def _with_batch(profile: Profile, signature: Signature, size: int | None) -> Profile:
    """Return the loader's profile for batches of up to `size`, tuned for Model Navigator's optimum below it.

    Where that is the loader's own largest, its usual shape stays.
    """
    from pytest_navigator.samples.signatures import optimal_batch_size  # numpy, which collection has no need of

    axis, batched = signature.batch_dim, {spec.name for spec in signature.inputs if spec.batched}
    if axis is None or size is None:
        return profile
    sizes = dict(zip(WORDS, (1, optimal_batch_size(size), size), strict=True))
    changed = {name for name, shapes in profile.items() if name in batched and shapes["max"][axis] != size}
    return {
        name: {word: _at(shapes[word], axis, sizes[word]) for word in WORDS} if name in changed else shapes
        for name, shapes in profile.items()
    }


def completed(
    loader: Profile, size: int | None, given: Sequence[Mapping[str, Any]], signature: Signature
) -> list[Profile]:
    """Return the profiles to build with: the user's, each with the loader's shapes where it says nothing.

    Args:
        loader: what the loader shows; size: the largest batch that is to be run; given: what the user says.

    Raises:
        StepFailed: an input that the model does not have, a fixed axis with other sizes, or samples that no profile
            takes.
    """
    wanted = _with_batch(loader, signature, size)
    profiles = [_completed(wanted, profile, signature) for profile in given] or [wanted]
    for word in ("min", "max"):
        if not any(_takes(profile, loader, word) for profile in profiles):
            raise StepFailed(_outside(profiles, loader, word))
    return profiles


def check_given(loader: LoaderRecord, given: Sequence[Mapping[str, Any]], signature: Signature) -> None:
    """Refuse profiles of the user's that no engine can have, before there is anything to build.

    Raises:
        StepFailed: as `completed` and `check_shared`; or batches are to be measured that no profile takes.
    """
    axis, asked = signature.batch_dim, loader.asked_batch
    if not given:
        return
    profiles = completed(loader.profile, asked, given, signature)
    if axis is None:
        return
    batched = [spec for spec in signature.inputs if spec.batched and spec.name in loader.profile]
    check_shared(profiles, given, {spec.name: {axis: "batch"} for spec in batched})
    for name in (spec.name for spec in batched):
        largest = max(profile[name]["max"][axis] for profile in profiles)
        if asked is not None and asked > largest:
            raise StepFailed(
                f"trt_profiles: axis {axis} of {name!r} goes up to {largest}, but batches of {asked} are to be "
                "measured: let a profile take them, or leave that batch size out"
            )


def check_shared(
    profiles: Sequence[Profile], given: Sequence[Mapping[str, Any]], axes: Mapping[str, Mapping[int, str]]
) -> None:
    """Refuse a profile of the user's that gives two axes of one dimension different sizes, as TensorRT does.

    Args:
        profiles: completed; given: what the user says, in the same order.
        axes: the names of the dimensions, as the ONNX file has them, by input and axis.

    Raises:
        StepFailed: with the profile, both axes and their sizes.
    """
    for number, (profile, said) in enumerate(zip(profiles, given, strict=False)):
        first: dict[str, tuple[str, int]] = {}
        # What the user has named comes first: it is what moved away from the others.
        for name in sorted(axes, key=lambda name: name not in said):
            for axis, symbol in axes[name].items():
                other = first.setdefault(symbol, (name, axis))
                if _sizes(profile, *other) != _sizes(profile, name, axis):
                    raise StepFailed(
                        f"trt_profiles[{number}]: {_range(profile, *other)}, but {_range(profile, name, axis)}; both "
                        f"are the dimension {symbol!r}: give them the same sizes"
                    )


def _sizes(profile: Profile, name: str, axis: int) -> list[int]:
    return [profile[name][word][axis] for word in WORDS]


def _range(profile: Profile, name: str, axis: int) -> str:
    low, usual, high = _sizes(profile, name, axis)
    return f"axis {axis} of {name!r} goes from {low} to {high}, tuned for {usual}"


def _completed(loader: Profile, given: Mapping[str, Any], signature: Signature) -> Profile:
    fixed = {spec.name: spec.shape for spec in signature.inputs}
    profile = dict(loader)
    for name, said in given.items():
        if name not in loader:
            raise StepFailed(f"trt_profiles: {unknown_text('input', name, loader)}")
        shapes = dict(zip(WORDS, said["shapes"], strict=True)) if "shapes" in said else _axes(loader[name], name, said)
        _check(name, shapes, fixed[name])
        profile[name] = shapes
    return profile


def _axes(shapes: Mapping[str, list[int]], name: str, said: Mapping[str, Any]) -> dict[str, list[int]]:
    found = {word: list(shape) for word, shape in shapes.items()}
    for axis, sizes in said["axes"].items():
        if int(axis) not in range(len(found["min"])):
            raise StepFailed(f"trt_profiles: input {name!r} has no axis {axis}, its shape is {found['max']}")
        for word, size in zip(WORDS, sizes, strict=True):
            found[word][int(axis)] = size
    return found


def _check(name: str, shapes: Mapping[str, list[int]], fixed: Sequence[int]) -> None:
    if len(shapes["min"]) != len(fixed):
        raise StepFailed(
            f"trt_profiles: {name!r} has {len(shapes['min'])} axes there, {len(fixed)} in the model {tuple(fixed)}"
        )
    for axis, size in enumerate(fixed):
        sizes = {shapes[word][axis] for word in WORDS}
        if size != -1 and sizes != {size}:
            raise StepFailed(f"trt_profiles: axis {axis} of {name!r} is {size} in the model, not {sorted(sizes)}")


def _takes(profile: Profile, loader: Profile, word: str) -> bool:
    return all(
        low <= size <= high
        for name, shapes in loader.items()
        for low, size, high in zip(profile[name]["min"], shapes[word], profile[name]["max"], strict=True)
    )


def _outside(profiles: Sequence[Profile], loader: Profile, word: str) -> str:
    """Say which sample no profile takes: the first axis that is out of the first profile."""
    profile = profiles[0]
    name, axis, size, low, high = next(
        (name, axis, size, low, high)
        for name, shapes in loader.items()
        for axis, (low, size, high) in enumerate(
            zip(profile[name]["min"], shapes[word], profile[name]["max"], strict=True)
        )
        if not low <= size <= high
    )
    why = " (single rows of the samples are checked too)" if word == "min" and size == 1 else ""
    return (
        f"trt_profiles: axis {axis} of {name!r} goes from {low} to {high}, but the samples have {size}{why}: no "
        "profile takes them all"
    )


def _at(shape: Sequence[int], axis: int, size: int) -> list[int]:
    return [size if place == axis else old for place, old in enumerate(shape)]
