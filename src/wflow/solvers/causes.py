"""Why a solve ended early: looked for only where one did."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike

from wflow.checks import known
from wflow.energies import Interaction
from wflow.flows.base import AbstractFlow
from wflow.measures import AbstractMeasure, Gaussian, Phase
from wflow.measures.base import State

from .segments import split


# A covariance that has shrunk by this factor along the way is about to be singular.
_SHRUNK = 1e-3


def cause(
    flow: AbstractFlow,
    mu: AbstractMeasure,
    t0: ArrayLike,
    last: State | None,
    controller: object = None,
) -> str:
    """A sentence on what is not a number at the start, or on a focus; else nothing.

    Args:
        flow: the law of motion.
        mu: the measure at the start.
        t0: the start.
        last: the state that the solve ended in; None where that is not known.
        controller: of the steps, where they are adaptive.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(mu):
        name = jax.tree_util.keystr(path).lstrip(".")
        if eqx.is_inexact_array(leaf) and (where := _broken(leaf)):
            return f"At t0, {name} of mu0 is {where}."
    continuous, jumps = split(flow)
    if continuous is not None:
        rates = eqx.filter_jit(continuous.velocity)(mu, t0)
        named = {
            id(leaf): jax.tree_util.keystr(path).lstrip(".")
            for path, leaf in jax.tree_util.tree_leaves_with_path(mu)
        }
        pairs = zip(jax.tree.leaves(mu.state), jax.tree.leaves(rates), strict=True)
        for leaf, rate in pairs:
            if where := _broken(rate):
                return (
                    f"At t0, the velocity of {type(continuous).__name__} in "
                    f"{named.get(id(leaf), 'the state')} is {where}"
                    f"{_of_itself(continuous)}."
                )
    for jump in jumps:
        density = jump.log_density_at(mu, t0)
        if density is not None and (where := _broken(density, at_zero=False)):
            return f"At t0, the log-density of {type(jump).__name__} is {where}."
    focus = "" if last is None else _at_a_focus(mu, mu.with_state(last))
    return focus or _below_rounding(controller, mu)


def _broken(values: Array, *, at_zero: bool = True) -> str:
    """The first entry that is nan (or infinite), and where; else nothing."""
    found = np.asarray(values)
    ok = np.isfinite(found) if at_zero else ~np.isnan(found)
    if ok.all():
        return ""
    at = tuple(int(i) for i in np.argwhere(~ok)[0])
    place = at[0] if len(at) == 1 else at
    what = found[at].item()
    return f"{what} at index {place} of {found.shape}" if at else f"{what}"


def _of_itself(flow: AbstractFlow) -> str:
    """What to do where pairs may be at fault."""
    parts = jax.tree.leaves(flow, is_leaf=lambda part: isinstance(part, Interaction))
    if not any(isinstance(part, Interaction) for part in parts):
        return ""
    return (
        "; an Interaction counts the pair of a point with itself (diagonal=False "
        "leaves it out)"
    )


def _below_rounding(controller: object, mu: AbstractMeasure) -> str:
    """A word where errors of rounding are above the tolerances of the steps."""
    if not isinstance(controller, diffrax.AbstractAdaptiveStepSizeController):
        return ""
    rtol, atol = known(controller.rtol), known(controller.atol)
    eps = float(jnp.finfo(mu.dtype).eps)
    size = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(mu.state))
    if rtol is None or atol is None or rtol * size + atol > 4 * eps * size:
        return ""
    return (
        f"The tolerances rtol = {float(rtol):g} and atol = {float(atol):g} are below "
        f"the rounding of {mu.dtype.name}."
    )


def _at_a_focus(start: AbstractMeasure, last: Any) -> str:
    """A word where paths meet, and a Gaussian has no slope of the velocity."""
    if not (isinstance(start, Phase) and isinstance(start.measure, Gaussian)):
        return ""
    least = [float(jnp.linalg.eigvalsh(mu.measure.cov).min()) for mu in (start, last)]
    if least[1] > _SHRUNK * least[0]:
        return ""
    return (
        "The covariance is all but singular there: paths meet in a focus, beyond which "
        "no velocity field goes; Particles go on."
    )
