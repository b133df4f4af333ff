"""`NavConfig`: what a model repo says about its model, as a plain value beside the `nav_model` fixture."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.known_fields import KnownFields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.comparison.tolerances import Comparisons, Tolerance
    from pytest_navigator.configuration.budgets import Budget
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig


@dataclass(frozen=True)
class NavConfig(KnownFields):
    """The configuration of one suite; None: not said here, so the ini file or the default decides.

    Attributes:
        name: of the model, what `{model}` in `--nav-package` becomes. Default: the folder, module or class.
        framework: "torch", ...; needed only when it cannot be told (see docs/configuration.md).
        formats: what to make: configuration objects (`OnnxConfig(opset=18)`) or names, also those of groups ("edge",
            "cpu", "all"). Default: what is usual of the framework.
        runtimes: "cpu", "cuda", "compile-cpu" or names of runners ("OnnxCPU"). Default: all.
        precisions: restricts formats that have several ("fp16").
        batch_sizes: to profile; "auto" or "auto:64" (rows at most) searches them. Default: 1 and the loader's largest.
        latency_budget: what a call may take in such a search (ms).
        batch_dim: the batch axis of every batched tensor; None: the model has none.
        unbatched: names of inputs without a batch axis (a table, a matrix that mixes channels), whole in every row.
            Needed only where the size of their axis is that of the batch in every sample.
        decoding: how many decoding steps the loader's samples are, after the first one, the prefill: each takes what
            the one before gave under the names of its own inputs (a cache, state). Every runner then generates too, in
            an item `test_decoding`. Samples after these are others.
        input_names, output_names: in flattening order.
        dynamic_axes: `{"x": {0: "batch"}}` or `{"x": [0]}`. Default: inferred from the loader, as the outputs'
            always are (entries for outputs, which torch's exporter takes too, are checked only).
        atol, rtol: a number; `{"logits": 1e-3, "*": 1e-5}` by output; `{"onnx": {"logits": 1e-3}}` by format too.
        comparisons: by output, instead of a tolerance: `nav.share(0.99)`, `nav.cosine(0.999)`,
            `nav.unchecked("reason")` or a function `(expected, actual) -> bool | str`.
        sample_count: samples that correctness is checked on, at most.
        max_sample_bytes: how many bytes of samples, and of the model's outputs on them, are kept, at most; samples with
            extreme shapes are kept in any case.
        seed: of the setup of `nav_model` and `nav_dataloader`, and of the selection of samples.
        profile: whether to profile at all. profile_seconds: per item, at most (s).
        optimization_profile: windows, trials and stability of the profiler.
        timeout: of one step (s). device: "cpu" or "cuda": only runners on that device; "all": every runner. Default
            ("auto"): those whose device is here, and what is named.
        require: formats, cells, runners or runtimes that must be checked and pass.
        budgets: `{"onnx-cpu": nav.Budget(p50_ms=5, size_mib=50)}`: what a cell, a variant, a format, a runner or a
            runtime may take, each limit an item of its own; a list of budgets has one a batch size.
        xfail: `{"torchscript-script": "reason"}`, strict.
        max_growth: by what share an artifact, or the peak memory of what runs it, may be larger than in the baseline:
            `0.1`, `"10%"`. Default: that is not judged. max_slowdown: by what share a call may take longer. Default:
            8 %.
        keep, save_data: what goes into the package.
        child_imports: modules that are imported in the process that runs model files, before it loads one: what
            registers custom operators and classes (`["shop.ops"]`).
        interpreters: format -> the Python that converts to it and runs it instead of this one
            (`{"tf-trt": "/venvs/tf215/bin/python"}`), or the command that starts one somewhere else, a text or its
            words: `docker run --rm -v {workspace}:{workspace} IMAGE python`. "*": of every format that is not named.

    Raises:
        ConfigError: a field does not exist, or its value is not possible.
    """

    name: str | None = None
    framework: str | None = None
    formats: Sequence[FormatConfig | str] | None = None
    runtimes: Sequence[str] | None = None
    precisions: Sequence[str] | None = None
    batch_sizes: Sequence[int] | str | None = None
    latency_budget: float | None = None
    batch_dim: int | None = 0
    unbatched: Sequence[str] = ()
    decoding: int | None = None
    input_names: Sequence[str] | None = None
    output_names: Sequence[str] | None = None
    dynamic_axes: Mapping[str, Mapping[int, str] | Sequence[int]] | None = None
    atol: Tolerance = None
    rtol: Tolerance = None
    comparisons: Comparisons = field(default_factory=dict)
    sample_count: int | None = None
    max_sample_bytes: int | None = None
    seed: int | None = None
    profile: bool | None = None
    profile_seconds: float | None = None
    optimization_profile: OptimizationProfile | ProfilerConfig | None = None
    timeout: float | None = None
    device: str | None = None
    require: Sequence[str] | None = None
    budgets: Mapping[str, Budget | Sequence[Budget]] | None = None
    xfail: Mapping[str, str] = field(default_factory=dict)
    max_growth: float | str | None = None
    max_slowdown: float | str | None = None
    keep: str | None = None
    save_data: str | None = None
    child_imports: Sequence[str] | None = None
    interpreters: Mapping[str, str | Sequence[str]] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be, where it is written."""
        from pytest_navigator.configuration.config_checks import check

        check(self)

    def replace(self, **changes: Any) -> NavConfig:
        """Return a copy with other values, for a company's configuration that one model adapts."""
        return replace(self, **changes)
