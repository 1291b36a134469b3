"""The rooms of networks, each with a table of its own, and scores of any network."""

import numpy as np

from wflow import networks

from ..engine import array, count, entry, given


ROOM = "wflow.networks"

FEATURES = np.random.default_rng(0).normal(size=(6, 2))
PROBABILITIES = np.array([[0.7, 0.3], [0.2, 0.8], [0.6, 0.4]])
LABELS = np.array([0, 1, 1])

TABLE = {
    **dict.fromkeys(("attention", "canonical", "chaos", "saddle", "scale"), "a room"),
    "calibration_error": entry(
        networks.calibration_error,
        probabilities=array(PROBABILITIES, fine="zero", words=("labels",)),
        labels=given(
            LABELS,
            fraction=LABELS + 0.5,
            negative=-LABELS,
            beyond=LABELS + 2,
            short=LABELS[:2],
            shape=LABELS[:, None],
            text="spoilt",
            none=None,
        ),
        bins=count(4),
    ),
    "cka": entry(
        networks.cka,
        a=array(FEATURES, fine="zero", words=("b",)),
        b=array(FEATURES + FEATURES**2, fine="zero"),
    ),
}
