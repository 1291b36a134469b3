"""Training as a whole."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from oscillator import TIMES, N, as_float32, oscillation, trained, weighted

from wflow.energies import AttentionPotential, Entropy, MLPPotential, Potential
from wflow.flows import GradientFlow, LagrangianFlow
from wflow.geometries import Wasserstein
from wflow.learning import (
    AdamW,
    CharacteristicDistance,
    Displacement,
    FixedHorizon,
    FullHorizon,
    Given,
    Learned,
    Rollouts,
    Sinkhorn,
    Snapshots,
    Zero,
)
from wflow.measures.base import ImplicitEntropyError
from wflow.parameters import Learnable
from wflow.parameters.learnable import unwrap


KEY = jax.random.key(0)


def train(flow, snapshots, **options):
    """A short training, by the loss that is the quickest to trace."""
    options = {"steps": 6, "key": KEY, "chunk": 4, "progress": False, **options}
    return trained(flow, snapshots, **{"loss": CharacteristicDistance(), **options})


def harmonic(friction):
    return LagrangianFlow(Potential(lambda x: 0.5 * jnp.sum(x**2)), friction)


def leaves(tree):
    arrays = eqx.filter(unwrap(tree), eqx.is_array)
    return [np.asarray(leaf) for leaf in jax.tree.leaves(arrays)]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


@pytest.fixture(scope="module")
def fitted(snapshots):
    return train(harmonic(Learnable(0.3)), snapshots, loss=Sinkhorn())


@pytest.mark.slow
def test_history(fitted):
    history = fitted.history
    np.testing.assert_array_equal(history["step"], np.arange(1, 7))
    for name in ("loss", "friction", "grad_norm", "horizon", "start", "converged"):
        assert history[name].shape == (6,)
    assert np.isfinite(history["loss"]).all()
    np.testing.assert_allclose(history["friction"][0], 0.3)
    assert set(history["start"]) <= {0, 1, 2}
    assert history["horizon"].min() >= 1
    assert history["horizon"].max() <= 3
    assert fitted.seconds_per_step > 0
    assert fitted.compile_seconds > 0


@pytest.mark.slow
def test_the_length_of_a_chunk_changes_no_bit(snapshots, fitted):
    options = {"chunk": 6, "loss": Sinkhorn()}
    other = train(harmonic(Learnable(0.3)), snapshots, **options)
    assert same(other.flow, fitted.flow)
    np.testing.assert_array_equal(other.history["loss"], fitted.history["loss"])


@pytest.mark.slow
def test_friction_is_identified():
    """Everything else is known: the true friction is the minimizer."""
    snapshots = Snapshots(TIMES, *oscillation(TIMES, friction=0.5))
    found = train(
        harmonic(Learnable(0.2)),
        snapshots,
        steps=150,
        chunk=50,
        substeps=8,
        loss=Sinkhorn(blur=0.3),
        horizon=FullHorizon(),
        optimizer=AdamW(scalar_learning_rate=0.05, schedule="cosine"),
    )
    np.testing.assert_allclose(found.friction, 0.5, rtol=0.02)


@pytest.mark.slow
def test_a_step_of_half_the_length_learns_the_same_number():
    """To one per cent by default, where intervals are .4 of the inverse frequency."""
    times = np.linspace(0, 2, 6)
    snapshots = Snapshots(times, *oscillation(times, friction=0.8))
    learned = [
        train(
            harmonic(Learnable(0.5)),
            snapshots,
            steps=150,
            chunk=150,
            loss=CharacteristicDistance(),
            horizon=FullHorizon(),
            optimizer=AdamW(scalar_learning_rate=0.05),
            **halved,
        ).friction
        for halved in ({}, {"substeps": 2 * Rollouts().substeps})
    ]
    np.testing.assert_allclose(*learned, rtol=0.01)
    np.testing.assert_allclose(learned, 0.8, rtol=0.05)


@pytest.mark.slow
def test_start_velocities_are_learned():
    times = [0.0, 0.5, 1.0]
    clouds, velocities = oscillation(times, friction=0.0)
    # Near the truth: from afar another pairing may explain the clouds as well.
    wrong = velocities[0] + 0.2 * np.random.default_rng(0).normal(size=(12, 2))
    found = train(
        harmonic(0.0),
        Snapshots(times, clouds, [wrong, *velocities[1:]]),
        steps=200,
        chunk=100,
        starts="first",
        substeps=8,
        velocity=Learned(Given()),
        loss=Sinkhorn(blur=0.1),
        horizon=FullHorizon(),
        optimizer=AdamW(scalar_learning_rate=0.03, schedule="cosine"),
    )
    error = np.linalg.norm(found.initial_velocity - velocities[0])
    assert error < 0.05 * np.linalg.norm(wrong - velocities[0])
    # Only the start was trained: the others come from a rollout.
    assert found.velocities[1:] == (None, None)


@pytest.mark.slow
def test_float32_follows_the_snapshots(snapshots):
    found = train(
        harmonic(Learnable(0.2)),
        as_float32(snapshots),
        batch=8,
        starts="any",
        optimizer=optax.adam(1e-3),
    )
    assert {leaf.dtype for leaf in leaves(found.flow)} == {np.dtype(np.float32)}
    assert found.history["loss"].dtype == np.float32
    assert found.forecast([2.5]).dtype == np.float32
    assert set(found.history["start"]) <= {0, 1, 2}
    assert (found.history["start"] + found.history["horizon"] <= 3).all()


@pytest.mark.slow
def test_unequal_sizes_and_weights(snapshots):
    found = train(
        harmonic(Learnable(0.2)),
        weighted(snapshots),
        starts="any",
        velocity=Displacement(),
    )
    assert np.isfinite(found.history["loss"]).all()
    assert found.initial_velocity.shape == weighted(snapshots)[0].shape


@pytest.mark.slow
def test_one_particle():
    clouds, velocities = oscillation(TIMES, n=1)
    energy = AttentionPotential(2, width=4, depth=1, feedforward=4, key=KEY)
    found = train(
        LagrangianFlow(energy, 0.1),
        Snapshots(TIMES, clouds, velocities),
        loss=Sinkhorn(blur=0.1),
    )
    assert np.isfinite(found.history["loss"]).all()


@pytest.mark.slow
def test_training_stops_on_a_validation_snapshot(snapshots):
    train_on, validation = snapshots.take([0, 1, 2]), snapshots.take([3])
    seen = []
    found = train(
        harmonic(Learnable(0.2)),
        train_on,
        steps=400,
        chunk=2,
        validation=validation,
        patience=4,
        ema=0.0,
        # So high that it gets worse soon.
        optimizer=AdamW(scalar_learning_rate=1.0),
        callbacks=[seen.append],
    )
    steps, scores = found.history["validation_step"], found.history["validation_w1"]
    best = np.argmin(scores)
    assert len(found.history["loss"]) == steps[-1] == steps[best] + 4 < 400
    assert [0, *(chunk.step for chunk in seen)] == list(steps)
    # Callbacks see every step of their chunk, and its score.
    assert [chunk.validation for chunk in seen] == list(scores[1:])
    for name in ("loss", "grad_norm"):
        told = np.concatenate([chunk.recent[name] for chunk in seen])
        np.testing.assert_array_equal(told, found.history[name])
    assert seen[1].grad_norm == found.history["grad_norm"][3]
    assert list(seen[1].recent["step"]) == [3, 4]
    # The best parameters are returned, not the last.
    again = found.report(validation, baselines=False, substeps=1).model
    np.testing.assert_allclose(again, scores[best], rtol=1e-12)
    assert same(seen[best - 1].fit.flow, found.flow)


@pytest.mark.slow
def test_points_kept_for_validation_are_in_no_loss(snapshots):
    objective = Rollouts(velocity=Given(), held=0.3, velocity_scale=None)
    loss = objective.prepare(harmonic(0.5), weighted(snapshots), key=KEY)
    for role in ("starts", "targets"):
        whole = weighted(snapshots).take(range(3) if role == "starts" else range(1, 4))
        trained_on, kept = (getattr(t, role).weights for t in (loss.task, loss.held))
        np.testing.assert_allclose(trained_on.sum(1), 1)
        np.testing.assert_allclose(kept.sum(1), 1)
        for k, n in enumerate(whole.sizes):
            assert not (trained_on[k] * kept[k]).any()
            assert ((trained_on[k] + kept[k])[:n] > 0).all()
            assert np.count_nonzero(kept[k]) == np.ceil(0.3 * n)
    # The same points of a snapshot, whether rollouts start or end there.
    np.testing.assert_array_equal(
        loss.held.starts.weights[1] > 0, (loss.held.targets.weights[0] > 0)[:N]
    )


@pytest.mark.slow
def test_a_number_that_is_not_finite_names_the_step(tmp_path, snapshots):
    def explosive(x):
        return -jnp.exp(jnp.sum(x**2))

    flow = LagrangianFlow(Potential(explosive), Learnable(0.1))
    with pytest.raises(FloatingPointError, match="step 1 is not finite: loss nan"):
        train(flow, snapshots, horizon=FullHorizon(), checkpoint_dir=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_unconverged_losses_are_told(snapshots):
    with pytest.warns(UserWarning, match="in 50% of the steps the iterations"):
        train(
            harmonic(Learnable(0.2)),
            snapshots,
            loss=Sinkhorn(blur=0.05, max_iterations=10, threshold=1e-9),
        )


def test_coinciding_points_get_a_blur():
    still = Snapshots([0, 1], [np.ones((3, 2)), np.ones((3, 2))])
    with pytest.warns(UserWarning, match="points .* coincide"):
        loss = Sinkhorn().prepared(still, KEY)
    assert loss.blur == pytest.approx(1e-3)


def test_blur_is_taken_from_the_training_snapshots(snapshots):
    loss = Sinkhorn(p=1).prepared(snapshots, KEY)
    x = snapshots[1]
    typical = 0.5 * np.median(np.linalg.norm(x[:, None] - x, axis=-1))
    assert 0.5 < float(loss.blur) / typical < 2
    assert loss.p == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps >= 1, found 0"),
        ({"chunk": 0}, "chunk >= 1"),
        ({"batch": 0}, "batch >= 1"),
        ({"substeps": 0}, "substeps >= 1"),
        ({"dt0": 0.0}, "dt0 > 0"),
        ({"clip": 0.0}, "clip > 0"),
        ({"ema": 1.0}, r"ema in \[0, 1\)"),
        ({"patience": 5}, "patience needs validation"),
        ({"resume": True}, "resume needs checkpoint_dir"),
        ({"starts": "all"}, "starts 'first' or 'any'"),
        ({"padding": 1}, "padding"),
        ({"growth_penalty": np.nan}, "growth_penalty >= 0"),
        ({"acceleration_penalty": -1.0}, "acceleration_penalty >= 0"),
        ({"velocity_scale": 0.0}, "velocity_scale > 0"),
        ({"ema": np.nan}, r"ema in \[0, 1\)"),
        ({"dt0": np.nan}, "dt0 > 0"),
        ({"dt0": 1e-6}, "at most 10,000 steps"),
        ({"substeps": 10**6}, "at most 10,000 steps"),
    ],
)
def test_refuses_options(flow, snapshots, options, message):
    with pytest.raises(ValueError, match=message):
        train(flow, snapshots, **options)


@pytest.mark.parametrize(
    "options",
    [
        *({name: 2.5} for name in ("steps", "chunk", "batch", "substeps", "padding")),
        *({name: True} for name in ("steps", "substeps")),
        *({name: "many"} for name in ("loss", "horizon", "optimizer", "velocity")),
        {"key": 1.5},
        {"key": jax.random.split(KEY, 2)},
        {"callbacks": [1.5]},
        {"validation": 1.5},
        {"checkpoint_dir": 1.5},
        {"velocity": Displacement},
    ],
)
def test_refuses_arguments_of_another_kind(flow, snapshots, options):
    (name,) = options
    with pytest.raises(TypeError, match=f"(fit|Rollouts): expected {name} to be "):
        train(flow, snapshots, **options)


@pytest.mark.slow
def test_refuses_flows_and_snapshots(flow, snapshots):
    bare = Snapshots(TIMES, snapshots.clouds)
    with pytest.raises(ValueError, match="first snapshot has no velocities"):
        train(flow, bare)
    with pytest.raises(ValueError, match="at least two snapshots, found 1"):
        train(flow, snapshots.take([0]))
    with pytest.raises(ValueError, match="nothing to train"):
        train(harmonic(0.1), snapshots)
    with pytest.raises(TypeError, match="expected flow to be a flow without jumps"):
        train(snapshots, snapshots)
    with pytest.raises(ImplicitEntropyError):
        train(GradientFlow(Entropy(), Wasserstein()), snapshots)
    with pytest.raises(ImplicitEntropyError):
        train(LagrangianFlow(Entropy(), Learnable(0.1)), snapshots)
    deep = Snapshots([0, 1], [np.ones((3, 4)), np.ones((3, 4))])
    with pytest.raises(ValueError, match="does not act on points of dimension 4"):
        train(flow, deep, velocity=Zero())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdamW(-1.0), "learning_rate >= 0"),
        (lambda: AdamW(warmup=1.0), r"warmup in \[0, 1\)"),
        (lambda: AdamW(schedule="step"), "'constant' or 'cosine'"),
        (lambda: Sinkhorn(p=3), "p 1 or 2"),
        (lambda: Sinkhorn(blur=-1.0), "blur > 0, found -1"),
        (lambda: Sinkhorn(blur="mean"), "blur > 0 or 'median'"),
    ],
)
def test_refuses_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.slow
def test_decay_acts_on_networks_only(snapshots):
    """With the gradient clipped to nothing the decay moves the network alone."""
    energy = MLPPotential(2, width=4, depth=1, key=KEY)
    found = train(
        LagrangianFlow(energy, Learnable(0.3)),
        snapshots,
        steps=1,
        ema=0.0,
        clip=1e-30,
        horizon=FixedHorizon(1),
        optimizer=AdamW(1e-2, weight_decay=0.5),
    )
    before = np.asarray(energy.mlp.layers[0].weight)
    np.testing.assert_allclose(
        found.flow.energy.mlp.layers[0].weight, (1 - 0.5e-2) * before, rtol=1e-12
    )
    np.testing.assert_allclose(found.friction, 0.3, rtol=1e-12)
