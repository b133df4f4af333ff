"""A JAX model as a tree that holds its parameters and a function of such a tree.

Scripts contain the source text of this, so nothing here may use anything but jax and numpy.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def parts(model: Any) -> tuple[Any, Callable[[Any], Callable[..., Any]]]:
    """Return the tree that holds a model's parameters, and what makes a callable of such a tree."""
    if type(model) is tuple:
        function, parameters = model
        if hasattr(function, "apply"):  # a module of flax.linen, a transformed function of haiku
            return parameters, lambda tree: functools.partial(function.apply, tree)
        return parameters, lambda tree: with_parameters(function, tree)
    if hasattr(model, "unbind"):  # a bound module of flax.linen
        module, variables = model.unbind()
        return variables, lambda tree: functools.partial(module.apply, tree)
    if isinstance(model, functools.partial):
        return (model.args, model.keywords), lambda tree: functools.partial(model.func, *tree[0], **tree[1])
    return model, lambda tree: tree  # modules of flax.nnx and equinox are trees; a function is a leaf


def with_parameters(function: Callable[..., Any], tree: Any) -> Callable[..., Any]:
    """Return a function with its parameters given: the argument called `params`, else the last positional one."""
    name, names = parameter_of(function), list(inspect.signature(function).parameters)
    if name == names[0]:
        return functools.partial(function, tree)
    by_name = functools.partial(function, **{name: tree})

    # Transformations of JAX tell arguments by their positions: jax.vmap maps every keyword argument over axis 0.
    @functools.wraps(by_name, assigned=(), updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, tree, **kwargs) if len(args) == names.index(name) else by_name(*args, **kwargs)

    return call


def parameter_of(function: Callable[..., Any]) -> Any:
    """Return the name of the argument that takes the parameters, None if there is none."""
    arguments = inspect.signature(function).parameters
    positional = [name for name, argument in arguments.items() if argument.kind is argument.POSITIONAL_OR_KEYWORD]
    return "params" if "params" in arguments else next(reversed(positional), None)


def arrays(tree: Any) -> dict[str, Any]:
    """Return the arrays in a tree by their place; functions, numbers and random keys are no parameters."""
    import jax

    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves if is_parameter(leaf)}


def filled(tree: Any, values: dict[str, Any]) -> Any:
    """Return a tree with other arrays in the places of its own."""
    import jax

    return jax.tree_util.tree_map_with_path(lambda path, leaf: values.get(jax.tree_util.keystr(path), leaf), tree)


def is_parameter(leaf: Any) -> bool:
    """Whether a leaf is an array of numbers."""
    import jax
    import numpy as np

    array = isinstance(leaf, jax.Array | np.ndarray | np.generic)
    return array and not jax.numpy.issubdtype(leaf.dtype, jax.dtypes.extended)
