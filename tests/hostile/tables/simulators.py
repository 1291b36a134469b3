"""Populations whose law is known."""

from wflow.energies import Polynomial, Potential
from wflow.populations import simulators

from ..engine import (
    array,
    choice,
    count,
    entry,
    given,
    masses,
    non_negative,
    number,
    positive,
)
from .learning import FLAG, KEYS


ROOM = "wflow.populations.simulators"

FEW = {"n": count(3), "snapshots": given(2, fraction=2.5, one=1, text="spoiled")}
PAIR = given(3, fraction=2.5, one=1, negative=-1, text="spoiled")

TABLE = {
    "BoidsRule": entry(
        simulators.BoidsRule,
        cohesion=number(0.01),
        separation=number(0.1),
        alignment=number(0.3),
        wall=number(0.5),
        sight=non_negative(1.0),
        closeness=non_negative(0.3),
        half_width=non_negative(5.0),
    ),
    "Vortex": entry(
        simulators.Vortex,
        circulation=number(6.0),
        core=positive(0.7),
        drift=array([0.3, 0.0]),
    ),
    "Toggle": entry(
        simulators.Toggle,
        activation=masses([0.5, 1.0, 1.0], fine="zero"),
        inhibition=masses([0.5, 1.0, 1.0], fine="zero"),
        decay=masses([0.4, 0.4, 0.4], fine="zero"),
        basal=non_negative(1.0),
        noise=masses([0.05, 0.05, 0.01], fine="zero"),
        growth=non_negative(0.06),
    ),
    "boids": entry(
        simulators.boids,
        key=KEYS,
        interval=positive(0.5),
        rule=given(simulators.BoidsRule(), text="spoiled", other=1.5),
        **FEW,
    ),
    "vortex": entry(
        simulators.vortex,
        key=KEYS,
        interval=positive(0.5),
        offset=number(1.0),
        spread=positive(0.15),
        law=given(simulators.Vortex(), text="spoiled", other=1.5),
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
        law=given(simulators.Toggle(), text="spoiled", other=1.5),
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
        energy=given(Potential(Polynomial(2, 2)), text="spoiled", other=1.5),
        friction=non_negative(0.5),
        temperature=non_negative(0.1),
        mean=array([1.5, 0.0], fine="short"),
        spread=positive(0.6),
        paired=FLAG,
    ),
}
