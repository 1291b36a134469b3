"""Students of their own form, whose scale stands before the maps or behind them."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wflow.cli.networks.scale_flow_schema import OutputNormConfig


if TYPE_CHECKING:
    from jax import Array

Side = Literal["in", "out"]


def run_norms(config: OutputNormConfig, side: Side) -> tuple[np.ndarray, np.ndarray]:
    """Test loss and mean scale of the students at the end, each ``(decays, runs)``.

    Args:
        config: of everything else.
        side: "out" for y = x + g . norm(B relu(A x)), "in" for
            y = x + B relu(A (g . norm(x))).
    """
    import equinox as eqx
    import jax
    import jax.numpy as jnp
    import optax

    from wflow.measures import Point
    from wflow.networks.scale import Decay

    role = "scale_in" if side == "in" else "scale_output_norm"
    optimizer = optax.adam(optax.cosine_decay_schedule(config.rate, config.steps))

    def data_loss(block: Any, teacher: Any, x: "Array") -> "Array":
        apart = lambda x: _call(side, block, x) - _call(side, teacher, x)
        return jnp.mean(jnp.sum(jax.vmap(apart)(x) ** 2, axis=1)) / 2

    def loss(block: Any, teacher: Any, decay: "Array", x: "Array") -> "Array":
        return data_loss(block, teacher, x) + Decay({role: decay}).value(Point(block))

    def student(decay: "Array", seed: "Array") -> tuple["Array", "Array"]:
        taught, own, data, test = jax.random.split(jax.random.key(seed), 4)
        teacher = _block(config, side, taught, config.target)
        block = _block(config, side, own, 1.0)

        def step(carry: Any, k: "Array") -> tuple[Any, None]:
            block, state = carry
            shape = config.batch, config.size
            x = jax.random.normal(jax.random.fold_in(data, k), shape)
            grads = eqx.filter_grad(loss)(block, teacher, decay, x)
            updates, state = optimizer.update(grads, state)
            return (optax.apply_updates(block, updates), state), None

        start = block, optimizer.init(block)
        (block, _), _ = jax.lax.scan(step, start, jnp.arange(config.steps))
        held_out = jax.random.normal(test, (config.held_out, config.size))
        return data_loss(block, teacher, held_out), jnp.mean(_scale(side, block))

    seeds = config.seed + jnp.arange(config.runs)
    found = jax.jit(jax.vmap(jax.vmap(student, (None, 0)), (0, None)))
    losses, scales = found(jnp.asarray(config.decays), seeds)
    return np.asarray(losses), np.asarray(scales)


def _block(config: OutputNormConfig, side: Side, key: "Array", scale: float) -> Any:
    """Both maps and the norm, with every entry of g at ``scale``."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from wflow.networks.scale import RMSNorm, ScaledLinear

    first, second = jax.random.split(key)
    inner = "in" if side == "in" else "none"
    block = (
        ScaledLinear(config.size, config.hidden, scale=inner, key=first),
        ScaledLinear(config.hidden, config.size, scale="none", key=second),
        RMSNorm(config.size, "output" if side == "out" else None),
    )
    g = jnp.full(config.size, scale)
    return eqx.tree_at(lambda block: _scale(side, block), block, g)


def _scale(side: Side, block: Any) -> Any:
    return block[0].scales_in[0].vector if side == "in" else block[2].scale.vector


def _call(side: Side, block: Any, x: "Array") -> "Array":
    import jax

    a, b, norm = block
    if side == "out":
        return x + norm(b(jax.nn.relu(a(x))))
    return x + b(jax.nn.relu(a(norm(x))))
