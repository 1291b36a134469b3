"""Laws of the time between resets, resets at known times, moments under resetting."""

import jax.numpy as jnp

from tests.hostile.engine import (
    Argument,
    array,
    entry,
    given,
    non_negative,
    part,
    positive,
)
from wflow import regression

from .flows import DECAY, LAW, law_of, made


ROOM = "wflow.regression"


def from_density(density):
    return regression.Custom.from_density(density).mean


TABLE = {
    "Custom": entry(
        law_of(regression.Custom),
        function=Argument(
            lambda a: jnp.exp(-a),
            {
                "text": "spoiled",
                "none": None,
                "nan": lambda a: jnp.nan * a,
                "shape": lambda a: a[:3],
                "rising": jnp.exp,
            },
            words=("survival",),
        ),
        stretch=positive(1.0),
    ),
    "Custom.from_density": entry(
        from_density,
        density=given(
            lambda a: jnp.exp(-a), text="spoiled", none=None, nan=lambda a: jnp.nan * a
        ),
    ),
    "Deterministic": entry(law_of(regression.Deterministic), mean=positive(1.0)),
    "Gamma": entry(law_of(regression.Gamma), mean=positive(1.0), shape=positive(2.0)),
    "HyperExponential": entry(
        law_of(regression.HyperExponential),
        weights=array([0.3, 0.7], fine=()),
        rates=array([1.0, 2.0], fine=()),
    ),
    "InverseGaussian": entry(
        law_of(regression.InverseGaussian), mean=positive(1.0), shape=positive(2.0)
    ),
    "KnownResets": entry(
        regression.KnownResets,
        epochs=array([0.3, 0.8], fine=("inf", "shape", "short", "empty"), finite="inf"),
    ),
    "LogNormal": entry(
        law_of(regression.LogNormal), mean=positive(1.0), sigma=positive(0.5)
    ),
    "Lomax": entry(law_of(regression.Lomax), mean=positive(1.0), alpha=positive(3.0)),
    "PoissonMomentFlow": entry(
        made(regression.PoissonMomentFlow, LAW),
        flow=part(DECAY),
        rate=non_negative(1.0),
        origin=array([0.3, 0.4]),
    ),
    "Uniform": entry(
        law_of(regression.Uniform), low=non_negative(0.5), high=positive(1.0)
    ),
    "Weibull": entry(
        law_of(regression.Weibull), mean=positive(1.0), shape=positive(2.0)
    ),
}
