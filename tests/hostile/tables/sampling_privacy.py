"""Privacy: bounds, conversions, the accountant, and releases."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from wflow.measures import Grid
from wflow.sampling import privacy as p

from ..engine import (
    count,
    entry,
    function,
    given,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.sampling.privacy"

KEY = jax.random.key(0)
CIRCLE = Grid.from_log_density(lambda x: 0.0 * x[0], 0.0, 2 * math.pi, (8,), "periodic")
KNOWN = p.PrivacyAccountant(0.5, 0.5, 3.0, 2.0, -1.0, 2.0)


def wave(x):
    return 0.3 * jnp.cos(x[0])


def shifted(x):
    return 0.3 * jnp.cos(x[0] + 0.1)


DENSITY = given(
    wave,
    text="spoiled",
    none=None,
    number=1.5,
    nan=lambda x: jnp.nan * x[0],
    shape=lambda x: wave(x) * jnp.ones(1),
    complex=lambda x: wave(x) + 0j,
)
# Unknown quantities are infinite, and so are bounds that need them.
QUANTITY = non_negative(0.5, fine="inf", finite="inf")
SCALE = non_negative(0.7)
LEVEL = non_negative(0.4, fine="inf", finite="inf")
SHARE = given(
    1e-3, nan=math.nan, negative=-0.1, above=1.5, text="spoiled", shape=np.ones(3)
)
ORDER = given(
    2.0, nan=math.nan, below=0.5, negative=-2.0, text="spoiled", complex=2 + 1j
)


def released(**k):
    return p.PrivacyAccountant(osc_delta=0.5, alpha=0.0).certificate(**k)


TABLE = {
    "PrivacyAccountant": entry(
        p.PrivacyAccountant,
        osc_delta=QUANTITY,
        grad_delta=QUANTITY,
        osc_h0=QUANTITY,
        grad_h0=QUANTITY,
        hess_lower=number(-1.0),
        osc_source=QUANTITY,
        log_sobolev=QUANTITY,
        alpha=SCALE,
        beta=SCALE,
    ),
    "PrivacyAccountant.on_grid": entry(
        p.PrivacyAccountant.on_grid,
        initial=part(CIRCLE),
        log_density=DENSITY,
        neighbor=given(shifted, text="spoiled", shape=lambda x: x),
        alpha=SCALE,
        beta=SCALE,
        refine=count(2),
    ),
    "PrivacyAccountant.worst": entry(
        p.PrivacyAccountant.worst,
        accountants=given([KNOWN], empty=[], other=[1.5]),
    ),
    "PrivacyAccountant.bounds": entry(lambda t: KNOWN.bounds(t), t=SCALE),
    "PrivacyAccountant.pure": entry(
        lambda t, draws: KNOWN.pure(t, draws=draws), t=SCALE, draws=count(2)
    ),
    "PrivacyAccountant.renyi": entry(
        lambda t, order: KNOWN.renyi(t, order), t=SCALE, order=ORDER
    ),
    "PrivacyAccountant.delta": entry(
        lambda t, epsilon, draws: KNOWN.delta(t, epsilon, draws=draws),
        t=SCALE,
        epsilon=LEVEL,
        draws=count(2),
    ),
    "PrivacyAccountant.certificate": entry(
        released,
        t=SCALE,
        delta=SHARE,
        draws=count(2),
        measure=given(CIRCLE, text="spoiled", number=1.5),
    ),
    "PrivacyAccountant.time_for": entry(
        lambda **k: KNOWN.time_for(**k), epsilon=LEVEL, delta=SHARE, draws=count(2)
    ),
    # Bounds.
    # Conversions.
    # On grids.
    # Releases.
    "ExponentialMechanism": entry(
        p.ExponentialMechanism,
        loss=function(wave),
        sensitivity=positive(1.0),
        epsilon=positive(1.0),
    ),
    "privatize": entry(
        p.privatize,
        log_density=DENSITY,
        initial=part(CIRCLE),
        accountant=part(KNOWN),
        epsilon=non_negative(1.0, fine="inf", finite="inf"),
        longest=positive(0.1),
        key=given(KEY, text="spoiled", none=None, number=0),
        delta=SHARE,
    ),
}
