"""Privacy: bounds, conversions, the accountant, and releases."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from wflow.measures import Gaussian, Grid
from wflow.sampling import privacy as p

from ..engine import (
    array,
    count,
    entry,
    function,
    given,
    masses,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.sampling.privacy"

KEY = jax.random.key(0)
CIRCLE = Grid.from_log_density(lambda x: 0.0 * x[0], 0.0, 2 * math.pi, (8,), "periodic")
BUMP = Grid.from_log_density(
    lambda x: 0.2 * jnp.sin(x[0]), 0.0, 2 * math.pi, (8,), "periodic"
)
LAW, OTHER = Gaussian([0.0, 0.1], np.eye(2)), Gaussian([0.1, 0.0], 1.2 * np.eye(2))
POINTS = np.array([[0.3, 2.0], [1.0, 0.2], [4.0, 5.0]])
KNOWN = p.PrivacyAccountant(0.5, 0.5, 3.0, 2.0, -1.0, 2.0)


def wave(x):
    return 0.3 * jnp.cos(x[0])


def shifted(x):
    return 0.3 * jnp.cos(x[0] + 0.1)


DENSITY = given(
    wave,
    text="spoilt",
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
    1e-3, nan=math.nan, negative=-0.1, above=1.5, text="spoilt", shape=np.ones(3)
)
ORDER = given(
    2.0, nan=math.nan, below=0.5, negative=-2.0, text="spoilt", complex=2 + 1j
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
        neighbour=given(shifted, text="spoilt", shape=lambda x: x),
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
        measure=given(CIRCLE, text="spoilt", number=1.5),
    ),
    "PrivacyAccountant.time_for": entry(
        lambda **k: KNOWN.time_for(**k), epsilon=LEVEL, delta=SHARE, draws=count(2)
    ),
    "Certificate": entry(
        p.Certificate,
        epsilon=QUANTITY,
        delta=SHARE,
        t=SCALE,
        draws=count(1),
        bound="source",
        unbounded=(),
        scope="",
    ),
    "UnboundedPrivacyWarning": "a warning",
    "UncertifiedReleaseError": "an exception",
    # Bounds.
    "drift_term": entry(
        p.drift_term,
        t=SCALE,
        alpha=SCALE,
        beta=SCALE,
        grad_delta=QUANTITY,
        grad_h0=QUANTITY,
        hess_lower=number(-1.0),
    ),
    "source_bound": entry(
        p.source_bound, t=SCALE, beta=SCALE, osc_source=QUANTITY, drift=QUANTITY
    ),
    "duhamel_bound": entry(
        p.duhamel_bound,
        times=given(
            np.linspace(0, 1, 5),
            nan=np.array([0, 1, math.nan]),
            late=np.linspace(1, 2, 5),
            back=np.array([0.0, 2.0, 1.0, 3.0, 4.0]),
            short=np.linspace(0, 1, 4),
            empty=np.zeros(0),
            text="spoilt",
        ),
        beta=SCALE,
        osc_f=masses(np.ones(5), fine=("zero", "inf")),
    ),
    "warm_start_bound": entry(
        p.warm_start_bound, t=SCALE, beta=SCALE, osc_delta=QUANTITY, osc_h0=QUANTITY
    ),
    "gradient_bound": entry(
        p.gradient_bound, t=SCALE, beta=SCALE, osc_delta=QUANTITY, drift=QUANTITY
    ),
    "kl_bound": entry(
        p.kl_bound,
        t=SCALE,
        alpha=SCALE,
        beta=SCALE,
        osc_delta=QUANTITY,
        grad_delta=QUANTITY,
        osc_h0=QUANTITY,
        log_sobolev=QUANTITY,
    ),
    "warm_start_kl": entry(p.warm_start_kl, t=SCALE, beta=SCALE, osc_h0=QUANTITY),
    "utility_bound": entry(
        p.utility_bound, kl=QUANTITY, osc_v=QUANTITY, intrinsic=QUANTITY
    ),
    "quadratic_utility_bound": entry(
        p.quadratic_utility_bound, kl=QUANTITY, dim=count(2)
    ),
    "gaussian_utility": entry(p.gaussian_utility, mu=part(LAW), target=part(OTHER)),
    # Conversions.
    "renyi_from_pure": entry(p.renyi_from_pure, pure=QUANTITY, order=ORDER),
    "kl_from_pure": entry(p.kl_from_pure, pure=QUANTITY),
    "delta_from_pure": entry(
        p.delta_from_pure, pure=QUANTITY, epsilon=LEVEL, draws=count(2)
    ),
    "epsilon_from_pure": entry(
        p.epsilon_from_pure, pure=QUANTITY, delta=SHARE, draws=count(2)
    ),
    "divergence_budget": entry(
        p.divergence_budget, epsilon=LEVEL, delta=SHARE, order=ORDER
    ),
    "delta_from_kl": entry(p.delta_from_kl, kl=QUANTITY, epsilon=LEVEL),
    "epsilon_from_kl": entry(p.epsilon_from_kl, kl=QUANTITY, delta=SHARE),
    "delta_from_renyi": entry(
        p.delta_from_renyi, divergence=QUANTITY, epsilon=LEVEL, order=ORDER
    ),
    "epsilon_from_renyi": entry(
        p.epsilon_from_renyi, divergence=QUANTITY, delta=SHARE, order=ORDER
    ),
    "gaussian_renyi": entry(
        p.gaussian_renyi, mu=part(LAW), nu=part(OTHER), order=ORDER
    ),
    # On grids.
    "log_ratio": entry(p.log_ratio, mu=part(CIRCLE), nu=part(BUMP)),
    "grid_kl": entry(p.grid_kl, mu=part(CIRCLE), nu=part(BUMP)),
    "oscillation": entry(
        p.oscillation, f=array(np.arange(5.0), fine=("shape", "short"))
    ),
    "potential_source": entry(
        p.potential_source,
        delta=array(np.arange(8.0)),
        nu=part(BUMP),
        alpha=SCALE,
        beta=SCALE,
    ),
    "stability": entry(
        p.stability,
        log_density=DENSITY,
        neighbour=given(shifted, text="spoilt", shape=lambda x: x),
        initial=part(CIRCLE),
        times=given(
            [0.05, 0.1],
            nan=[math.nan],
            zero=[0.0, 0.1],
            back=[0.2, 0.1],
            empty=[],
            inf=[math.inf],
            text=["a"],
        ),
        alpha=SCALE,
        beta=SCALE,
        refine=count(1),
        rtol=positive(1e-3),
    ),
    "Stability": "what stability returns",
    # Releases.
    "ExponentialMechanism": entry(
        p.ExponentialMechanism,
        loss=function(wave),
        sensitivity=positive(1.0),
        epsilon=positive(1.0),
    ),
    "TorusLoss": entry(p.TorusLoss, points=array(POINTS, fine="short")),
    "TorusLoss.without": entry(
        p.TorusLoss(POINTS).without, person=count(1, fine="zero")
    ),
    "TorusLoss.mechanism": entry(p.TorusLoss(POINTS).mechanism, epsilon=positive(1.0)),
    "TorusLoss.accountant": entry(
        p.TorusLoss(POINTS).accountant,
        epsilon=positive(1.0),
        alpha=non_negative(1.0),
        beta=non_negative(0.5),
    ),
    "privatise": entry(
        p.privatise,
        log_density=DENSITY,
        initial=part(CIRCLE),
        accountant=part(KNOWN),
        epsilon=non_negative(1.0, fine="inf", finite="inf"),
        longest=positive(0.1),
        key=given(KEY, text="spoilt", none=None, number=0),
        delta=SHARE,
    ),
    "kl_flow": entry(p.kl_flow, log_density=function(wave), alpha=SCALE, beta=SCALE),
    "PrivateDraw": "a named tuple that privatise returns",
}
