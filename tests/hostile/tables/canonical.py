"""Regularization by the geometry that a network lends to its outputs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks import Supervised, canonical

from ..engine import array, asked, count, entry, given, non_negative, part, positive


ROOM = "wflow.networks.canonical"


class Line(eqx.Module):
    """f(x) = w . x."""

    w: jax.Array

    def __call__(self, x):
        return self.w @ x


X = np.array([[1.0, 0.5]])
ORIGIN = Point(Line(jnp.array([0.3, -0.2])))
OTHER = Point(Line(jnp.array([0.5, 0.1])))
METRIC = canonical.NTKMetric(X)
LOSS = Supervised(X, jnp.ones(1))
FLOW = GradientFlow(LOSS, Euclidean())
LAMS = np.array([0.5, 0.1])
STRENGTHS = {
    "nan": LAMS * np.nan,
    "negative": -LAMS,
    "complex": LAMS * 1j,
    "shape": LAMS[None],
    "empty": LAMS[:0],
    "text": "spoiled",
}


def moved(**more):
    """One step of an optimizer that stops."""
    optimizer = canonical.arc_ridge(
        **({"inner": optax.sgd(0.1), "strength": 0.1, "decay": 0.5} | more)
    )
    params = {"w": jnp.ones(2)}
    return optimizer.update(params, optimizer.init(params), params)[0]


TABLE = {
    "Traveled": entry(
        canonical.Traveled,
        measure=part(ORIGIN),
        length=non_negative(1.0),
        action=non_negative(2.0),
    ),
    "ArcLengthFlow": entry(
        lambda flow: asked(
            canonical.ArcLengthFlow(flow).velocity, canonical.Traveled(ORIGIN), 0.0
        ),
        flow=part(FLOW),
    ),
    "ArcRidge": entry(
        lambda lam: asked(
            canonical.ArcRidge(lam),
            canonical.ArcLengthFlow(FLOW),
            canonical.Traveled(ORIGIN),
            0.0,
        ),
        lam=non_negative(0.1, fine="inf", finite="inf"),
    ),
    "GeodesicRidge": entry(
        lambda mu, **more: asked(canonical.GeodesicRidge(**more).value, mu),
        mu=part(OTHER),
        metric=part(METRIC),
        origin=part(ORIGIN),
        modes=count(1),
        steps=count(2),
    ),
    "GibbsProcess": entry(
        lambda z, **more: canonical.GibbsProcess(**more).push_forward(z).value.w,
        z=given(
            0.5, nan=np.nan, inf=np.inf, shape=np.ones(2), text="spoiled", complex=1j
        ),
        metric=part(METRIC),
        origin=part(ORIGIN),
        sigma=positive(1.0),
    ),
    "GibbsProcess.sample": entry(
        lambda **more: (
            canonical.GibbsProcess(METRIC, ORIGIN, 1.0)
            .sample(jax.random.key(0), **more)
            .value.w
        ),
        count=count(2),
        steps=count(2),
    ),
    "NTKMetric": entry(
        lambda v, **more: canonical.NTKMetric(**more).norm_squared(ORIGIN, v),
        v=array(np.ones(1), words=("outputs",)),
        x=array(X, fine="shape", words=("outputs", "kernel")),
        geometry=part(Euclidean()),
        rcond=given(None, nan=np.nan, negative=-0.1, one=1.0, text="spoiled"),
    ),
    "Ridge": entry(
        lambda mu, origin: canonical.Ridge(origin).value(mu),
        mu=part(OTHER),
        origin=part(ORIGIN, fine="none"),
    ),
    "arc_ridge": entry(
        moved,
        inner=part(optax.sgd(0.1)),
        strength=non_negative(0.1, fine="inf", finite="inf"),
        decay=given(0.5, nan=np.nan, negative=-0.1, one=1.0, text="spoiled"),
    ),
    "lambda_path": entry(
        lambda **more: canonical.lambda_path(**more).losses,
        flow=part(FLOW),
        start=part(ORIGIN),
        lams=given(jnp.array(LAMS), **STRENGTHS),
        t1=positive(1.0),
    ),
}
