"""Hostile input to flows of KL and their certificates: sentences that name it."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import KDE, KLDivergence
from wflow.flows import BirthDeathFlow
from wflow.measures import Gaussian, Grid, Particles, Phase
from wflow.sampling._sample import sample
from wflow.sampling.methods.shk import SHK
from wflow.sampling.privacy import ExponentialMechanism, PrivacyAccountant, privatize
from wflow.sampling.privacy.certificate import UnboundedPrivacyWarning
from wflow.sampling.privacy.conversions import (
    delta_from_kl,
    delta_from_pure,
    delta_from_renyi,
    epsilon_from_pure,
    epsilon_from_renyi,
    gaussian_renyi,
    kl_from_pure,
    renyi_from_pure,
)
from wflow.sampling.privacy.ratio import log_ratio
from wflow.sampling.privacy.stability import stability


KEY = jax.random.key(0)
CLOUD = Particles.from_samples(np.random.default_rng(0).normal(size=(20, 1)))
CIRCLE = Grid.from_log_density(lambda x: 0.0 * x[0], 0.0, 2 * math.pi, (8,), "periodic")
KNOWN = PrivacyAccountant(0.5, 0.5, 3.0, 2.0, -1.0, 2.0)


def normal(x):
    return -x @ x / 2


def jumps(**changes):
    return BirthDeathFlow(KLDivergence(normal, KDE(form="plug_in")), **changes)


def private(**changes):
    given = {"epsilon": 1.0, "longest": 1.0, "key": KEY, **changes}
    initial = given.pop("initial", CIRCLE)
    return privatize(lambda x: jnp.cos(x[0]), initial, KNOWN, **given)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        # Populations and flows.
        (lambda: Particles.from_samples(np.zeros((2, 1)), [1.0, np.inf]), "inf"),
        (lambda: jumps(rate=-1.0), "rate >= 0, found -1"),
        (
            lambda: jumps().jump(
                Particles.from_samples(np.zeros((1, 1))), 0.0, 0.1, KEY
            ),
            "at least 2 particles, found 1",
        ),
        (
            lambda: SHK(transport="none", reaction="none"),
            "a transport or a reaction, found neither",
        ),
        (lambda: SHK(alpha=-1.0), "alpha >= 0, found -1"),
        (lambda: SHK(beta=math.nan), "beta >= 0, found nan"),
        (lambda: SHK(alpha=0.0, beta=0.0), "both zero"),
        (lambda: SHK(step_size=0.0), "step_size > 0.*found 0"),
        (lambda: SHK(step_size=-0.1), "found -0.1"),
        (
            lambda: sample(
                normal, Particles.from_samples(CLOUD.x, period=6.0), key=KEY
            ),
            "sample: expected particles without period",
        ),
        # A start without mass, a log-density that is not finite at a particle.
        (
            lambda: sample(
                normal, Particles.from_samples(CLOUD.x, np.zeros(20)), key=KEY
            ),
            "weights with a sum > 0",
        ),
        (
            lambda: sample(
                lambda x: jnp.sum(jnp.log(x)), np.array([[1.0], [-2.0]]), key=KEY
            ),
            r"nan at initial particle 1, \[-2.0\]",
        ),
        (
            lambda: sample(normal, np.array([[1.0], [np.inf]]), key=KEY),
            "initial particle 1",
        ),
        # Conversions.
        (lambda: renyi_from_pure(0.5, 1.0), "order > 1, found 1"),
        (lambda: renyi_from_pure(-0.5, 2.0), ">= 0, found -0.5"),
        (lambda: renyi_from_pure(0.5, math.nan), "order > 1, found nan"),
        (lambda: delta_from_renyi(0.1, 0.5, 0.5), "order > 1, found 0.5"),
        (lambda: epsilon_from_renyi(0.1, 2.0, 2.0), r"\[0, 1\], found 2"),
        (lambda: delta_from_kl(-0.1, 1.0), ">= 0, found -0.1"),
        (lambda: delta_from_kl(0.1, math.nan), "epsilon >= 0, found nan"),
        (lambda: delta_from_pure(0.1, 0.1, draws=0), "draws"),
        (lambda: epsilon_from_pure(0.1, -0.1), r"\[0, 1\], found -0.1"),
        (lambda: kl_from_pure(math.nan), ">= 0, found nan"),
        # The accountant.
        (lambda: PrivacyAccountant(beta=-1.0), "beta >= 0.*found -1"),
        (lambda: PrivacyAccountant(alpha=math.inf), "alpha.*finite, found inf"),
        (lambda: PrivacyAccountant(osc_h0=(1.0, 2.0, 3.0)), "one number or two"),
        (lambda: PrivacyAccountant(osc_h0=(1.0, -2.0)), "osc_h0 >= 0, found -2"),
        (lambda: PrivacyAccountant(log_sobolev=-1.0), "log_sobolev >= 0"),
        (lambda: KNOWN.pure(math.inf), "t >= 0 and finite"),
        (lambda: KNOWN.pure(math.nan), "t >= 0.*found nan"),
        (lambda: KNOWN.certificate(1.0, delta=1.5), r"\[0, 1\], found 1.5"),
        (lambda: KNOWN.certificate(1.0, draws=0), "draws"),
        (lambda: PrivacyAccountant.worst([]), "one alpha and beta"),
        (
            lambda: PrivacyAccountant.worst([KNOWN, PrivacyAccountant(alpha=2.0)]),
            "one alpha and beta",
        ),
        (
            lambda: PrivacyAccountant.on_grid(
                CIRCLE, lambda x: jnp.log(-x[0]), lambda x: x[0]
            ),
            "log_density below.*not nan",
        ),
        # Release.
        (lambda: ExponentialMechanism(normal, 1.0, -1.0), "epsilon > 0.*found -1"),
        (lambda: ExponentialMechanism(normal, math.inf, 1.0), "sensitivity > 0"),
        (lambda: private(longest=0.0), "longest > 0.*found 0"),
        (lambda: private(longest=math.inf), "found inf"),
        (lambda: private(epsilon=-1.0), "epsilon >= 0, found -1"),
        (lambda: stability(normal, normal, CIRCLE, [1.0, 0.5]), r"found \[1.0, 0.5\]"),
        (lambda: stability(normal, normal, CIRCLE, [0.0]), "times > 0"),
    ],
)
def test_values_out_of_range_are_named(call, match):
    with pytest.raises(ValueError, match=match):
        call()


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: log_ratio(CLOUD, CIRCLE), "mu to be a Grid, found Particles"),
        (lambda: KNOWN.certificate(1.0, measure=Phase.at_rest(CLOUD)), "Phase"),
        (lambda: delta_from_pure(0.1, 0.1, draws=1.5), "draws to be a whole number"),
        (lambda: private(initial=Phase.at_rest(CLOUD)), "Phase"),
    ],
)
def test_measures_without_a_certificate_are_named(call, match):
    with pytest.raises(TypeError, match=match):
        call()


def test_the_line_has_no_pure_certificate():
    # Two Gaussians that differ: h_0 and the discrepancy grow without end.
    line = PrivacyAccountant(alpha=1.0, beta=1.0, grad_delta=0.3, hess_lower=1.0)
    for t in (1e-6, 1.0, 1e3):
        with pytest.warns(UnboundedPrivacyWarning, match="osc_delta, osc_h0, grad_h0"):
            assert line.pure(t) == math.inf
        assert not any(math.isnan(bound) for bound in line.kl_bounds(t).values())
    pair = Gaussian([0.3], [[1.0]]), Gaussian([0.0], [[1.0]])
    assert gaussian_renyi(*pair, 3.0) == pytest.approx(3 * 0.09 / 2)


def test_no_curvature_is_the_limit_of_little():
    flat, bent = (
        PrivacyAccountant(0.5, 0.5, 3.0, 2.0, lower, 2.0).bounds(0.7)
        for lower in (0.0, 1e-9)
    )
    for name, bound in flat.items():
        assert bound == pytest.approx(bent[name], rel=1e-8)


@pytest.mark.slow
def test_weights_on_few_particles_are_told():
    # Reaction alone moves no particle: nearly all weight goes to the nearest.
    x = np.linspace(3.0, 9.0, 40)[:, None]
    method = SHK(alpha=0.0, beta=3.0, step_size=0.5, steps=8, reaction="weights")
    with pytest.warns(UserWarning, match="rest on .* of 40 particles"):
        sample(normal, x, method=method, key=KEY)


@pytest.mark.slow
def test_long_jumps_are_told():
    x = np.linspace(-60.0, 60.0, 40)[:, None]
    method = SHK(
        step_size=1.0, steps=2, beta=2.0, alpha=1e-3, reaction="jumps", settle=0.0
    )
    with pytest.warns(UserWarning, match="step is too long for jumps"):
        sample(normal, x, method=method, key=KEY)
