"""Start velocities from smooth paths through all snapshots."""

import jax
import numpy as np
import pytest

from wflow.kernels import Matern52, gram
from wflow.learning import PathVelocity, SmoothedDisplacement, Snapshots
from wflow.learning.path_velocity import _paths, _process


KEY = jax.random.key(0)
TIMES = np.array([0.0, 0.5, 1.5, 2.0, 3.0, 3.5, 4.5])


@pytest.fixture(scope="module")
def cloud(snapshots):
    return np.asarray(snapshots[0])


def moved(cloud, path, jitter=0.0):
    """All points along one path, in random order: the plans find it."""
    rng = np.random.default_rng(0)
    places = np.asarray([path(t) for t in TIMES])
    places += jitter * rng.standard_normal(places.shape)
    return Snapshots(TIMES, [rng.permutation(cloud + place) for place in places])


def test_a_smooth_path_has_its_slope(cloud):
    moving = moved(cloud, lambda t: [np.sin(t), np.cos(t)])
    for k, (t, v) in enumerate(zip(TIMES, PathVelocity()(moving, KEY), strict=True)):
        expected = np.broadcast_to([np.cos(t), -np.sin(t)], v.shape)
        # Seven points: the prior's share of noise flattens the path, most at its ends.
        atol = 0.3 if k in (0, len(TIMES) - 1) else 0.1
        np.testing.assert_allclose(v, expected, atol=atol)


@pytest.mark.slow
def test_slopes_are_those_of_the_regression():
    path = np.stack([np.sin(TIMES), np.cos(TIMES)], axis=1)
    kernel, h, one = Matern52(1.3), 1e-5, np.ones(len(TIMES))
    process = _process(TIMES, 1.3, 0.05)
    covariance = np.asarray(gram(kernel, TIMES[:, None])) + 0.05 * np.eye(len(TIMES))
    inverse = np.linalg.inv(covariance)
    mean = (one @ inverse @ path) / (one @ inverse @ one)

    def places(times):
        cross = np.asarray(gram(kernel, times[:, None], TIMES[:, None]))
        return mean + cross @ inverse @ (path - mean)

    np.testing.assert_allclose(process.residual @ one, 0, atol=1e-12)
    differences = (places(TIMES + h) - places(TIMES - h)) / (2 * h)
    np.testing.assert_allclose(process.slopes @ path, differences, atol=1e-8)
    contrasts = np.linalg.slogdet(covariance)[1] + np.log(one @ inverse @ one)
    np.testing.assert_allclose(process.logdet, contrasts, rtol=1e-10)


def test_noise_is_told_from_a_smooth_path(cloud):
    noise, share = [], []
    for jitter in (0.0, 1.5):
        moving = moved(cloud, lambda t: [t, 0.3 * t**2], jitter)
        noise.append(PathVelocity().fitted(TIMES, _paths(moving, 0.4))[1])
        share.append(PathVelocity().share(moving))
    assert noise[1] > 3 * noise[0]
    # The curve is followed, the jumps are not.
    assert share[0] == 1
    assert share[1] <= 0.25


def test_the_share_is_the_one_that_predicts(cloud):
    # Chords where the share is 0, slopes of the path where it is 1.
    moving = moved(cloud, lambda t: [t, 0.3 * t**2])
    motion = PathVelocity().motion(moving)
    for v, slope in zip(PathVelocity()(moving, KEY), motion.slopes, strict=True):
        np.testing.assert_allclose(v, slope, rtol=1e-12)
    two = moving.take([0, 1])
    chords = SmoothedDisplacement(0.4)(two, KEY)
    for v, chord in zip(PathVelocity()(two, KEY), chords, strict=True):
        np.testing.assert_allclose(v, chord, rtol=1e-12)


def test_float32(cloud):
    moving = moved(cloud, lambda t: [t, -t])
    single = Snapshots(TIMES, [x.astype(np.float32) for x in moving])
    single = PathVelocity()(single, KEY)
    for v, u in zip(single, PathVelocity()(moving, KEY), strict=True):
        assert v.dtype == np.float32
        np.testing.assert_allclose(v, u, atol=1e-3)


def test_paths_without_any_noise(cloud):
    # Nothing moves; and a straight line so long that its likelihood asks for no noise.
    still = Snapshots(TIMES, [cloud] * len(TIMES))
    for v in PathVelocity()(still, KEY):
        np.testing.assert_allclose(v, 0, atol=1e-6)
    times = np.arange(40.0)
    places = np.stack([times, -times], axis=1)[:, None] + np.zeros((1, 2, 1))
    length, noise = PathVelocity().fitted(times, [places] * 3)
    assert 0 < noise < 0.1
    assert np.isfinite(length)
    with pytest.raises(ValueError, match="at least two snapshots"):
        PathVelocity()(still.take([0]), KEY)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PathVelocity(bandwidth=0.0), "bandwidth > 0"),
        (lambda: PathVelocity(length=-1.0), "length > 0"),
        (lambda: PathVelocity(noise=0.0), "noise > 0"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()
