"""Which options a package may ask for, and what values each can have: what sets, writes and loads nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.core.plain import JSON

    Accepts = Callable[[JSON], bool]

# The method of ONNX Runtime's options that takes a name with dots in it, and its value.
CONFIG_ENTRY = "add_session_config_entry"

# The one of the `custom_args` that a runtime takes, ONNX Runtime's; the others are of what makes an artifact.
SESSION_OPTIONS = "session_options"

# Of a number, of threads, of a text or a list: a package asks for no more.
MOST = 2**40
MOST_THREADS = 1024
LONGEST = 128

WORD = re.compile(rf"\w[\w.:+-]{{0,{LONGEST}}}")  # A name or a number as text: no path, no further option

# A text among the parameters: no path, and no option of a command line.
TEXT = re.compile(rf"(?!-)[^/\\\x00-\x1f]{{0,{LONGEST}}}")


def flag(value: JSON) -> bool:
    """Whether a value is True or False."""
    return isinstance(value, bool)


def count(value: JSON) -> bool:
    """Whether a value is a number that something can have."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST


def threads(value: JSON) -> bool:
    """Whether a value is a number of threads, or of a level."""
    return type(value) is int and 0 <= value <= MOST_THREADS


def word(value: JSON) -> bool:
    """Whether a value is a name or a number as text."""
    return isinstance(value, str) and WORD.fullmatch(value) is not None


def words(value: JSON) -> bool:
    """Whether a value is one such text, or a list of them."""
    return word(value) or (isinstance(value, list) and len(value) <= LONGEST and all(map(word, value)))


def one_of(*valid: str) -> Accepts:
    """Return what accepts these texts."""
    return lambda value: isinstance(value, str) and value in valid


def file(value: JSON) -> bool:
    """Whether a value is a file, or several; the user's permission is asked for beside this."""
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(each, str) for each in value))


