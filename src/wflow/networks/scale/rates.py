"""Learning rates by role: of a flow, and of optax."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import lineax as lx
import optax
from jaxtyping import Array, ArrayLike, Float

from wflow.checks import instance, one_of, positive, shape, to_real

from .roles import roles
from .scales import ROLES, Role


class RoleRates(eqx.Module):
    r"""The metric $G = \mathrm{diag}(1/\rho)$ of a flow that moves roles at own rates.

    ``Riemannian(RoleRates({"scale_in": 4.0}), lineax.Diagonal())`` moves g four times
    as fast as W, which keeps $4\lVert W_j\rVert^2 - g_j^2$.

    Attributes:
        rates: by role; one for all others.

    Raises:
        ValueError: an unknown role, or a rate that is not positive.
    """

    rates: dict[Role, Float[Array, ""]]

    def __init__(self, rates: Mapping[Role, ArrayLike]):
        """Take the rates."""
        self.rates = _checked("RoleRates", rates)

    def __call__(self, model: Any) -> lx.DiagonalLinearOperator:
        """The metric on the floating-point arrays of a model."""
        moving = eqx.filter(model, eqx.is_inexact_array)
        diagonal = jax.tree.map(
            lambda role, leaf: jnp.ones_like(leaf) / self.rates.get(role, 1),
            roles(model),
            moving,
        )
        return lx.DiagonalLinearOperator(diagonal)


def scale_by_role(rates: Mapping[Role, ArrayLike]) -> optax.GradientTransformation:
    """Updates times a rate by role: the last of a chain; ``update`` needs the params.

    Raises:
        ValueError: an unknown role, or a rate that is not positive.
    """
    checked = _checked("scale_by_role", rates)

    def scaled(updates: Any, params: Any) -> Any:
        return jax.tree.map(
            lambda role, update: checked.get(role, 1) * update, roles(params), updates
        )

    return optax.stateless(scaled)


def _checked(owner: str, rates: Mapping[Role, ArrayLike]) -> dict[Role, Array]:
    instance(owner, "rates", rates, Mapping, "a mapping of roles to rates")
    found = {}
    for role, rate in rates.items():
        one_of(owner, "every key of rates to be", role, ROLES)
        found[role] = to_real(rate, f"rates[{role!r}]")
        shape(owner, f"rates[{role!r}]", found[role], ())
        positive(owner, f"rates[{role!r}]", found[role])
    return found
