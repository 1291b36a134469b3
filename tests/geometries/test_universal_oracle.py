"""Along every gradient flow the energy falls at the rate of its dissipation."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from triples import ENERGIES, GEOMETRIES, IMPLICIT, MEASURES, P, pairing

from wflow.measures import UnsupportedMeasureError
from wflow.measures.base import ImplicitEntropyError


T = 0.3
STEP = 1e-5
meaningful = pytest.mark.parametrize(
    ("energy", "measure"),
    [
        # Most of the time is compiling: particles stand for all measures in short runs,
        # but for Sinkhorn's, whose iterations take three times as long as the others.
        pytest.param(
            energy,
            measure,
            marks=()
            if measure == P and not energy.startswith("sinkhorn")
            else pytest.mark.slow,
        )
        for energy, (_, measures) in ENERGIES.items()
        for measure in MEASURES
        if measure in measures and not (energy in IMPLICIT and measure == P)
    ],
)


def random_like(tree, seed):
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), tree)


def symmetric(mu, tangent):
    """Rates of change of a covariance are symmetric."""
    if mu is MEASURES["gaussian"]:
        mean, cov = tangent
        return mean, cov + cov.T
    return tangent


@eqx.filter_jit
def probe(energy, mu, tangents):
    """Value, differential, and derivatives along tangents."""
    value = lambda state: energy.value(mu.with_state(state), T)
    derivatives = jax.vmap(lambda v: jax.jvp(value, (mu.state,), (v,))[1])(tangents)
    return value(mu.state), energy.differential(mu, T), derivatives


@eqx.filter_jit
def respond(geometry, mu, differential):
    return geometry.velocity(mu, differential), geometry.dissipation(mu, differential)


def stacked(tangents):
    padding = (len(GEOMETRIES) - len(tangents)) * [tangents[0]]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *tangents, *padding)


@functools.cache
def acting_on(measure):
    return [name for name, (_, measures) in GEOMETRIES.items() if measure in measures]


@pytest.mark.slow
@meaningful
def test_energy_falls_by_the_dissipation_in_every_geometry(energy, measure):
    functional, mu = ENERGIES[energy][0], MEASURES[measure]
    direction = symmetric(mu, random_like(mu.state, 1))
    tangents = stacked([direction])
    _, differential, derivatives = probe(functional, mu, tangents)

    # The differential against finite differences; Sinkhorn's is that of the limit of
    # its iterations, which stop at an error of 1e-3.
    rtol = 1e-3 if energy.startswith("sinkhorn") else 1e-7
    above, below = (
        probe(
            functional,
            mu.with_state(jax.tree.map(lambda a, v: a + h * v, mu.state, direction)),
            tangents,
        )[0]
        for h in (STEP, -STEP)
    )
    difference = (above - below) / (2 * STEP)
    np.testing.assert_allclose(derivatives[0], difference, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(
        pairing(mu, differential, direction), derivatives[0], rtol=1e-10, atol=1e-13
    )

    answers = [
        respond(GEOMETRIES[name][0], mu, differential) for name in acting_on(measure)
    ]
    _, _, derivatives = probe(functional, mu, stacked([v for v, _ in answers]))
    for name, derivative, (_, dissipation) in zip(
        acting_on(measure), derivatives, answers, strict=False
    ):
        assert dissipation > 0, name
        np.testing.assert_allclose(derivative, -dissipation, rtol=1e-10, err_msg=name)


@pytest.mark.parametrize(
    ("geometry", "measure"),
    [
        (g, m)
        for g, (_, measures) in GEOMETRIES.items()
        for m in MEASURES
        if m in measures
    ],
)
def test_operator_is_symmetric_and_not_negative(geometry, measure):
    mu, operator = MEASURES[measure], GEOMETRIES[geometry][0]
    if measure == "grid":
        like = mu.density
    else:
        like = ENERGIES["potential"][0].differential(mu)
    f, g = (symmetric(mu, random_like(like, seed)) for seed in (2, 3))
    if measure == "gaussian":
        f, g = type(like)(*f), type(like)(*g)
    (vf, df), (vg, dg) = (respond(operator, mu, covector) for covector in (f, g))
    both, _ = respond(operator, mu, jax.tree.map(lambda a, b: 2 * a - b, f, g))
    gkf, fkg = -pairing(mu, g, vf), -pairing(mu, f, vg)
    np.testing.assert_allclose(gkf, fkg, rtol=1e-9)
    np.testing.assert_allclose([df, dg], [-pairing(mu, f, vf), -pairing(mu, g, vg)])
    assert df > 0
    assert dg > 0
    assert gkf**2 <= df * dg
    for found, a, b in zip(*map(jax.tree.leaves, (both, vf, vg)), strict=True):
        np.testing.assert_allclose(found, 2 * a - b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("measure", list(MEASURES))
@pytest.mark.parametrize("energy", list(ENERGIES))
def test_meaningless_triples_are_refused_and_others_keep_shapes(energy, measure):
    functional, energy_acts_on = ENERGIES[energy]
    mu = MEASURES[measure]
    implicit = energy in IMPLICIT and measure == P

    if measure not in energy_acts_on:
        expected = (UnsupportedMeasureError, ImplicitEntropyError)
        with pytest.raises(expected, match="does not act on|have no density"):
            eqx.filter_eval_shape(functional.differential, mu)
        with pytest.raises(expected):
            eqx.filter_eval_shape(functional.value, mu)
        return

    differential = eqx.filter_eval_shape(functional.differential, mu, T)
    for name, (geometry, geometry_acts_on) in GEOMETRIES.items():
        if measure not in geometry_acts_on:
            if name.startswith(("wasserstein", "riemannian")):
                continue  # one form of a geometry that acts on it in another
            error, words = UnsupportedMeasureError, f"{type(geometry).__name__} does"
        elif implicit and name != "stein":
            error, words = ImplicitEntropyError, f"{type(geometry).__name__}: particles"
        else:
            velocity = eqx.filter_eval_shape(geometry.velocity, mu, differential)
            assert jax.tree.map(jnp.shape, velocity) == jax.tree.map(
                jnp.shape, mu.state
            )
            continue
        for act in (geometry.velocity, geometry.dissipation):
            with pytest.raises(error, match=words):
                eqx.filter_eval_shape(act, mu, differential)
