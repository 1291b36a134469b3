r"""A logistic loss on the torus, and what holds of it whatever the data are.

$\ell(\theta) = \frac1n\sum_i\varphi(s_i)$, $\varphi(s) = \log(1 + e^{-s})$,
$s_i = \cos(\theta_1 - x_{i1}) + \cos(\theta_2 - x_{i2})$: the parameter wants to be
near the points $x_i$, and none of them counts for more than a bounded part.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from wflow.checks import real_field
from wflow.sampling.privacy import ExponentialMechanism, PrivacyAccountant


# phi runs from log(1 + e^-2) to log(1 + e^2).
RANGE = 2.0
_NODES = 100_001


class TorusLoss(eqx.Module):
    """The mean loss of the people at ``points``, ``(n, 2)``."""

    points: Float[Array, "n 2"] = eqx.field(converter=real_field("points"))

    def __call__(self, theta: Float[Array, " 2"]) -> Float[Array, ""]:
        return jnp.mean(jax.nn.softplus(-jnp.sum(jnp.cos(theta - self.points), 1)))

    @property
    def sensitivity(self) -> float:
        """How far the loss moves at most where one person does."""
        return RANGE / len(self.points)

    def mechanism(self, epsilon: float) -> ExponentialMechanism:
        """The log-density of which one draw is epsilon private."""
        return ExponentialMechanism(self, self.sensitivity, epsilon)

    def without(self, person: int) -> "TorusLoss":
        """A neighbour: one person is at the opposite point."""
        return TorusLoss(self.points.at[person].add(jnp.pi))


def accountant(
    people: int, epsilon: float, alpha: float, beta: float
) -> PrivacyAccountant:
    r"""What holds for all neighbours among all data sets of so many people.

    From the uniform start. V is a sum of $\varphi$, one for each person, times
    $\epsilon/4$. With $p = 1/(1 + e^s)$ and $|\nabla s|^2 \le 2 - s^2/2$:
    $|\nabla\varphi| = p|\nabla s|$, $\Delta\varphi = p(1-p)|\nabla s|^2 + ps$ and
    $\nabla^2\varphi \ge -1/(1 + e^{-2})$.
    """
    s = np.linspace(-RANGE, RANGE, _NODES)
    p, squared = 1 / (1 + np.exp(s)), 2 - s**2 / 2
    slope = float(np.max(p * np.sqrt(squared)))
    laplacian = float(np.max(p * (1 - p) * squared + p * s) - np.min(p * s))
    each = epsilon / (2 * RANGE)
    grad_delta, grad_v = 2 * each * slope, people * each * slope
    return PrivacyAccountant(
        osc_delta=epsilon,
        grad_delta=grad_delta,
        osc_h0=people * each * RANGE,
        grad_h0=grad_v,
        hess_lower=-people * each / (1 + np.exp(-RANGE)),
        osc_source=alpha * (2 * each * laplacian + 2 * grad_v * grad_delta)
        + beta * epsilon,
        alpha=alpha,
        beta=beta,
    )
