"""Names of Model Navigator that are not here: what to write instead, in place of an AttributeError."""

from __future__ import annotations

from typing import NoReturn

from pytest_navigator.errors import ConfigError

# docs/coming-from-model-navigator.md has each of them; a test compares.
NAMES = {
    "CommandStatus": 'a status is a text: outcome.status == "passed" for outcome in package.results.outcomes',
    "InplaceConfig": "nav.OptimizeConfig for what is made, nav.load_optimized(strategies=) for what is chosen",
    "PackageDescriptor": "what export and optimize return is a nav.Package",
    "inplace_config": "nav.OptimizeConfig for what is made, nav.load_optimized(strategies=) for what is chosen",
    "is_tf_available": "nothing: a framework is imported when a model of it is used",
    "is_torch_available": "nothing: a framework is imported when a model of it is used",
    "is_trt_available": "nothing: what needs TensorRT is skipped where it is not there, and says so",
    "register_runner": "the hook pytest_nav_formats of a plugin gives a format with its runners: docs/extending.md",
    "tensorrt": "pytest --nav-model=model.plan --nav-package=out.nav checks a ready engine",
    "utilities": "--nav-batch-sizes=auto, or OptimizationProfile(max_batch_size=64), searches the batch sizes",
}

OF_PACKAGE = {
    "config": 'package.status["config"]',
    "framework": "package.results.suite.framework",
    "get_best_model_status": "package.get_best(strategies), which has the figures too",
    "get_best_runtime": "package.get_runner(strategies=...)",
    "get_model_path": "package.get_path(format)",
    "is_empty": "list(package.get_formats_status()) is the source alone",
    "load_source_model": "package.load_source(model)",
    "model": "package.get_model(format) of the source's own format: package.get_model(nav.Format.TORCH)",
    "save_status_file": "package.save(path)",
    "workspace": "package.workdir",
}


LLM = "nothing: TensorRT-LLM's engines and repositories are its own tools'"

OF_TRITON = {
    "BaseSpecializedModelConfig": "one of the others: nav.triton.ONNXModelConfig(...)",
    **dict.fromkeys(("BatchSchedulerPolicy", "BatchingStrategy", "DecodingMode"), LLM),
    **dict.fromkeys(("KVCacheConfig", "PeftCacheConfig", "TensorRTLLMModelConfig"), LLM),
}

PYTRITON = "adapter.config, adapter.inputs and adapter.outputs are PyTriton's own, of pytriton.model_config"

OF_PYTRITON = dict.fromkeys(("DynamicBatcher", "ModelConfig", "QueuePolicy", "Tensor", "TimeoutAction"), PYTRITON)

TABLES = {"nav": NAMES, "package": OF_PACKAGE, "nav.triton": OF_TRITON, "nav.pytriton": OF_PYTRITON}


def instead_of(where: str, name: str) -> Instead:
    """Return what stands for a name of Model Navigator's.

    Args:
        where: a key of `TABLES`.

    Raises:
        AttributeError: it has no such name either.
    """
    if name not in TABLES[where]:
        raise AttributeError(f"{where} has no attribute {name!r}")
    return Instead(f"{where}.{name}", TABLES[where][name])


class Instead:
    """Stands for something of Model Navigator's: says what to write instead when it is called, or asked for a part."""

    def __init__(self, name: str, text: str) -> None:
        self._line = f"{name} is Model Navigator's; here: {text}"

    def __repr__(self) -> str:
        return f"<{self._line}>"

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        """Raise ConfigError with what to write instead."""
        raise ConfigError(self._line)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):  # What Python itself, or a notebook, asks of any object
            raise AttributeError(name)
        raise ConfigError(self._line)
