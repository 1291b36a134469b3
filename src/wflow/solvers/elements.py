"""One function of many elements: on one device, or over the devices of a mesh."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import jaxpr_as_fun
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, PyTree


def each(
    function: Callable[[Any, Any], PyTree[Array]],
    elements: PyTree[Array],
    shared: Any,
    mesh: Mesh | None,
    batch_size: int | None,
    backwards: bool,
) -> PyTree[Array]:
    """``function(element, shared)`` of every element, stacked; one compiled program.

    Every device does its elements for itself: its loops end when they do. Where
    elements do not divide, copies of the last one fill up, and are dropped.

    Args:
        function: of a module; it is known by its identity.
        elements: arrays with a leading axis, of one size.
        shared: what is the same for all.
        mesh: of automatic axes, all of which elements are spread over; None leaves
            them where they are.
        batch_size: how many elements a device does at a time; None is all.
        backwards: derivatives over a mesh are reverse ones, for which every device
            begins anew; else those of ``shard_map``.
    """
    if mesh is not None:
        (count,) = {leaf.shape[0] for leaf in jax.tree.leaves(elements)}
        whole = NamedSharding(mesh, PartitionSpec())
        rows = NamedSharding(mesh, PartitionSpec(mesh.axis_names))
        spread = rows if count % mesh.size == 0 else whole
        elements = jax.device_put(elements, spread)
        arrays, rest = eqx.partition(shared, eqx.is_array)
        shared = eqx.combine(jax.device_put(arrays, whole), rest)
    return _each(function, elements, shared, mesh, batch_size, backwards)


@eqx.filter_jit
def _each(
    function: Callable[[Any, Any], PyTree[Array]],
    elements: PyTree[Array],
    shared: Any,
    mesh: Mesh | None,
    batch_size: int | None,
    backwards: bool,
) -> PyTree[Array]:
    arrays, rest = eqx.partition(shared, eqx.is_array)

    def of_device(elements: PyTree[Array], arrays: PyTree[Array]) -> PyTree[Array]:
        def one(element: PyTree[Array]) -> PyTree[Array]:
            return function(element, eqx.combine(arrays, rest))

        if batch_size is None:
            return jax.vmap(one)(elements)
        if batch_size == 1:
            # Branches stay branches, and every loop ends by itself.
            return jax.lax.map(one, elements)
        return jax.lax.map(one, elements, batch_size=batch_size)

    if mesh is None:
        return of_device(elements, arrays)
    (count,) = {leaf.shape[0] for leaf in jax.tree.leaves(elements)}
    missing = -count % mesh.size
    if missing:
        elements = jax.tree.map(
            lambda rows: jnp.concatenate([rows, *[rows[-1:]] * missing]), elements
        )

    def of_floats(floats: Any, others: Any) -> tuple[PyTree[Array], PyTree[Array]]:
        found = of_device(*eqx.combine(floats, others))
        return eqx.partition(found, eqx.is_inexact_array)

    def spread(*given: Any) -> tuple[PyTree[Array], PyTree[Array]]:
        return _on_devices(of_floats, mesh, ((True, False),) * 2, given)

    def pulled(floats: Any, others: Any, cotangent: Any) -> tuple[Any, Any]:
        _, pull = jax.vjp(lambda floats: of_floats(floats, others)[0], floats)
        ((own, common),) = pull(cotangent)
        return own, jax.tree.map(lambda leaf: leaf[None], common)

    def backward(given: Any, cotangents: Any) -> tuple[Any, None]:
        given = (*given, cotangents[0])
        own, common = _on_devices(pulled, mesh, (*((True, False),) * 2, True), given)
        return (own, jax.tree.map(lambda leaf: leaf.sum(axis=0), common)), None

    if backwards:
        spread = jax.custom_vjp(spread)
        spread.defvjp(lambda *given: (spread(*given), given), backward)
    found = eqx.combine(
        *spread(*eqx.partition((elements, arrays), eqx.is_inexact_array))
    )
    return jax.tree.map(lambda leaf: leaf[:count], found) if missing else found


def _on_devices(
    function: Callable[..., PyTree[Array]], mesh: Mesh, cut: Any, given: Any
) -> PyTree[Array]:
    """``function`` on every device, of its rows of what is ``cut`` and of all the rest.

    It is traced here, and the devices run what came of it. Where ``shard_map`` traces,
    loops of Equinox take numbers of their own, which lie on no mesh, for others when
    they come back from having met what does.
    """

    def like(cut: bool, part: PyTree[Array]) -> PyTree[jax.ShapeDtypeStruct]:
        def of_one(leaf: Array) -> jax.ShapeDtypeStruct:
            shape = leaf.shape
            if cut:
                shape = (shape[0] // mesh.size, *shape[1:])
            return jax.ShapeDtypeStruct(shape, leaf.dtype)

        return jax.tree.map(of_one, part)

    program, out = jax.make_jaxpr(function, return_shape=True)(
        *jax.tree.map(like, cut, given)
    )
    run, structure = jaxpr_as_fun(program), jax.tree.structure(out)
    rows, whole = PartitionSpec(mesh.axis_names), PartitionSpec()
    return jax.shard_map(
        lambda *own: structure.unflatten(run(*jax.tree.leaves(own))),
        mesh=mesh,
        in_specs=jax.tree.map(lambda cut: rows if cut else whole, cut),
        out_specs=rows,
        # Loops begin with what is the same on all devices, which the check of types
        # takes for an error.
        check_vma=False,
    )(*given)
