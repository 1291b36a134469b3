"""Start velocities that are smooth in space, and their trained correction."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oscillator import as_float32, make_flow, trained

from wflow.learning import (
    AdamW,
    CharacteristicDistance,
    Corrected,
    Displacement,
    Fit,
    FixedHorizon,
    SmoothedDisplacement,
    Snapshots,
    VelocityNetwork,
)


KEY = jax.random.key(0)
OPTIONS = {
    "steps": 6,
    "chunk": 3,
    "key": KEY,
    "starts": "any",
    "horizon": FixedHorizon(2),
    "optimizer": AdamW(learning_rate=1e-2),
    "velocity": Corrected(width=4, depth=1),
    "loss": CharacteristicDistance(),
    "progress": False,
}


@pytest.fixture(scope="module")
def unpaired(snapshots):
    rng = np.random.default_rng(3)
    return Snapshots(snapshots.times, [rng.permutation(x) for x in snapshots])


@pytest.fixture(scope="module")
def fitted(unpaired):
    return trained(make_flow(0), unpaired, padding=15, **OPTIONS)


def test_narrow_kernels_leave_the_displacement_wide_ones_its_mean(unpaired):
    raw = Displacement()(unpaired, KEY)
    for narrow, wide, v in zip(
        SmoothedDisplacement(1e-3)(unpaired, KEY),
        SmoothedDisplacement(1e4)(unpaired, KEY),
        raw,
        strict=True,
    ):
        np.testing.assert_allclose(narrow, v, rtol=1e-10)
        mean = np.broadcast_to(v.mean(axis=0), v.shape)
        np.testing.assert_allclose(wide, mean, rtol=1e-6, atol=1e-6)


def test_network_is_zero_until_trained(unpaired):
    network = VelocityNetwork(unpaired, width=4, depth=1, key=KEY)
    x = jnp.asarray(unpaired[0])
    np.testing.assert_array_equal(network(x, 0.5), jnp.zeros_like(x))


@pytest.mark.slow
def test_correction_is_trained_and_kept(unpaired, fitted, tmp_path):
    before = SmoothedDisplacement()(unpaired, KEY)
    # The last snapshot starts no rollout, and still has its corrected velocity.
    for v, u in zip(fitted.velocities, before, strict=True):
        assert v.shape == u.shape
        assert np.abs(v - u).max() > 1e-4
    fitted.save(tmp_path / "fit.eqx")
    again = Fit.load(tmp_path / "fit.eqx", make_flow(0))
    np.testing.assert_array_equal(
        again.forecast([2.5], substeps=1)[0], fitted.forecast([2.5], substeps=1)[0]
    )
    # The network is saved too: it also corrects the velocities of other points.
    for whole in (fitted, again):
        moved = whole.restarted(unpaired, before)
        np.testing.assert_array_equal(moved.velocities, fitted.velocities)


@pytest.mark.slow
def test_padding_changes_nothing(unpaired, fitted):
    plain = trained(make_flow(0), unpaired, **OPTIONS)
    np.testing.assert_allclose(plain.history["loss"], fitted.history["loss"], rtol=1e-8)
    with pytest.raises(ValueError, match="at least 12 rows"):
        trained(make_flow(0), unpaired, padding=11, **OPTIONS)


@pytest.mark.slow
def test_acceleration_penalty_is_that_of_the_path(unpaired, fitted):
    bent = trained(
        make_flow(0), unpaired, padding=15, acceleration_penalty=10.0, **OPTIONS
    )
    assert bent.history["loss"][0] > fitted.history["loss"][0]
    with pytest.raises(ValueError, match="acceleration_penalty >= 0"):
        trained(make_flow(0), unpaired, acceleration_penalty=-1.0, **OPTIONS)


def test_float32(snapshots):
    single = as_float32(snapshots)
    for v in SmoothedDisplacement(0.4)(single, KEY):
        assert v.dtype == np.float32
    network = VelocityNetwork(single, width=4, depth=1, key=KEY)
    network = jax.tree.map(
        lambda a: a.astype(jnp.float32) if eqx.is_inexact_array(a) else a, network
    )
    assert network(jnp.asarray(single[0]), 0.5).dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SmoothedDisplacement(0.0), "bandwidth > 0"),
        (lambda: Corrected(width=0), "width >= 1"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
