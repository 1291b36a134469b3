"""A logistic loss on the torus, and what holds of it whatever the data are."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from wflow import checks
from wflow.checks import real_field

from .accountant import PrivacyAccountant
from .conversions import number
from .mechanism import ExponentialMechanism


# phi runs from log(1 + e^-2) to log(1 + e^2).
_RANGE = 2.0
_NODES = 100_001


class TorusLoss(eqx.Module):
    r"""A loss of angles in which every person's part is bounded.

    $\ell(\theta) = \frac1n\sum_i\varphi(s_i)$, $\varphi(s) = \log(1 + e^{-s})$,
    $s_i = \cos(\theta_1 - x_{i1}) + \cos(\theta_2 - x_{i2})$.

    The parameter wants to be near the points $x_i$ of n people, of whom none counts for
    more than a bounded part: every quantity of a guarantee is known in closed form.

    Args:
        points: x, ``(n, 2)``, in radians.

    Raises:
        ValueError: points that are not ``(n, 2)``, none, or not finite.
    """

    points: Float[Array, "n 2"] = eqx.field(converter=real_field("points"))

    def __check_init__(self) -> None:
        checks.shape(self, "points", self.points, ("n", 2))
        checks.finite(self, "points", self.points)
        if len(self.points) == 0:
            raise ValueError("TorusLoss: expected points, at least one, found none.")

    def __call__(self, theta: Float[Array, " 2"]) -> Float[Array, ""]:
        theta = checks.to_real(theta, "theta")
        checks.shape(self, "theta", theta, (2,))
        return jnp.mean(jax.nn.softplus(-jnp.sum(jnp.cos(theta - self.points), 1)))

    @property
    def sensitivity(self) -> float:
        """How far the loss moves at most where one person does."""
        return _RANGE / len(self.points)

    def mechanism(self, epsilon: ArrayLike) -> ExponentialMechanism:
        """The log-density of which one draw is epsilon private.

        Raises:
            ValueError: an epsilon that is not positive.
        """
        return ExponentialMechanism(self, self.sensitivity, epsilon)

    def without(self, person: int) -> "TorusLoss":
        """A neighbor: one person is at the opposite point.

        Raises:
            ValueError: there is no such person.
            TypeError: ``person`` is no whole number.
        """
        checks.count(self, "person", person, 0)
        if person >= len(self.points):
            raise ValueError(
                f"TorusLoss: expected person < {len(self.points)}, found {person}."
            )
        return TorusLoss(self.points.at[person].add(jnp.pi))

    def accountant(
        self, epsilon: float, alpha: float = 1.0, beta: float = 1.0
    ) -> PrivacyAccountant:
        r"""What holds for all neighbors among all data sets of as many people.

        Of the mechanism at ``epsilon``, from the uniform start. V is a sum of
        $\varphi$, one for each person, times $\epsilon/4$. With $p = 1/(1 + e^s)$ and
        $|\nabla s|^2 \le 2 - s^2/2$: $|\nabla\varphi| = p|\nabla s|$,
        $\Delta\varphi = p(1-p)|\nabla s|^2 + ps$ and
        $\nabla^2\varphi \ge -1/(1 + e^{-2})$.

        Raises:
            ValueError: an epsilon that is not positive, a negative strength, or both
                zero.
        """
        checks.shape(self, "epsilon", epsilon, ())
        checks.positive(self, "epsilon", epsilon)
        alpha = number("TorusLoss", "alpha", alpha, infinite=False)
        beta = number("TorusLoss", "beta", beta, infinite=False)
        people = len(self.points)
        s = np.linspace(-_RANGE, _RANGE, _NODES)
        p, squared = 1 / (1 + np.exp(s)), 2 - s**2 / 2
        slope = float(np.max(p * np.sqrt(squared)))
        laplacian = float(np.max(p * (1 - p) * squared + p * s) - np.min(p * s))
        each = epsilon / (2 * _RANGE)
        grad_delta, grad_v = 2 * each * slope, people * each * slope
        return PrivacyAccountant(
            osc_delta=epsilon,
            grad_delta=grad_delta,
            osc_h0=people * each * _RANGE,
            grad_h0=grad_v,
            hess_lower=-people * each / (1 + np.exp(-_RANGE)),
            osc_source=alpha * (2 * each * laplacian + 2 * grad_v * grad_delta)
            + beta * epsilon,
            alpha=alpha,
            beta=beta,
        )
