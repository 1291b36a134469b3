"""The exponential moving average of what is trained."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float, Int, PyTree

from wflow.checks import shape, within

from .trained import Group


# Steps that the least rate of a scalar spares: it forgets all but the last tenth.
_FORGETTING = 10


def averaged(
    average: PyTree[Array],
    value: PyTree[Array],
    step: Int[Array, ""],
    decay: Float[ArrayLike, ""],
    groups: PyTree[Group] | None = None,
) -> PyTree[Array]:
    r"""The bias-corrected average after ``step`` >= 1 values, from that before.

    $m_t = m_{t-1} + \frac{1 - \beta}{1 - \beta^t} (\theta_t - m_{t-1})$, which is
    $\sum_s \beta^{t-s}\theta_s / \sum_s \beta^{t-s}$ without a division: exact on a
    constant sequence, and the start $m_0$ does not count. ``decay`` 0 gives the last
    value, 1 would be the plain mean.

    Of what the groups call a scalar the rate is at least $10 / (t + 9)$: while t is
    small against $10 / (1 - \beta)$ the weight of value s is as $(s / t)^9$, and the
    values on the way from the start to where it belongs do not count either.
    """
    log_decay = jnp.log(decay)

    def update(old: Array, new: Array, group: Group) -> Array:
        t = step.astype(new.dtype)
        log = log_decay.astype(new.dtype)
        rate = jnp.expm1(log) / jnp.expm1(t * log)
        if group == "scalar":
            least = _FORGETTING / (t + (_FORGETTING - 1))
            rate = jnp.maximum(rate, least)
        # At rate one without rounding: the start, whatever it was, leaves no trace.
        return jnp.where(rate == 1, new, old + rate * (new - old))

    if groups is None:
        groups = jax.tree.map(lambda _: "network", value)
    return jax.tree.map(update, average, value, groups)


def check_decay(decay: float) -> None:
    """Refuse a decay outside [0, 1)."""
    shape("fit", "ema", decay, ())
    within("fit", "ema", decay, 0, 1, closed="low")
