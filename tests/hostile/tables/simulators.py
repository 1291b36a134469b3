"""Populations whose law is known."""

from wflow.energies import Polynomial, Potential
from wflow.populations import simulators
from wflow.populations.simulators._boids import BoidsRule
from wflow.populations.simulators._toggle import Toggle
from wflow.populations.simulators._vortex import Vortex

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    non_negative,
    number,
    positive,
)
from .learning import FLAG, KEYS


ROOM = "wflow.populations.simulators"

FEW = {"n": count(3), "snapshots": given(2, fraction=2.5, one=1, text="spoilt")}
PAIR = given(3, fraction=2.5, one=1, negative=-1, text="spoilt")

TABLE = {
    "boids": entry(
        simulators.boids,
        key=KEYS,
        interval=positive(0.5),
        rule=given(BoidsRule(), text="spoilt", other=1.5),
        **FEW,
    ),
    "vortex": entry(
        simulators.vortex,
        key=KEYS,
        interval=positive(0.5),
        offset=number(1.0),
        spread=positive(0.15),
        law=given(Vortex(), text="spoilt", other=1.5),
        **FEW,
    ),
    "toggle": entry(
        simulators.toggle,
        key=KEYS,
        n=PAIR,
        snapshots=FEW["snapshots"],
        interval=positive(1.0),
        step=positive(0.5),
        spread=non_negative(0.1),
        daughter=non_negative(0.01),
        law=given(Toggle(), text="spoilt", other=1.5),
    ),
    "gradient_flow_sde": entry(
        simulators.gradient_flow_sde,
        key=KEYS,
        potential=choice("poly"),
        interval=positive(0.01),
        step=positive(0.01),
        sigma=non_negative(1.0),
        variance=positive(0.2),
        paired=FLAG,
        **FEW,
    ),
    "swarm": entry(
        simulators.swarm,
        key=KEYS,
        n=PAIR,
        snapshots=FEW["snapshots"],
        interval=positive(0.1),
        step=positive(0.1),
        energy=given(Potential(Polynomial(2, 2)), text="spoilt", other=1.5),
        friction=non_negative(0.5),
        temperature=non_negative(0.1),
        mean=array([1.5, 0.0], fine="short"),
        spread=positive(0.6),
        paired=FLAG,
    ),
}
