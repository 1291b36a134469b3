"""One scalar channel on a quadratic loss, solved."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import finite, non_negative, shape, to_real


def scalar_channel(
    times: Float[ArrayLike, "*T"],
    curvature: Float[ArrayLike, ""],
    target: Float[ArrayLike, ""],
    weight: Float[ArrayLike, ""],
    scale: Float[ArrayLike, ""],
) -> Float[Array, "*T"]:
    r"""One weight times one scale, trained on a quadratic loss: the exact solution.

    $M(t) = w(t) g(t)$ under the flow of $\frac h2 (wg - M^*)^2$ in (w, g). With
    $c = w^2 - g^2$, $M = \frac{|c|}{2}\sinh u$ and $k = h\sqrt{c^2 + 4M^{*2}}$,

    $$e^{u(t)} = \frac{e^{u^*} - p\,e^{-u^*}}{1 + p},\qquad
    p(t) = p(0)\,e^{-kt},\quad
    p(0) = \frac{e^{u^*} - e^{u_0}}{e^{u_0} + e^{-u^*}};$$

    at $c = 0$ the logistic curve of rate $2hM^*\mathrm{sign}(M_0)$.

    Args:
        times: from the start on.
        curvature: h.
        target: $M^*$.
        weight: $w(0)$.
        scale: $g(0)$.

    Raises:
        ValueError: a negative time or curvature, or a number that is not finite.

    The setting is that of arXiv:2605.26895.
    """
    times, h = to_real(times, "times"), to_real(curvature, "curvature")
    target = to_real(target, "target")
    w, g = to_real(weight, "weight"), to_real(scale, "scale")
    non_negative("scalar_channel", "times", times)
    for name, value in (
        ("curvature", h),
        ("target", target),
        ("weight", w),
        ("scale", g),
    ):
        shape("scalar_channel", name, value, ())
        finite("scalar_channel", name, value)
    non_negative("scalar_channel", "curvature", h)
    start, c = w * g, (w - g) * (w + g)
    balanced = c == 0
    half = jnp.abs(jnp.where(balanced, 2, c)) / 2
    # Odd in the target: with M* >= 0 the exponentials of u* do not cancel.
    sign = jnp.where(target < 0, -1.0, 1.0)
    end, begin = jnp.arcsinh(jnp.abs(target) / half), jnp.arcsinh(sign * start / half)
    rate = 2 * h * jnp.sqrt(half**2 + target**2)
    # Divided by exp(u*): relative heights are of order one.
    below = jnp.exp(-2 * end)
    first = -jnp.expm1(begin - end) / (jnp.exp(begin - end) + below)
    p = first * jnp.exp(-rate * times)
    u = end + jnp.log1p(-p * (1 + below) / (1 + p))
    general = sign * half * jnp.sinh(u)

    still = start == 0
    ratio = target / jnp.where(still, 1, start)
    growth = jnp.exp(-2 * h * target * jnp.sign(start) * times)
    # M* / (1 + (M* / M0 - 1) e^{-..t}), finite where M* = 0: M0 / (1 + 2 h |M0| t).
    aim = jnp.where(target == 0, 1, target)
    logistic = jnp.where(
        target == 0,
        start / (1 + 2 * h * jnp.abs(start) * times),
        aim / (1 + (ratio - 1) * growth),
    )
    return jnp.where(balanced, jnp.where(still, 0.0, logistic), general)
