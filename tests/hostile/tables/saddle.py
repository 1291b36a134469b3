"""Small ReLU networks: data, neurons, their flow, its limit and descent."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow.measures import Point
from wflow.networks import saddle
from wflow.networks.saddle.neurons import from_weights

from ..engine import (
    choice,
    count,
    entry,
    given,
    masses,
    part,
    positive,
)


ROOM = "wflow.networks.saddle"

KEY = jax.random.key(0)
Y = np.array([1.0, -1.2])
DATA = saddle.ReLUData.orthogonal(Y)
NEURONS = from_weights(DATA, [0.02, -0.02], [[0.01, -0.01], [-0.01, 0.01]])
# A label may be of either sign but not zero; nan, infinity and zero are named.
LABELS = {
    "nan": Y * np.nan,
    "inf": Y * np.inf,
    "zero": Y * np.array([0.0, 1.0]),
    "complex": Y * 1j,
    "shape": Y[:, None],
    "empty": Y[:0],
    "text": np.array(["a", "b"]),
}
SMALL = given(
    -4.0,
    nan=np.nan,
    inf=-np.inf,
    zero=0.0,
    above=1.0,
    shape=-np.ones(3),
    text="spoiled",
)


TABLE = {
    "ReLUData": entry(
        lambda **more: saddle.ReLUData(**more).y,
        y=given(jnp.array(Y), **LABELS),
        gram=masses(np.ones(2), words=("inputs",)),
        normalizer=positive(2.0),
    ),
    "ReLUData.orthogonal": entry(
        lambda **more: saddle.ReLUData.orthogonal(**more).gram,
        y=given(jnp.array(Y), **LABELS),
        norms=masses(np.ones(2)),
        normalizer=positive(2.0),
    ),
    "ReLUData.from_inputs": entry(
        lambda **more: saddle.ReLUData.from_inputs(**more).gram,
        x=masses(np.eye(2), fine="negative", words=("inputs", "gram")),
        y=given(jnp.array(Y), **LABELS),
    ),
    "ReLUFlow": entry(
        lambda data, mu: saddle.ReLUFlow(data).value(mu),
        data=part(DATA),
        mu=part(Point(NEURONS)),
    ),
    "follow": entry(
        lambda **more: saddle.follow(throw=False, **more).loss,
        data=part(DATA),
        neurons=part(NEURONS),
        stretches=count(1),
        points=count(2),
        rtol=positive(1e-3),
        tolerance=positive(1e-6),
        max_steps=count(64),
    ),
    "jump_process": entry(
        lambda **more: saddle.jump_process(**more).value,
        data=part(DATA),
        neurons=part(NEURONS),
    ),
    "small_neurons": entry(
        lambda **more: saddle.small_neurons(KEY, **more).level,
        width=count(3),
        data=part(DATA),
        log_scale=SMALL,
        dim=count(3, fine="none"),
        start=choice("balanced"),
    ),
    "width_for": entry(
        saddle.width_for,
        positive=count(2, fine="zero"),
        negative=count(1, fine="zero"),
        probability=given(
            0.9, nan=np.nan, zero=0.0, one=1.0, above=1.5, text="spoiled"
        ),
    ),
}
