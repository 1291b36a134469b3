"""Jumps that samplers are made of."""

import jax.numpy as jnp
import numpy as np

from tests.hostile.engine import entry, given, non_negative, part
from wflow import sampling

from .flows import KL, made, target, vector


ROOM = "wflow.sampling"

TABLE = {
    "MetropolisLangevinFlow": entry(
        made(sampling.MetropolisLangevinFlow),
        log_density=given(target, text="spoiled", none=None, other=1.5, shape=vector),
        alpha=non_negative(0.5),
    ),
    "ReweightingFlow": entry(
        made(sampling.ReweightingFlow),
        energy=part(KL),
        rate=non_negative(1.0),
        resample_below=given(
            0.5, nan=jnp.nan, negative=-0.1, above=1.1, text="spoiled", shape=np.ones(2)
        ),
    ),
    "TransitionMixtureFlow": entry(
        made(sampling.TransitionMixtureFlow),
        log_density=given(target, text="spoiled", none=None, other=1.5),
        alpha=given(0.5, nan=jnp.nan, negative=-1.0, text="spoiled", shape=np.ones(3)),
        beta=non_negative(1.0),
    ),
}