def plain(value: JSON) -> bool:
    """Whether a value is a name, a number, or a mapping or a list of such; keys are names of inputs."""
    if isinstance(value, dict):
        return all(map(plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(plain, value))
    return value is None or isinstance(value, bool | int | float) or TEXT.fullmatch(str(value)) is not None


def _dimension(value: JSON) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and count(value[1])


def _entry(value: JSON) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    name, number = value
    texts = isinstance(name, str) and isinstance(number, str)
    return texts and name in ENTRIES and re.fullmatch(r"[\d.]{1,12}", number) is not None


def _quantization(value: JSON) -> bool:
    """Whether a value is a `QuantizationConfig`: names of layers, which the files of exporters begin with a slash."""
    if not isinstance(value, dict):
        return False
    names = value.get("exclude", [])
    rest = {key: each for key, each in value.items() if key != "exclude"}
    return plain(rest) and isinstance(names, list) and all(isinstance(name, str) for name in names)


def _named(accepts: Accepts, names: str) -> dict[str, Accepts]:
    return dict.fromkeys(names.split(), accepts)


# Entries of ONNX Runtime's configuration that write, read and load nothing.
ENTRIES = _named(
    word,
    """
    session.intra_op.allow_spinning session.inter_op.allow_spinning session.force_spinning_stop
    session.set_denormal_as_zero session.disable_prepacking session.use_env_allocators
    session.use_device_allocator_for_initializers session.dynamic_block_base session.disable_quant_qdq
    session.disable_double_qdq_remover session.enable_quant_qdq_cleanup session.qdqisint8allowed
    session.disable_aot_function_inlining session.strict_shape_type_inference session.x64quantprecision
    session.allow_released_opsets_only optimization.enable_gelu_approximation
    mlas.enable_gemm_fastmath_arm64_bfloat16
    """,
)

# Of onnxruntime.SessionOptions: not where a profile or an optimised model is written, not what is no option.
SESSION: Mapping[str, Accepts] = {
    **_named(threads, "intra_op_num_threads inter_op_num_threads log_severity_level log_verbosity_level"),
    **_named(word, "graph_optimization_level execution_mode execution_order"),
    **_named(flag, "enable_cpu_mem_arena enable_mem_pattern enable_mem_reuse"),
    **_named(flag, "use_deterministic_compute use_per_session_threads"),
    **_named(_dimension, "add_free_dimension_override_by_name add_free_dimension_override_by_denotation"),
    CONFIG_ENTRY: _entry,
    "register_custom_ops_library": file,
}

# Of torch.compile: the options of Inductor name compilers and folders.
COMPILE: Mapping[str, Accepts] = {
    "backend": one_of("inductor", "eager", "aot_eager", "cudagraphs"),
    "mode": one_of("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs"),
    **_named(flag, "fullgraph dynamic"),
}

# Of jax.jit: the options of XLA's compiler name folders.
JIT: Mapping[str, Accepts] = _named(flag, "inline keep_unused")

# Format -> what its runners take of the `custom_args`; the other runners take nothing.
RUNNING: Mapping[str, Mapping[str, Accepts]] = {
    "onnx": SESSION,
    "onnx-quantized": SESSION,
    "torch": COMPILE,
    "jax": JIT,
}

# Of `polygraphy convert`.
POLYGRAPHY: Mapping[str, Accepts] = {
    **_named(
        flag,
        """
        tf32 fp16 bf16 fp8 int8 sparse_weights version_compatible exclude_lean_runtime trt_safety_restricted refittable
        strip_plan use_dla allow_gpu_fallback weight_streaming direct_io plugin_instancenorm strongly_typed
        error_on_timing_cache_miss disable_compilation_cache decomposable_attentions shape_inference
        """,
    ),
    **_named(count, "builder_optimization_level max_aux_streams tiling_optimization_level seed"),
    **_named(
        words,
        """
        hardware_compatibility_level profiling_verbosity runtime_platform engine_capability precision_constraints
        preview_features quantization_flags tactic_sources onnx_flags pool_limit memory_pool_limit
        """,
    ),
    **_named(file, "plugins load_timing_cache save_timing_cache"),
}

# Of Inductor: others name compilers, flags and folders.
INDUCTOR: Mapping[str, Accepts] = {
    **_named(flag, "max_autotune max_autotune_gemm max_autotune_pointwise coordinate_descent_tuning epilogue_fusion"),
    **_named(flag, "freezing cpp_wrapper shape_padding layout_optimization aggressive_fusion cpp.weight_prepack"),
    **_named(threads, "cpp.threads cpp.simdlen cpp.min_chunk_size"),
    "cpp.march": word,
}

# Format -> what makes it of another file takes of the `custom_args`; the other formats are made of live models.
MAKING: Mapping[str, Mapping[str, Accepts]] = {
    "trt": POLYGRAPHY,
    "trt-rtx": POLYGRAPHY,
    "onnx": {
        **_named(flag, "do_constant_folding keep_initializers_as_inputs optimize large_model"),
        **_named(words, "inputs_as_nchw outputs_as_nchw"),
    },
    "onnx-quantized": {
        **_named(words, "op_types_to_quantize op_block_list activation_type"),
        **_named(flag, "reduce_range is_symmetric"),
        **_named(count, "block_size accuracy_level"),
        "extra_options": plain,
    },
    "torch-trt": {
        **_named(
            flag,
            """
            hardware_compatible version_compatible require_full_compilation truncate_double use_fp32_acc disable_tf32
            immutable_weights enable_weight_streaming sparse_weights use_explicit_typing assume_dynamic_shape_support
            make_refittable strip_engine_weights use_fast_partitioner lazy_engine_init offload_module_to_cpu
            """,
        ),
        **_named(count, "min_block_size optimization_level num_avg_timing_iters max_aux_streams workspace_size"),
    },
    **dict.fromkeys(("aotinductor", "aotinductor-cuda"), INDUCTOR),
    "tf-trt": {
        **_named(flag, "allow_build_at_runtime use_dynamic_shape save_gpu_specific_engines"),
        **_named(count, "minimum_segment_size maximum_cached_engines max_workspace_size_bytes"),
    },
}

# Parameters that become an attribute or a module, or decide how something is called.
ATTRIBUTES: Mapping[str, Accepts] = {
    "quantization": _quantization,
    "autocast_dtype": one_of("float16", "bfloat16"),
    "precision": one_of("fp32", "fp16", "bf16", "int8", "int4", "fp8"),
    "precision_mode": one_of("hierarchy", "single", "mixed"),
    "backend": one_of("tensorrt", "tensorrt_rtx", "xnnpack"),
    **_named(flag, "autocast inference_mode strict structured"),
}
