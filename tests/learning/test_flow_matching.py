"""Laws matched to paths: exact on motions that the paths are made for."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.energies import AbstractEnergy, Potential
from wflow.flows import (
    GradientFlow,
    GrowthFlow,
    LagrangianFlow,
    LangevinFlow,
    NeuralRate,
    VelocityFlow,
)
from wflow.geometries import HellingerKantorovich
from wflow.learning import (
    AdamW,
    BrownianBridge,
    ExactOT,
    FlowMatching,
    SmoothPath,
    Snapshots,
    StraightPath,
    TravelingDirac,
    fit,
)
from wflow.learning.objective import Step
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap


KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
N, TIMES = 24, np.array([0.0, 0.5, 1.5])
X, V = (RNG.normal(size=(N, 2)) for _ in range(2))
DOWN, WIND = np.array([0.0, -2.0]), np.array([1.0, 0.5])
BALL = FlowMatching(batch=8, moments=2)
# On paths of the law itself, and on those between the snapshots.
WAYS = pytest.mark.parametrize("own", [0.0, 1.0])
FALL = Potential(lambda x: 2.0 * x[1])
STEP = Step(jnp.asarray(0), 1)


class Slope(AbstractEnergy):
    """A pull down, of a strength that may be learned."""

    pull: jax.Array

    def value(self, mu, t=0.0):
        del t
        return mu.integrate(lambda x: self.pull * x[1])


def falling(velocities=True, growth=None):
    """Points that fall freely, each snapshot in another order."""
    orders = [RNG.permutation(N) for _ in TIMES]
    clouds = [
        (X + t * V + t**2 / 2 * DOWN)[o] for t, o in zip(TIMES, orders, strict=True)
    ]
    moves = [(V + t * DOWN)[o] for t, o in zip(TIMES, orders, strict=True)]
    masses = None if growth is None else np.exp(growth * TIMES)
    return Snapshots(TIMES, clouds, moves if velocities else None, masses=masses)


def drifting(masses=None):
    """Points that the wind carries."""
    return Snapshots(
        TIMES, [RNG.permutation(X + t * WIND) for t in TIMES], None, None, masses
    )


# As in training: compiled as one program.
@eqx.filter_jit
def errors_of(loss, model):
    return loss(model, STEP, KEY)[1]


validated = eqx.filter_jit(lambda loss, model: loss.validate(model, KEY))


def errors(objective, flow, snapshots):
    loss = objective.prepare(flow, snapshots, key=KEY)
    return errors_of(loss, loss.start(flow)), loss


@pytest.mark.slow
@WAYS
def test_the_true_law_of_second_order_has_no_error(own):
    ball = FlowMatching(batch=8, moments=2, own=own)
    found, loss = errors(ball, LagrangianFlow(FALL, friction=0.0), falling())
    assert isinstance(loss.path, SmoothPath)
    assert found.keys() == {"acceleration_error"}
    assert found["acceleration_error"] < 1e-20
    # At twice the pull the error is that of a law that does nothing.
    double = LagrangianFlow(Slope(jnp.asarray(4.0)), friction=0.0)
    found = errors_of(loss, double)
    np.testing.assert_allclose(found["acceleration_error"], 1.0, rtol=1e-6)


@pytest.mark.slow
@WAYS
def test_the_true_law_of_first_order_has_no_error(own):
    ball = FlowMatching(batch=8, moments=2, own=own)
    found, loss = errors(ball, VelocityFlow(lambda x, t: WIND), drifting())
    assert isinstance(loss.path, StraightPath)
    assert found["velocity_error"] < 1e-20
    double = errors(ball, VelocityFlow(lambda x, t: 2 * WIND), drifting())[0]
    np.testing.assert_allclose(double["velocity_error"], 1.0, rtol=1e-6)
    assert loss.motion(None, drifting()).velocities == (None,) * 3


@pytest.mark.slow
def test_intervals_that_only_fill_up_are_not_drawn():
    wind, seen = VelocityFlow(lambda x, t: WIND), drifting()
    bare, padded = (
        FlowMatching(padding=n).prepare(wind, seen, key=KEY) for n in (None, 6)
    )
    assert padded.pool.coupled.h.shape == (5,)
    np.testing.assert_allclose(bare.units, padded.units, rtol=1e-6)
    for way in (0.0, 0.5, 1.0):
        picked = [loss.pool.at(jnp.asarray(way), 4, KEY) for loss in (bare, padded)]
        for one, other in zip(*map(jax.tree.leaves, picked), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_path_of_the_law_itself_is_not_off_between_snapshots():
    turn = VelocityFlow(lambda x, t: jnp.stack([-x[..., 1], x[..., 0]], -1))
    angles = [0.0, 0.4, 0.8]
    seen = [
        X @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) for a in angles
    ]
    whole = FlowMatching(
        lambda x, y, a, b: np.eye(N), StraightPath(), batch=64, moments=8, own=0.0
    )
    seen = Snapshots(angles, seen)
    straight, loss = errors(whole, turn, seen)
    # A chord is off by the sagitta, its velocity by the turn on the way: 0.4^2 / 12.
    np.testing.assert_allclose(straight["velocity_error"], 0.4**2 / 12, rtol=0.1)
    own = errors_of(dataclasses.replace(loss, own=1.0), turn)
    # What is left is Heun's, whose error falls with the cube of steps of 0.1 or so.
    assert own["velocity_error"] < 1e-4


@pytest.mark.slow
@WAYS
def test_growth_is_met_by_the_rate_of_the_weights(own):
    seen = falling(growth=0.7)
    law = LagrangianFlow(FALL, friction=0.0) + GrowthFlow(lambda x, t: 0.7)
    ball = FlowMatching(ExactOT(), batch=8, moments=2, own=own)
    found, _ = errors(ball, law, seen)
    assert found["growth_error"] < 1e-20
    # By default masses are free to differ from place to place; all grow alike here.
    found, loss = errors(BALL, law, seen)
    assert found["acceleration_error"] < 1e-3
    assert found["growth_error"] < 1e-3
    # A law without growth does not look at masses.
    found, _ = errors(BALL, LagrangianFlow(FALL, friction=0.0), seen)
    assert found.keys() == {"acceleration_error"}


@pytest.mark.slow
def test_a_flow_sees_the_points_of_one_time():
    seen = []

    def follow(mu, t):
        seen.append(mu.n)
        return jnp.broadcast_to(mu.mean, mu.x.shape)

    errors(
        FlowMatching(batch=12, moments=3), VelocityFlow.of_measure(follow), drifting()
    )
    assert seen[-1] == 4


@pytest.mark.slow
def test_masses_choose_a_path_with_growth():
    grow = VelocityFlow(lambda x, t: WIND) + GrowthFlow(NeuralRate(2, key=KEY))
    _, loss = errors(BALL, grow, drifting([1.0, 2.0, 3.0]))
    assert isinstance(loss.path, TravelingDirac)
    assert loss.grows
    kantorovich = GradientFlow(
        FALL, HellingerKantorovich(4.0, 1.0, conserve_mass=False)
    )
    _, loss = errors(BALL, kantorovich, drifting([1.0, 2.0, 3.0]))
    # The geometry's own length, the root of 4 / 1.
    np.testing.assert_allclose(loss.path.length, 2.0)


@pytest.mark.slow
def test_some_pairs_are_kept_for_validation():
    seen = drifting()
    law, wrong = (VelocityFlow(lambda x, t, c=c: c * WIND) for c in (1.0, 2.0))
    loss = FlowMatching(batch=8, moments=2, held=0.4).prepare(law, seen, key=KEY)
    rows = lambda pool: {tuple(x) for x in np.asarray(pool.coupled.x0[1]).round(9)}
    trained, kept = rows(loss.pool), rows(loss.held)
    assert trained
    assert kept
    assert not trained & kept
    assert loss.validate(VelocityFlow(lambda x, t: WIND), KEY) < 1e-20
    assert loss.validate(VelocityFlow(lambda x, t: 2 * WIND), KEY) > 0.5
    whole = FlowMatching(held=0.0).prepare(
        VelocityFlow(lambda x, t: WIND), seen, key=KEY
    )
    assert whole.validate(VelocityFlow(lambda x, t: WIND), KEY) is None


@pytest.mark.slow
def test_noise_is_met_through_the_score():
    # Every point at rest: a bridge from each to itself spreads, and its law is that of
    # the noise alone, which the drift zero keeps.
    law = LangevinFlow(Potential(lambda x: 0.0 * x[0]), temperature=0.02)
    still = Snapshots([0.0, 1.0], [X, X])
    _, loss = errors(BALL, law, still)
    assert isinstance(loss.path, BrownianBridge)
    np.testing.assert_allclose(loss.path.sigma, 0.2, rtol=1e-6)


@pytest.mark.parametrize(
    ("flow", "snapshots", "objective", "words"),
    [
        (
            LangevinFlow(FALL, temperature=Learnable(0.1)),
            drifting(),
            BALL,
            "cannot be learned",
        ),
        (LangevinFlow(FALL, temperature=0.1), falling(), BALL, "acts on velocities"),
        (
            LangevinFlow(FALL, temperature=0.1),
            drifting(),
            FlowMatching(path=StraightPath()),
            r"BrownianBridge\(sigma\) or 'auto'",
        ),
        (LagrangianFlow(FALL), drifting(), FlowMatching(target="velocity"), "target"),
        (LagrangianFlow(FALL), drifting().take([0]), BALL, "two snapshots"),
    ],
)
def test_what_cannot_be_matched_is_refused(flow, snapshots, objective, words):
    with pytest.raises(ValueError, match=words):
        objective.prepare(flow, snapshots, key=KEY)


def test_arguments_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="multiple of moments"):
        FlowMatching(batch=10, moments=4)
    with pytest.raises(ValueError, match="held"):
        FlowMatching(held=1.0)
    with pytest.raises(TypeError, match="coupling"):
        FlowMatching(coupling=1.5)


@pytest.mark.slow
def test_a_training_that_harms_gives_back_its_start():
    # Nearly the true pull, and steps of the optimizer that leave it by a factor e.
    flow = LagrangianFlow(Slope(Learnable(2.1)), friction=0.0)
    optimizer = AdamW(scalar_learning_rate=1.0, schedule="constant")
    ball = FlowMatching(batch=8, moments=2, held=0.4)
    options = {"steps": 2, "chunk": 1, "ema": 0.0, "progress": False}
    found = fit(flow, falling(), ball, key=KEY, optimizer=optimizer, **options)
    np.testing.assert_allclose(unwrap(found.flow).energy.pull, 2.1)
    assert list(found.history["validation_step"]) == [0, 1, 2]
    assert np.argmin(found.history["validation_loss"]) == 0


@pytest.mark.slow
def test_a_law_is_learned_and_forecasts_in_float32():
    seen = falling()
    seen = Snapshots(
        TIMES,
        [x.astype(np.float32) for x in seen],
        [seen.velocity(k).astype(np.float32) for k in range(3)],
    )
    flow = LagrangianFlow(
        Slope(Learnable(1.0)), friction=Learnable(0.3, positive=False)
    )
    found = fit(flow, seen, BALL, steps=400, key=KEY, progress=False, clip=None)
    assert abs(found.friction) < 0.02
    ends = found.forecast([2.0], start="initial")[0]
    assert ends.dtype == np.float32


@pytest.mark.slow
def test_large_clouds_are_looked_at_anew():
    x = np.random.default_rng(0).normal(size=(9000, 1)).astype(np.float32)
    large = Snapshots([0.0, 1.0], [x, x + 2])
    rule, key = FlowMatching(batch=64, moments=4), jax.random.key(0)
    law = VelocityFlow(lambda x, t: 0 * x)
    first = rule.prepare(law, large, key=key)
    second, again = (
        rule.renewed(first, law, large, key=key, number=1) for _ in range(2)
    )
    starts = [set(loss.pool.coupled.x0.ravel().tolist()) for loss in (first, second)]
    held = set(first.held.coupled.x0.ravel().tolist())
    assert all(1000 < len(some) <= 2048 for some in starts)
    # Nine in ten are new, none is kept for validation, and draws are repeatable.
    assert len(starts[0] & starts[1]) < 0.4 * len(starts[0])
    assert not held & (starts[0] | starts[1])
    np.testing.assert_array_equal(second.pool.coupled.x0, again.pool.coupled.x0)
    assert jax.tree.structure(first) == jax.tree.structure(second)
    few = Snapshots([0.0, 1.0], [x[:50], x[:50] + 2])
    assert rule.renewed(first, law, few, key=key, number=1) is None


@pytest.mark.slow
def test_growth_that_is_known_is_what_a_rate_meets():
    """Halves stand still; the left one leaves three times as many, and is told so."""
    side = np.where(np.arange(N) < N // 2, -5.0, 5.0)
    x = X * 0.1 + np.stack([side, np.zeros(N)], 1)
    y = np.concatenate([x[: N // 2]] * 3 + [x[N // 2 :]])
    shots = Snapshots([0.0, 2.0], [x, y], None, None, [1.0, 2.0])
    rates = np.where(side < 0, np.log(3) / 2, 0.0)
    later = np.where(y[:, 0] < 0, np.log(3) / 2, 0.0)
    rate = lambda x, t: jnp.where(x[0] < 0, jnp.log(3.0) / 2, 0.0)
    law = VelocityFlow(lambda x, t: 0 * x) + GrowthFlow(rate)
    told = dataclasses.replace(BALL, growth=(rates, later), own=0.0, held=0.0)
    loss = told.prepare(law, shots, key=KEY)
    _, errors = loss(loss.start(law), STEP, KEY)
    np.testing.assert_allclose(errors["growth_error"], 0, atol=1e-10)
    np.testing.assert_allclose(errors["velocity_error"], 0, atol=1e-10)
    short = dataclasses.replace(BALL, growth=(rates, rates))
    with pytest.raises(ValueError, match="growth for each point"):
        short.prepare(law, shots, key=KEY)
