"""Regularisation by the geometry that a network lends to its outputs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from wflow.energies import Supervised
from wflow.flows import ArcLengthFlow, GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point, Travelled
from wflow.networks import canonical

from ..engine import array, count, entry, function, given, non_negative, part, positive


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
MOMENTUM = Line(jnp.array([0.2, 0.1]))
MOMENTA = {
    "nan": Line(jnp.array([np.nan, 0.1])),
    "inf": Line(jnp.array([np.inf, 0.1])),
    "short": Line(jnp.array([0.2])),
    "other": 1.5,
    "none": None,
}
LAMS = np.array([0.5, 0.1])
STRENGTHS = {
    "nan": LAMS * np.nan,
    "negative": -LAMS,
    "complex": LAMS * 1j,
    "shape": LAMS[None],
    "empty": LAMS[:0],
    "text": "spoilt",
}


def moved(**more):
    """One step of an optimiser that stops."""
    optimiser = canonical.arc_ridge(
        **({"inner": optax.sgd(0.1), "strength": 0.1, "decay": 0.5} | more)
    )
    params = {"w": jnp.ones(2)}
    return optimiser.update(params, optimiser.init(params), params)[0]


TABLE = {
    "ArcRidge": entry(
        lambda lam: canonical.ArcRidge(lam)(
            ArcLengthFlow(FLOW), Travelled(ORIGIN), 0.0
        ),
        lam=non_negative(0.1, fine="inf", finite="inf"),
    ),
    "ArcRidgeState": "the state of an optimiser",
    "CogeodesicFlow": entry(
        lambda metric: canonical.CogeodesicFlow(metric).value(
            Point((ORIGIN.value, MOMENTUM))
        ),
        metric=part(METRIC),
    ),
    "Finetuned": "what finetune returns",
    "Geodesic": "what geodesic returns",
    "GeodesicRidge": entry(
        lambda mu, **more: canonical.GeodesicRidge(**more).value(mu),
        mu=part(OTHER),
        metric=part(METRIC),
        origin=part(ORIGIN),
        modes=count(1),
        steps=count(2),
    ),
    "GibbsProcess": entry(
        lambda z, **more: canonical.GibbsProcess(**more).push_forward(z).value.w,
        z=given(
            0.5, nan=np.nan, inf=np.inf, shape=np.ones(2), text="spoilt", complex=1j
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
    "HorizontalLangevinFlow": entry(
        lambda mu, **more: canonical.HorizontalLangevinFlow(**more).value(mu),
        mu=part(ORIGIN),
        metric=part(METRIC),
        energy=part(Supervised(X, jnp.ones(1)), fine="none"),
        temperature=non_negative(1.0),
    ),
    "LambdaPath": "what lambda_path returns",
    "LiftFlow": entry(
        lambda mu, **more: canonical.LiftFlow(**more).velocity(mu).w,
        mu=part(ORIGIN),
        metric=part(METRIC),
        rate=function(lambda mu, t: jnp.ones(1)),
    ),
    "LiftFlow.rate": entry(
        lambda rate: canonical.LiftFlow(METRIC, rate).velocity(ORIGIN).w,
        rate=given(
            lambda mu, t: jnp.ones(1), shape=lambda mu, t: 1.0, long=lambda mu, t: X[0]
        ),
    ),
    "Logarithm": "what logarithm returns",
    "NTKMetric": entry(
        lambda v, **more: canonical.NTKMetric(**more).norm_squared(ORIGIN, v),
        v=array(np.ones(1), words=("outputs",)),
        x=array(X, fine="shape", words=("outputs", "kernel")),
        geometry=part(Euclidean()),
        rcond=given(None, nan=np.nan, negative=-0.1, one=1.0, text="spoilt"),
    ),
    "OutputCurve": entry(
        lambda chord, coefficients: canonical.OutputCurve(
            jnp.asarray(chord), jnp.asarray(coefficients)
        )(ORIGIN, 0.5),
        chord=given(np.ones(1)),
        coefficients=given(np.ones((2, 1))),
    ),
    "PullBack": entry(
        lambda model, **more: canonical.PullBack(**more)(model).mv(MOMENTUM).w,
        model=given(ORIGIN.value),
        x=array(X, fine=("zero", "shape"), words=("outputs",)),
        damping=positive(0.1),
    ),
    "Ridge": entry(
        lambda mu, origin: canonical.Ridge(origin).value(mu),
        mu=part(OTHER),
        origin=part(ORIGIN, fine="none"),
    ),
    "Selected": "what LambdaPath.select returns",
    "arc_ridge": entry(
        moved,
        inner=part(optax.sgd(0.1)),
        strength=non_negative(0.1, fine="inf", finite="inf"),
        decay=given(0.5, nan=np.nan, negative=-0.1, one=1.0, text="spoilt"),
    ),
    "descend": entry(
        lambda **more: canonical.descend(**more).value.w,
        energy=part(LOSS),
        start=part(ORIGIN),
        rate=positive(0.1),
        steps=count(2),
    ),
    "displacement": entry(
        lambda **more: canonical.displacement(**more).w,
        mu=part(OTHER),
        origin=part(ORIGIN),
    ),
    "exponential": entry(
        lambda **more: canonical.exponential(**more)[0].value.w,
        metric=part(METRIC),
        origin=part(ORIGIN),
        momentum=given(MOMENTUM, **MOMENTA),
    ),
    "finetune": entry(
        lambda **more: canonical.finetune(**more).arc.value.w,
        start=part(ORIGIN),
        train=part(LOSS),
        validation=part(LOSS),
        strengths=given(jnp.array(LAMS), **STRENGTHS),
        rate=positive(0.1),
        steps=count(2),
    ),
    "geodesic": entry(
        lambda **more: canonical.geodesic(**more).action,
        metric=part(METRIC),
        origin=part(ORIGIN),
        outputs=given(
            jnp.ones(1),
            nan=np.full(1, np.nan),
            inf=np.full(1, np.inf),
            complex=np.ones(1) * 1j,
            shape=np.ones((2, 2)),
            empty=np.ones(0),
            text="spoilt",
        ),
        modes=count(1),
        steps=count(2),
    ),
    "lambda_path": entry(
        lambda **more: canonical.lambda_path(**more).losses,
        flow=part(FLOW),
        start=part(ORIGIN),
        lams=given(jnp.array(LAMS), **STRENGTHS),
        t1=positive(1.0),
    ),
    "logarithm": entry(
        lambda **more: canonical.logarithm(**more).length,
        metric=part(METRIC),
        origin=part(ORIGIN),
        target=given(
            jnp.ones(1),
            nan=np.full(1, np.nan),
            shape=np.ones((1, 2)),
            empty=np.ones(0),
            other=Point(jnp.ones(3)),
            text="spoilt",
        ),
        guess=given(MOMENTUM, **{k: v for k, v in MOMENTA.items() if k != "none"}),
        steps=count(2),
    ),
}
