"""JAX in scripts: the flat function that exporters get, and the calls of its runners (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.formats.onnx_names import name_outputs
from pytest_navigator.frameworks.jax_model import arrays
from pytest_navigator.frameworks.jax_model import filled
from pytest_navigator.frameworks.jax_model import parts
from pytest_navigator.reproduce.code import call_arguments
from pytest_navigator.reproduce.code import identifiers
from pytest_navigator.reproduce.code import imports_of
from pytest_navigator.reproduce.code import keywords
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.code import paths
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.reproduce.parts import RunnerCode
from pytest_navigator.reproduce.tensorflow import argument_names

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping
    from collections.abc import Sequence

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import TensorSpec
    from pytest_navigator.reproduce.parts import Subject

MODEL = (parts, arrays, filled)
"""What a script needs for a live model."""

MODEL_IMPORTS = (
    "import functools",
    "import inspect",
    "import jax",
    "from collections.abc import Callable",
    "from typing import Any",
)

FLAT = '''
def flat_function(model: Any) -> tuple[Callable, dict]:
    """Return the model as a function of its parameters and of the inputs by position, and the parameters."""
    tree, build = parts(model)

    def flat(parameters, {parameters}):
        output = build(filled(tree, parameters))({arguments})
        return tuple(map(jax.numpy.asarray, ({outputs},)))

    return flat, arrays(tree)
'''

STABLEHLO = """flat, parameters = flat_function(model)
function = jax.jit(functools.partial(flat, parameters))
{inputs}
exported = export.export(function{options})(*inputs)
with open(args.output, "wb") as file:
    file.write(exported.serialize())
export.deserialize(exported.serialize())"""

ONNX = """flat, parameters = flat_function(model)
{inputs}
made = to_onnx(
    functools.partial(flat, parameters),
    inputs{options},
)
name_outputs(made, {names})
onnx.save(made, args.output)
onnxruntime.InferenceSession(args.output, providers=["CPUExecutionProvider"])"""

SAVEDMODEL = """flat, parameters = flat_function(model)
converted = jax2tf.convert(
    flat,
    polymorphic_shapes={shapes}{options},
)
module = tf.Module()
module.parameters = [tf.Variable(np.asarray(value), trainable=False) for value in parameters.values()]
names, narrow = {names}, jax.dtypes.canonicalize_dtype


def run(*inputs):
    inputs = [tf.cast(x, narrow(x.dtype.as_numpy_dtype)) for x in inputs]
    return dict(zip(names, converted(dict(zip(parameters, module.parameters)), *inputs)))


