"""TensorFlow in scripts: the call of a live model, SavedModels, and their conversion to ONNX (pure)."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING

from pytest_navigator.formats.tf2onnx_model import converted
from pytest_navigator.formats.tf2onnx_model import converted_by_command
from pytest_navigator.frameworks.tensorflow_model import callable_of
from pytest_navigator.frameworks.tensorflow_model import captured_state
from pytest_navigator.reproduce.code import call_arguments
from pytest_navigator.reproduce.code import imports_of
from pytest_navigator.reproduce.code import keywords
from pytest_navigator.reproduce.code import literal
from pytest_navigator.reproduce.code import paths
from pytest_navigator.reproduce.parts import MakingCode
from pytest_navigator.reproduce.parts import RunnerCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.records import TensorSpec
    from pytest_navigator.reproduce.parts import Subject

SEEDING = "tf.random.set_seed({seed})"

EXPORT = '''call = callable_of(model)


def serve(*tensors):
    """Return the outputs by name."""
    x = dict(zip(INPUTS, tensors))
    y = call({arguments})
    return {{
{outputs}    }}


function = tf.function(serve, jit_compile={jit_compile}, autograph={autograph})
specs = [
{specs}]
traced = function.get_concrete_function(*specs)
module = tf.Module()
module.function, module.state = function, captured_state(traced)
tf.saved_model.save(module, args.output, signatures={{"serving_default": traced}}{options})
tf.saved_model.load(args.output)'''

CONVERT = """loaded = tf.saved_model.load(args.artifact)
made = converted(loaded, {signature!r}, {inputs}, {outputs}, {opset}, {options})
onnx.save(made, args.output)
onnxruntime.InferenceSession(args.output, providers=["CPUExecutionProvider"])"""

CONVERT_BY_COMMAND = """made = converted_by_command(
    args.artifact, {signature!r}, {inputs}, {outputs}, {opset}, args.output
)
onnx.save(made, args.output)
onnxruntime.InferenceSession(args.output, providers=["CPUExecutionProvider"])"""

LOAD = """loaded = tf.saved_model.load(args.artifact)
model = loaded.signatures[{signature!r}]"""

ARRAY = '''
def array(value) -> np.ndarray:
    """Return a tensor, or a number, as an array."""
    found = np.array(value)
    return np.char.decode(found.astype(np.bytes_), "utf-8") if found.dtype.kind in "OS" else found
'''


def argument_names(signature: Signature) -> list[str]:
    """Return the names of the inputs as a signature of TensorFlow has them: Python identifiers ("input_ids")."""
    found: list[str] = []
    for spec in signature.inputs:
        name = re.sub(r"\W", "_", spec.name, flags=re.ASCII)
        name = name if name[:1].isalpha() and not keyword.iskeyword(name) else f"x{name}"
        while name in found:
            name += "_"
        found.append(name)
    return found


def names_in_file(signature: Signature) -> tuple[dict[str, str], dict[str, str]]:
    """Return what a SavedModel calls its inputs and outputs, each with its name in the signature.

    The structure of a model file's own signature has the file's names.
    """
    if signature.array_type == "numpy":
        trees = signature.input_tree["kwargs"], signature.output_tree["dict"]
        inputs, outputs = ({theirs: node["leaf"] for theirs, node in tree} for tree in trees)
        return inputs, outputs
    names = dict(zip(argument_names(signature), (spec.name for spec in signature.inputs), strict=True))
    return names, {spec.name: spec.name for spec in signature.outputs}


def export_code(subject: Subject) -> MakingCode:
    """Return the export of a live model as a SavedModel."""
    signature, parameters = subject.signature, subject.variant.parameters
    found = paths(signature.output_tree, "y")
    outputs = (f"        {s.name!r}: tf.convert_to_tensor({found[s.name]}, {_type(s)}),\n" for s in signature.outputs)
    specs = (
        f"    tf.TensorSpec({literal([None if n < 0 else n for n in spec.shape])}, {_type(spec)}, {name!r}),\n"
        for spec, name in zip(signature.inputs, argument_names(signature), strict=True)
    )
    return MakingCode(
        body=EXPORT.format(
            arguments=call_arguments(signature.input_tree, lambda name: f"x[{name!r}]"),
            outputs="".join(outputs),
            specs="".join(specs),
            jit_compile=parameters["jit_compile"],
            autograph=(subject.data.get("engine") or parameters.get("engine")) == "autograph",
            options=keywords(parameters["custom_args"]),
        ),
        imports=("import tensorflow as tf", *imports_of(signature.input_tree)),
        functions=(callable_of, captured_state),
        seeding=SEEDING.format(seed=subject.seed),
    )


def conversion_code(
    subject: Subject, signature_name: str, options: Mapping[str, JSON], *, command: bool = False
) -> MakingCode:
    """Return the conversion of a SavedModel to ONNX.

    Args:
        options: of `tf2onnx.convert.from_function`.
        command: whether tf2onnx's command converts it, which has no options.
    """
    inputs, outputs = names_in_file(subject.signature)
    body = (CONVERT_BY_COMMAND if command else CONVERT).format(
        signature=signature_name,
        inputs=literal(inputs),
        outputs=literal(outputs),
        opset=subject.variant.parameters["opset"],
        options=literal(dict(options)),
    )
    imports = ("import onnx", "import onnxruntime", "import tensorflow as tf")
    return MakingCode(body, imports, functions=(converted_by_command if command else converted,))


def live_code(subject: Subject, device: str) -> RunnerCode:
    """Return the call of the live model."""
    signature = subject.signature
    arguments = call_arguments(signature.input_tree, lambda name: f"x[{name!r}]")
    names = [spec.name for spec in signature.inputs]
    return RunnerCode(
        load=f"{_settings(subject)}model = callable_of(model)",
        prepare=_prepare(dict(zip(names, names, strict=True))),
        call=_synchronized(f"y = model({arguments})", device),
        outputs=_outputs(paths(signature.output_tree, "y")),
        context=_scope(device),
        imports=("import tensorflow as tf", *imports_of(signature.input_tree)),
        functions=(callable_of,),
        output_helpers=ARRAY,
        seeding=SEEDING.format(seed=subject.seed),
    )


def savedmodel_code(subject: Subject, device: str, signature_name: str) -> RunnerCode:
    """Return the call of a signature of a SavedModel."""
    signature = subject.signature
    inputs, outputs = names_in_file(signature)
    return RunnerCode(
        load=f"{_settings(subject)}{LOAD.format(signature=signature_name)}",
        prepare=_prepare(inputs),
        call=_synchronized("y = model(**x)", device),
        outputs=_outputs({ours: f"y[{theirs!r}]" for theirs, ours in outputs.items()}),
        context=_scope(device),
        imports=("import tensorflow as tf",),
        output_helpers=ARRAY,
    )


def _prepare(names: Mapping[str, str]) -> str:
    """Return the assignment of `x`: tensors of `feed` by the names that the call has for them."""
    items = "".join(f"    {argument!r}: tf.constant(feed[{name!r}]),\n" for argument, name in names.items())
    return f"x = {{\n{items}}}"


def _outputs(found: Mapping[str, str]) -> str:
    items = "".join(f"    {name!r}: array({path}),\n" for name, path in found.items())
    return f"{{\n{items}}}"


def _synchronized(call: str, device: str) -> str:
    return f"{call}\ntf.test.experimental.sync_devices()" if device == "cuda" else call


def _scope(device: str) -> str:
    return f"tf.device({'/GPU:0' if device == 'cuda' else '/CPU:0'!r})"


def _type(spec: TensorSpec) -> str:
    return repr("string" if spec.dtype == "str" else spec.dtype)


def _settings(subject: Subject) -> str:
    """Return the statements that repeat the threads that results and figures depend on."""
    found = subject.settings.get("tensorflow", {})
    kinds = {"intra_op_threads": "intra", "inter_op_threads": "inter"}
    return "".join(
        f"tf.config.threading.set_{kind}_op_parallelism_threads({found[name]})\n"
        for name, kind in kinds.items()
        if found.get(name)
    )
