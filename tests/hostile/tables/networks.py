"""Losses of networks; their rooms have tables of their own."""

import jax.numpy as jnp

from wflow.measures import Point
from wflow.networks import NetworkRisk, Supervised

from ..engine import array, asked, choice, entry, given, masses
from .energies import MODEL, X, value_of


ROOM = "wflow.networks"

TABLE = {
    **dict.fromkeys(("attention", "canonical", "chaos", "saddle", "scale"), "a room"),
    "NetworkRisk": entry(
        value_of(NetworkRisk),
        neuron=given(
            lambda w, x: jnp.tanh(w @ x),
            text="spoiled",
            other=1.5,
            none=None,
            vector=lambda w, x: w,
        ),
        inputs=array(X[:4], words=["targets"]),
        targets=array([1.0, 2.0, 0.5, -1.0]),
        probabilities=masses([0.1, 0.2, 0.3, 0.4]),
    ),
    "Supervised": entry(
        lambda x, y, loss: asked(Supervised(x, y, loss).value, Point(MODEL)),
        x=array(X, words=["targets"]),
        y=array(X[:, 0]),
        loss=choice("square"),
    ),
}
