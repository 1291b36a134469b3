"""The exponential mechanism, and one private draw from a flow that tends to it."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from wflow.checks import (
    function,
    instance,
    known,
    non_negative,
    positive,
    random_key,
    real_field,
    shape,
)
from wflow.energies import KLDivergence
from wflow.flows import GradientFlow
from wflow.geometries import HellingerKantorovich
from wflow.measures import Grid, Particles
from wflow.sampling.density import check_density
from wflow.solvers import solve

from .accountant import PrivacyAccountant
from .certificate import Certificate, UncertifiedReleaseError


# Of a grid solve: explicit steps are as short as the square of the cells.
MAX_STEPS = 200_000


class ExponentialMechanism(eqx.Module):
    r"""A log-density from which one draw is private, whatever the data.

    $\log\pi(\theta) = -\epsilon_0\,\ell(\theta)/(2\Delta)$, up to a constant.

    ``loss`` $\ell(\theta)$ of one data set changes by at most the ``sensitivity``
    $\Delta$ when one datum does: one draw is pure $\epsilon_0$ private. A log-density
    for every flow and sampler.

    Raises:
        ValueError: a sensitivity or an epsilon that is not positive and finite.

    Reference: McSherry, Talwar, FOCS 2007, definition 2.
    """

    loss: Callable[[Array], Array]
    sensitivity: Float[Array, ""] = eqx.field(converter=real_field("sensitivity"))
    epsilon: Float[Array, ""] = eqx.field(converter=real_field("epsilon"))

    def __check_init__(self) -> None:
        function(self, "loss", self.loss, "one point")
        for name in ("sensitivity", "epsilon"):
            shape(self, name, getattr(self, name), ())
            positive(self, name, getattr(self, name))

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        check_density(self, "loss", self.loss, x)
        return -self.epsilon * self.loss(x) / (2 * self.sensitivity)

    @property
    def osc_delta(self) -> float:
        r"""Bound on $\mathrm{osc}(\delta)$ over neighbors: $\epsilon_0$."""
        return float(self.epsilon)


class PrivateDraw(NamedTuple):
    """A released point and what its release costs."""

    x: Float[Array, " d"]
    certificate: Certificate


def privatize(
    log_density: Callable[[Array], Array],
    initial: Grid,
    accountant: PrivacyAccountant,
    *,
    epsilon: float,
    longest: float,
    key: PRNGKeyArray,
    delta: float = 0.0,
) -> PrivateDraw:
    r"""Release one private point: follow the flow as long as the budget allows.

    The point is $(\epsilon, \delta)$ private. The run goes towards ``log_density`` and
    is as long as ``accountant`` allows, at most ``longest``: to the end where the
    guarantee holds there, else up to the time to which it holds. The length comes from
    the accountant alone, never from the data. The law at that time is not released:
    only the point is private.

    Args:
        log_density: of the target, at one point ``(d,)``.
        initial: the law at time 0, a Grid that does not depend on the data.
        accountant: what is known of the privacy of the flow at every time.
        epsilon: the level that is asked for.
        longest: time of the flow beyond which it is not followed.
        key: random key of the draw.
        delta: the probability that is given away; 0 is pure privacy.

    Raises:
        UncertifiedReleaseError: ``initial`` is Particles.
        ValueError: ``longest`` is not positive and finite, a level out of range, or a
            log-density that is no scalar.
    """
    if isinstance(initial, Particles):
        raise UncertifiedReleaseError(
            "privatize: the certificate is for the law of the exact flow, not for "
            f"{initial.n} interacting particles. Start from a Grid."
        )
    instance("privatize", "initial", initial, Grid, "a Grid")
    what = "a PrivacyAccountant"
    instance("privatize", "accountant", accountant, PrivacyAccountant, what)
    shape("privatize", "longest", longest, ())
    positive("privatize", "longest", longest)
    key = random_key("privatize", "key", key)
    centers = initial.centers.reshape(-1, initial.dim)
    check_density("privatize", "log_density", log_density, centers[0])
    check_on("privatize", "log_density", log_density, initial)
    t = longest
    if not accountant.time_for(epsilon, delta, late=True) <= longest:
        t = min(longest, accountant.time_for(epsilon, delta))
    law = initial
    if t > 0:
        flow = kl_flow(log_density, accountant.alpha, accountant.beta)
        law = solve(flow, initial, 0.0, t, max_steps=MAX_STEPS)[-1]
    law = law.with_state(jnp.maximum(law.density, 0.0))
    certificate = accountant.certificate(t, delta=delta, measure=law)
    return PrivateDraw(law.sample(key, 1)[0], certificate)


def check_on(
    owner: str, name: str, log_density: Callable[[Array], Array], grid: Grid
) -> None:
    """Refuse a log-density that is nan or +inf at a cell of a grid.

    Raises:
        ValueError: it is; the sentence says where.
    """
    x = grid.centers.reshape(-1, grid.dim)
    logs = known(jax.vmap(log_density)(x))
    if logs is None:
        return
    broken = np.isnan(logs) | np.isposinf(logs)
    if broken.any():
        i = int(np.argmax(broken))
        raise ValueError(
            f"{owner}: expected {name} below +inf and not nan, found {logs[i]} at "
            f"{x[i].tolist()}."
        )


def kl_flow(
    log_density: Callable[[Array], Array], alpha: float, beta: float
) -> GradientFlow:
    """The flow of KL that the accountant is about.

    Raises:
        TypeError: the log-density is no function, or a strength no number.
        ValueError: a strength is negative or not finite.
    """
    function("kl_flow", "log_density", log_density, "one point")
    for name, strength in (("alpha", alpha), ("beta", beta)):
        shape("kl_flow", name, strength, ())
        non_negative("kl_flow", name, strength)
    return GradientFlow(KLDivergence(log_density), HellingerKantorovich(alpha, beta))