module.run = tf.function(run, autograph=False, jit_compile={jit_compile})
specs = {specs}
tf.saved_model.save(module, args.output, signatures={{"serving_default": module.run.get_concrete_function(*specs)}})
tf.saved_model.load(args.output)"""


def stablehlo(subject: Subject, options: Mapping[str, JSON]) -> MakingCode:
    """Return the export by `jax.export`."""
    body = STABLEHLO.format(inputs=_inputs(subject.signature), options=keywords(options))
    return _making(subject, body, ("from jax import export",))


def onnx(subject: Subject, options: Mapping[str, JSON]) -> MakingCode:
    """Return the export by jax2onnx."""
    lines = "".join(keywords({name: value}).replace(", ", ",\n    ", 1) for name, value in options.items())
    names = literal([spec.name for spec in subject.signature.outputs])
    body = ONNX.format(inputs=_inputs(subject.signature), options=lines, names=names)
    imports = ("import onnx", "import onnxruntime", "from jax import export", "from jax2onnx import to_onnx")
    return _making(subject, body, imports, name_outputs)


def savedmodel(
    subject: Subject, shapes: Sequence[str | None], options: Mapping[str, JSON], jit_compile: bool | None
) -> MakingCode:
    """Return the export by jax2tf."""
    specs = "".join(
        f"    tf.TensorSpec({literal([None if a in s.axes else n for a, n in enumerate(s.shape)])}, "
        f"INPUTS[{s.name!r}], {name!r}),\n"
        for s, name in zip(subject.signature.inputs, argument_names(subject.signature), strict=True)
    )
    body = SAVEDMODEL.format(
        shapes=literal(list(shapes)),
        options="".join(keywords({name: value}).replace(", ", ",\n    ", 1) for name, value in options.items()),
        names=literal([spec.name for spec in subject.signature.outputs]),
        jit_compile=jit_compile,
        specs=f"[\n{specs}]",
    )
    return _making(subject, body, ("import tensorflow as tf", "from jax.experimental import jax2tf"))


def onnx_through_savedmodel(export: MakingCode, conversion: MakingCode) -> MakingCode:
    """Return an export by jax2tf to a SavedModel of its own, and the conversion of that by tf2onnx."""
    made = 'saved = os.path.join(tempfile.mkdtemp(), "model.savedmodel")'
    steps = export.body.replace("args.output", "saved"), conversion.body.replace("args.artifact", "saved")
    return MakingCode(
        body="\n".join((made, *steps)),
        imports=tuple(dict.fromkeys(("import os", "import tempfile", *export.imports, *conversion.imports))),
        helpers="\n\n\n".join((export.helpers, conversion.helpers)),
        functions=(*export.functions, *conversion.functions),
    )


def live_code(subject: Subject, device: str) -> RunnerCode:
    """Return the call of the live model, as the user wrote it."""
    signature = subject.signature
    tree = "tree"
    if subject.device.partition(":")[0] != device:
        tree = f"filled(tree, jax.device_put(arrays(tree), {_device(device)}))"
    return RunnerCode(
        load=f"{_settings(subject)}tree, build = parts(model)\nmodel = build({tree})",
        prepare=_prepare(signature, device),
        call=f"y = jax.block_until_ready(model({call_arguments(signature.input_tree, lambda name: f'x[{name!r}]')}))",
        outputs=_outputs(paths(signature.output_tree, "y")),
        imports=(*MODEL_IMPORTS, *imports_of(signature.input_tree)),
        functions=MODEL,
    )


def jit_code(subject: Subject, device: str, options: Mapping[str, JSON]) -> RunnerCode:
    """Return the call of the compiled model."""
    load = (
        f"{_settings(subject)}flat, parameters = flat_function(model)\n"
        f"model = functools.partial(jax.jit(flat{keywords(options)}), jax.device_put(parameters, {_device(device)}))"
    )
    return _by_position(
        subject,
        load,
        device,
        (*MODEL_IMPORTS, *imports_of(subject.signature.input_tree)),
        _flat(subject.signature),
        MODEL,
    )


def stablehlo_code(subject: Subject, device: str) -> RunnerCode:
    """Return the call of a file of `jax.export`."""
    load = (
        f'{_settings(subject)}with open(args.artifact, "rb") as file:\n'
        "    model = jax.jit(export.deserialize(bytearray(file.read())).call)"
    )
    return _by_position(subject, load, device, ("import jax", "from jax import export"))


def _making(subject: Subject, body: str, imports: tuple[str, ...], *functions: Callable[..., object]) -> MakingCode:
    return MakingCode(
        body=f"{_settings(subject)}{body}",
        imports=(*MODEL_IMPORTS, *imports, *imports_of(subject.signature.input_tree)),
        helpers=_flat(subject.signature),
        functions=(*MODEL, *functions),
    )


def _by_position(
    subject: Subject,
    load: str,
    device: str,
    imports: tuple[str, ...],
    helpers: str = "",
    functions: tuple[Callable[..., object], ...] = (),
) -> RunnerCode:
    names = [spec.name for spec in subject.signature.outputs]
    return RunnerCode(
        load=load,
        prepare=_prepare(subject.signature, device),
        call="y = jax.block_until_ready(model(*x.values()))",
        outputs=_outputs({name: f"y[{i}]" for i, name in enumerate(names)}),
        imports=imports,
        helpers=helpers,
        functions=functions,
    )


def _flat(signature: Signature) -> str:
    names = [spec.name for spec in signature.inputs]
    local = dict(zip(names, identifiers(["parameters", *names])[1:], strict=True))
    found = paths(signature.output_tree, "output")
    return FLAT.format(
        parameters=", ".join(local.values()),
        arguments=call_arguments(signature.input_tree, local.__getitem__),
        outputs=", ".join(found[spec.name] for spec in signature.outputs),
    ).strip()


def _inputs(signature: Signature) -> str:
    """Return the assignment of `inputs`: shapes and types, with a symbol for every dynamic axis."""
    symbols = list(dict.fromkeys(symbol for spec in signature.inputs for symbol in spec.axes.values()))
    names = dict(zip(symbols, identifiers(symbols), strict=True))
    sizes = (
        literal(list(names.values()), "names") + '\nsizes = dict(zip(names, export.symbolic_shape(", ".join(names))))\n'
    )
    items = "".join(f"    {_abstract(spec, names)},\n" for spec in signature.inputs)
    return f"{sizes if names else ''}inputs = [\n{items}]"


def _abstract(spec: TensorSpec, names: Mapping[str, str]) -> str:
    shape = [f"sizes[{names[spec.axes[a]]!r}]" if a in spec.axes else str(n) for a, n in enumerate(spec.shape)]
    kind = f"jax.dtypes.canonicalize_dtype(INPUTS[{spec.name!r}])"
    return f"jax.ShapeDtypeStruct(({''.join(f'{size}, ' for size in shape).strip()}), {kind})"


def _prepare(signature: Signature, device: str) -> str:
    items = (
        f"    {spec.name!r}: jax.device_put(feed[{spec.name!r}], {_device(device)}),\n" for spec in signature.inputs
    )
    return f"x = {{\n{''.join(items)}}}"


def _outputs(found: Mapping[str, str]) -> str:
    items = "".join(f"    {name!r}: np.asarray({path}),\n" for name, path in found.items())
    return f"{{\n{items}}}"


def _device(device: str) -> str:
    return f"jax.local_devices(backend={device!r})[0]"


def _settings(subject: Subject) -> str:
    """Return the statements that repeat the settings that results depend on."""
    found, lines = subject.settings.get("jax", {}), []
    for name in ("enable_x64", "default_matmul_precision"):
        if found.get(name):
            lines.append(f"jax.config.update('jax_{name}', {found[name]!r})\n")
    return "".join(lines)
