"""The exponential moving average of what is trained."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree


def averaged(
    average: PyTree[Array], value: PyTree[Array], step: Int[Array, ""], decay: float
) -> PyTree[Array]:
    r"""The bias-corrected average after ``step`` >= 1 values, from that before.

    $m_t = m_{t-1} + \frac{1 - \beta}{1 - \beta^t} (\theta_t - m_{t-1})$, which is
    $\sum_s \beta^{t-s}\theta_s / \sum_s \beta^{t-s}$ without a division: exact on a
    constant sequence, and the start $m_0$ does not count. ``decay`` 0 gives the last
    value, 1 would be the plain mean.
    """
    with np.errstate(divide="ignore"):
        log_decay = float(np.log(decay))

    def update(old: Array, new: Array) -> Array:
        t = step.astype(new.dtype)
        rate = jnp.expm1(jnp.asarray(log_decay, new.dtype)) / jnp.expm1(t * log_decay)
        # At rate one without rounding: the start, whatever it was, leaves no trace.
        return jnp.where(rate == 1, new, old + rate * (new - old))

    return jax.tree.map(update, average, value)


def check_decay(decay: float) -> None:
    """Refuse a decay outside [0, 1)."""
    if not 0 <= decay < 1:
        raise ValueError(f"fit: expected ema in [0, 1), found {decay}.")
