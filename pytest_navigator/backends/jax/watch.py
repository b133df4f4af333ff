"""What JAX computes the outputs of a function in, read from its traced program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.computed import Computed, moved, names, result, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Values = list[Computed]

CASTS = names("convert_element_type")  # Primitives that give the same numbers in another type

# Primitives whose results are elements of what they take, or their negatives, or constants.
MOVES = names(
    """
    abs argsort bitcast_convert_type broadcast broadcast_in_dim clamp concatenate copy copy_p cummax cummin
    device_put dynamic_slice dynamic_update_slice expand_dims gather iota max min neg optimization_barrier pad
    real reduce_max reduce_min reduce_window_max reduce_window_min reshape rev scatter select_and_gather_add
    select_n slice sort split squeeze stop_gradient top_k transpose
    """
)


def watched(call: Callable[..., object], args: object, kwargs: object) -> object:
    """Return the structure that a call gives, with what each array was computed in in its place."""
    import jax

    leaves, given = jax.tree_util.tree_flatten((args, kwargs))
    arrays = {i: leaf for i, leaf in enumerate(leaves) if hasattr(leaf, "dtype")}

    def run(arrays: dict[int, Any]) -> object:  # flags and the like stay what they are
        own = [arrays.get(i, leaf) for i, leaf in enumerate(leaves)]
        positional, named = jax.tree_util.tree_unflatten(given, own)
        return call(*positional, **named)

    program, shape = jax.make_jaxpr(run, return_shape=True)(arrays)
    found = _followed(program.jaxpr, [Computed() for _ in program.jaxpr.invars])
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(shape), found)


def _followed(program: Any, given: Sequence[Computed]) -> Values:
    """Return what is known of a program's results, given the same of its arguments."""
    known: dict[Any, Computed] = dict(zip(program.invars, given, strict=True))

    def of(atom: Any) -> Computed:
        return Computed() if hasattr(atom, "val") else known.get(atom, Computed())  # a literal, a constant

    for equation in program.eqns:
        taken = [of(atom) for atom in equation.invars]
        known.update(zip(equation.outvars, _results(equation, taken), strict=True))
    return [of(atom) for atom in program.outvars]


def _results(equation: Any, taken: Values) -> Values:
    inner = INSIDE.get(equation.primitive.name, _called)(equation.params, taken)
    if inner is not None and len(inner) == len(equation.outvars):
        return inner
    operands = [(value, _type(atom)) for value, atom in zip(taken, equation.invars, strict=True)]
    return [result(equation.primitive.name, _type(out), operands, MOVES, CASTS) for out in equation.outvars]


def _called(params: dict[str, Any], taken: Values) -> Values | None:
    """Follow a primitive that is one call of a program with its own arguments (jit, custom_jvp, remat)."""
    for value in params.values():
        program = getattr(value, "jaxpr", value)
        if hasattr(program, "eqns") and len(program.invars) == len(taken):
            return _followed(program, taken)
    return None


def _cond(params: dict[str, Any], taken: Values) -> Values:
    ends = [_followed(branch.jaxpr, taken[1:]) for branch in params["branches"]]
    return [moved(values) for values in zip(*ends, strict=True)]


def _while(params: dict[str, Any], taken: Values) -> Values:
    body = params["body_nconsts"]
    first = params["cond_nconsts"]
    constants, state = taken[first : first + body], taken[first + body :]
    return settled(lambda state: _followed(params["body_jaxpr"].jaxpr, [*constants, *state]), state)


def _scan(params: dict[str, Any], taken: Values) -> Values:
    program, begin, carried = params["jaxpr"].jaxpr, params["num_consts"], params["num_carry"]
    constants, state, rows = taken[:begin], taken[begin : begin + carried], taken[begin + carried :]
    end = settled(lambda state: _followed(program, [*constants, *state, *rows])[:carried], state)
    return [*end, *_followed(program, [*constants, *end, *rows])[carried:]]


# Primitives that run programs -> what follows those.
INSIDE: dict[str, Callable[[dict[str, Any], Values], Values | None]] = {"cond": _cond, "while": _while, "scan": _scan}


def _type(atom: Any) -> str:
    return str(getattr(atom.aval, "dtype", ""))
