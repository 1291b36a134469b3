"""Small ReLU networks: data, neurons, their flow, its limit and descent."""

import jax
import jax.numpy as jnp
import numpy as np

from wflow import solve
from wflow.measures import Point
from wflow.networks import saddle

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    masses,
    non_negative,
    number,
    part,
    positive,
)


ROOM = "wflow.networks.saddle"

KEY = jax.random.key(0)
Y = np.array([1.0, -1.2])
DATA = saddle.ReLUData.orthogonal(Y)
NEURONS = saddle.from_weights(DATA, [0.02, -0.02], [[0.01, -0.01], [-0.01, 0.01]])
LIMIT = saddle.limit_of_cover(DATA, NEURONS.active, NEURONS.sign)
COURSE = saddle.descend(DATA, NEURONS, 0.1, points=3, stride=2)
LEVEL = np.array([-4.0, -5.0])
RATIO = np.array([[0.6, 0.1], [-0.2, 0.3]])
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
    -4.0, nan=np.nan, inf=-np.inf, zero=0.0, above=1.0, shape=-np.ones(3), text="spoilt"
)
SIZES = given(
    (0.5, 1.5),
    nan=(np.nan, 1.0),
    inf=(0.5, np.inf),
    zero=(0.0, 1.0),
    order=(1.5, 0.5),
    shape=(1.0,),
    text="spoilt",
)


def neurons(**more):
    """Neurons at their start."""
    values = {"level": LEVEL, "ratio": RATIO, "rest": np.zeros(2)} | more
    return saddle.LogNeurons(**{"sign": jnp.array([1, -1])} | values)


TABLE = {
    "Course": "what follow returns",
    "Instance": "what draw_instances returns",
    "JumpProcess": "what jump_process returns",
    "LogNeurons": entry(
        lambda **more: neurons(**more).output,
        level=array(LEVEL, words=("ratio",)),
        ratio=array(RATIO, words=("rest",)),
        rest=masses(np.zeros(2), fine="zero"),
        sign=given(jnp.array([1, -1]), zero=jnp.zeros(2, int), short=jnp.ones(1, int)),
    ),
    "ReLUData": entry(
        lambda **more: saddle.ReLUData(**more).y,
        y=given(jnp.array(Y), **LABELS),
        gram=masses(np.ones(2), words=("inputs",)),
        normaliser=positive(2.0),
    ),
    "ReLUData.orthogonal": entry(
        lambda **more: saddle.ReLUData.orthogonal(**more).gram,
        y=given(jnp.array(Y), **LABELS),
        norms=masses(np.ones(2)),
        normaliser=positive(2.0),
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
    "Staircase": "what staircase returns",
    "TieError": "an exception",
    "course_of": entry(
        lambda solution: saddle.course_of(solution).loss,
        solution=part(
            solve(saddle.ReLUFlow(DATA), Point(NEURONS), 0.0, 1.0, times=[0.5, 1.0])
        ),
    ),
    "course_through": entry(
        lambda **more: (
            saddle.course_through(
                steps=jnp.asarray(1), finished=jnp.asarray(True), **more
            ).loss
        ),
        data=part(DATA),
        times=array(COURSE.times, words=("neurons",)),
        neurons=part(COURSE.neurons),
    ),
    "covering_width": entry(
        # No width at all covers labels of the other sign.
        lambda **more: 1 / saddle.covering_width(**more),
        active=given(
            NEURONS.active, shape=NEURONS.active[0], text="spoilt", other=object()
        ),
        sign=given(NEURONS.sign, short=NEURONS.sign[:1], text="spoilt", other=object()),
        labels=array(Y),
    ),
    "descend": entry(
        lambda **more: saddle.descend(**more).loss,
        data=part(DATA),
        neurons=part(NEURONS),
        step=positive(0.1),
        points=count(2),
        stride=count(2),
    ),
    "draw_instances": entry(
        lambda **more: saddle.draw_instances(KEY, **more)[0][0].limit.value,
        number=count(1),
        samples=count(2),
        width=count(3),
        sizes=SIZES,
        least_gap=non_negative(0.0),
        tries=count(4),
    ),
    "failure_bound": entry(
        saddle.failure_bound,
        width=positive(4.0, fine="shape"),
        n=positive(2.0, fine="shape"),
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
    "from_weights": entry(
        lambda **more: saddle.from_weights(**more).ratio,
        data=part(DATA),
        output=given(
            jnp.array([0.1, -0.2]),
            nan=jnp.array([np.nan, 1.0]),
            inf=jnp.array([np.inf, 1.0]),
            zero=jnp.array([0.0, 1.0]),
            complex=jnp.ones(2) * 1j,
            shape=jnp.ones((2, 1)),
            empty=jnp.ones(0),
            text="spoilt",
        ),
        activation=array(0.1 * RATIO),
        rest=masses(np.zeros(2), fine="zero"),
        log_scale=number(0.0),
    ),
    "half_times": entry(
        lambda **more: jnp.nan_to_num(saddle.half_times(**more)),
        course=part(COURSE),
        limit=part(LIMIT),
    ),
    "interpolation_probability": entry(
        saddle.interpolation_probability,
        width=count(4),
        positive=non_negative(3, fine="shape"),
        negative=non_negative(2, fine="shape"),
    ),
    "jump_process": entry(
        lambda **more: saddle.jump_process(**more).value,
        data=part(DATA),
        neurons=part(NEURONS),
    ),
    "limit_of_cover": "unchecked, as it says, to be mapped: jump_process checks",
    "min_norm_squared": entry(saddle.min_norm_squared, data=part(DATA)),
    "plateau_controller": entry(
        lambda **more: saddle.plateau_controller(**more).dtmax,
        data=part(DATA),
        rtol=positive(1e-3),
        atol=positive(1e-6),
    ),
    "plateau_motion": entry(
        lambda **more: saddle.plateau_motion(**more).level,
        data=part(DATA),
        neurons=part(NEURONS),
        residual=array(Y),
        time=non_negative(1.0),
    ),
    "random_gram": entry(
        lambda **more: saddle.random_gram(KEY, **more),
        n=count(2),
        dim=count(3),
        cosine=positive(0.1),
    ),
    "random_labels": entry(
        lambda **more: saddle.random_labels(KEY, **more), n=count(3), sizes=SIZES
    ),
    "sample_cover": entry(
        lambda width, n: saddle.sample_cover(KEY, width, n)[1],
        width=count(3),
        n=count(2),
    ),
    "small_neurons": entry(
        lambda **more: saddle.small_neurons(KEY, **more).level,
        width=count(3),
        data=part(DATA),
        log_scale=SMALL,
        dim=count(3, fine="none"),
        start=choice("balanced"),
    ),
    "solve_weights": entry(
        lambda **more: saddle.solve_weights(**more).loss,
        data=part(DATA),
        neurons=part(NEURONS),
        end=positive(1.0),
        points=count(2),
        rtol=positive(1e-3),
        atol=positive(1e-6),
        max_steps=count(64),
    ),
    "stable_step": entry(saddle.stable_step, data=part(DATA)),
    "staircase": entry(
        lambda **more: saddle.staircase(**more).loss,
        course=part(COURSE),
        limit=part(LIMIT),
        log_scale=SMALL,
    ),
    "tangent_kernel": entry(
        saddle.tangent_kernel, data=part(DATA), neurons=part(NEURONS)
    ),
    "time_to_level": entry(
        lambda **more: jnp.nan_to_num(saddle.time_to_level(**more)),
        data=part(DATA),
        neurons=part(NEURONS),
        residual=array(Y),
        goal=number(-1.0, fine="inf", finite="inf"),
    ),
    "width_for": entry(
        saddle.width_for,
        positive=count(2, fine="zero"),
        negative=count(1, fine="zero"),
        probability=given(0.9, nan=np.nan, zero=0.0, one=1.0, above=1.5, text="spoilt"),
    ),
}
