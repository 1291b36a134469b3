"""The limit of a vanishing initialization, as its own exact algorithm."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.networks.saddle import ReLUData, jump_process, small_neurons
from wflow.networks.saddle.cover import sample_cover
from wflow.networks.saddle.jumps import TieError, limit_of_cover
from wflow.networks.saddle.neurons import LogNeurons, from_weights
from wflow.networks.saddle.norms import min_norm_squared


# The hand example: two positive neurons that share a sample, one negative.
Y = np.array([1.0, 2.0, 2.0, -1.5])
ACTIVE = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], bool)
SIGN = np.array([1, 1, -1])


def reference(y, norms, active, sign, normalizer):
    """The algorithm in numpy, neuron by neuron."""
    reach = active & (sign[:, None] * y > 0)
    level = {j: -1.0 for j in range(len(sign))}
    open_, tau, jumps = np.ones(len(y), bool), 0.0, []
    while True:
        rates = {
            j: np.sqrt(np.sum((y * norms)[reach[j] & open_] ** 2)) / normalizer
            for j in level
        }
        waits = {j: -level[j] / rates[j] for j in level if rates[j] > 0}
        if not waits:
            return jumps, ~(~open_)
        winner = min(waits, key=waits.get)
        new = reach[winner] & open_
        rivals = [
            waits[j] - waits[winner]
            for j in waits
            if j != winner and (reach[j] & new).any()
        ]
        tau += waits[winner]
        level = {j: level[j] + rates[j] * waits[winner] for j in level if j != winner}
        value = np.sqrt(np.sum((y / norms)[new] ** 2))
        jumps.append((tau, winner, value, min(rivals, default=np.inf)))
        open_ &= ~new


def hand():
    return limit_of_cover(
        ReLUData.orthogonal(Y), jnp.asarray(ACTIVE), jnp.asarray(SIGN)
    )


@pytest.mark.slow
def test_hand_example():
    found = hand()
    np.testing.assert_allclose(found.tau, [1.4142136, 2.2519359, 8 / 3], atol=1e-7)
    np.testing.assert_array_equal(found.neuron, [1, 0, 2])
    np.testing.assert_allclose(found.value, [2.8284271, 1, 1.5], atol=1e-7)
    assert float(found.norm_squared) == pytest.approx(10.6568542, abs=1e-7)
    assert float(min_norm_squared(found.data)) == pytest.approx(9.0, rel=1e-14)
    losses = [Y @ Y / 8, (1 + 1.5**2) / 8, 1.5**2 / 8, 0]
    np.testing.assert_allclose(found.plateau_losses, losses, rtol=1e-14)
    np.testing.assert_allclose(found.loss([0, 2, 2.5, 9]), losses, rtol=1e-14)
    a, coefficients = found.weights()
    np.testing.assert_allclose(a, [1, 2.8284271**0.5, -(1.5**0.5)], atol=1e-7)
    # The network that it ends at interpolates, and is balanced.
    np.testing.assert_allclose(a @ np.maximum(coefficients, 0), Y, rtol=1e-14)
    np.testing.assert_allclose(np.sum(coefficients**2, axis=1), a**2, rtol=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_random_covers_against_numpy(seed):
    rng = np.random.default_rng(seed)
    n, m = 12, 8
    y = rng.uniform(0.5, 1.5, n) * rng.choice([-1, 1], n)
    norms = rng.uniform(1, 2, n)
    active, sign = rng.random((m, n)) < 0.5, rng.choice([-1, 1], m)
    data = ReLUData.orthogonal(y, norms, 3.0)
    found = limit_of_cover(data, jnp.asarray(active), jnp.asarray(sign))
    jumps, unfitted = reference(y, norms, active, sign, 3.0)
    count = int(found.count)
    assert count == len(jumps)
    tau, neuron, value, gap = map(np.asarray, zip(*jumps, strict=True))
    np.testing.assert_allclose(found.tau[:count], tau, rtol=1e-12)
    np.testing.assert_array_equal(found.neuron[:count], neuron)
    np.testing.assert_allclose(found.value[:count], value, rtol=1e-12)
    np.testing.assert_allclose(found.gap[:count], gap, rtol=1e-9)
    np.testing.assert_array_equal(found.unfitted, unfitted)
    assert np.all(np.isinf(found.tau[count:]))
    # At the last jump the loss is what no neuron fits.
    rest = np.sum(y[unfitted] ** 2) / 6
    np.testing.assert_allclose(found.loss(tau[-1] + 1), rest, rtol=1e-14)


def test_equivalences():
    """The normalizer scales time, labels the rates; orders and signs do not matter."""
    base = hand()
    active, sign = jnp.asarray(ACTIVE), jnp.asarray(SIGN)
    slow = limit_of_cover(ReLUData.orthogonal(Y, normalizer=12.0), active, sign)
    np.testing.assert_allclose(slow.tau, 3 * base.tau, rtol=1e-14)
    scaled = limit_of_cover(ReLUData.orthogonal(5 * Y), active, sign)
    np.testing.assert_allclose(scaled.tau, base.tau / 5, rtol=1e-14)
    np.testing.assert_allclose(scaled.norm_squared, 5 * base.norm_squared, rtol=1e-14)
    flipped = limit_of_cover(ReLUData.orthogonal(-Y), active, -sign)
    np.testing.assert_array_equal(flipped.tau, base.tau)
    samples, neurons = np.array([2, 0, 3, 1]), np.array([2, 0, 1])
    moved = limit_of_cover(
        ReLUData.orthogonal(Y[samples]), active[neurons][:, samples], sign[neurons]
    )
    np.testing.assert_allclose(moved.tau, base.tau, rtol=1e-14)
    np.testing.assert_array_equal(neurons[moved.neuron], base.neuron)
    np.testing.assert_array_equal(moved.fits, base.fits[:, samples])


@pytest.mark.slow
def test_gradients_against_differences():
    active, sign = jnp.asarray(ACTIVE), jnp.asarray(SIGN)

    def quantities(y):
        found = limit_of_cover(ReLUData.orthogonal(y), active, sign)
        return jnp.stack([found.norm_squared, jnp.sum(found.tau)])

    h, eye = 1e-5, np.eye(4)
    steps = jnp.asarray(np.concatenate([Y + h * eye, Y - h * eye]))
    up, down = np.split(np.asarray(jax.jit(jax.vmap(quantities))(steps)), 2)
    expected = (up - down).T / (2 * h)
    both = jax.jit(lambda y: (jax.jacrev(quantities)(y), jax.jacfwd(quantities)(y)))
    # Central differences are wrong by h^2.
    for found in both(jnp.asarray(Y)):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_single_precision():
    found = limit_of_cover(
        ReLUData.orthogonal(Y.astype(np.float32)),
        jnp.asarray(ACTIVE),
        jnp.asarray(SIGN),
    )
    assert found.tau.dtype == jnp.float32
    np.testing.assert_allclose(found.tau, hand().tau, atol=1e-4)


def test_norms_against_their_bounds():
    """Between the least norm and 2.6 times it; the slope in n is a task's."""

    def one(key):
        sizes, signs, of_cover = jax.random.split(key, 3)
        y = jax.random.uniform(sizes, (100,), minval=0.5, maxval=1.5)
        data = ReLUData.orthogonal(y * jax.random.rademacher(signs, (100,), y.dtype))
        found = limit_of_cover(data, *sample_cover(of_cover, 40, 100))
        least = min_norm_squared(data)
        return found.norm_squared / least, found.count, found.unfitted.sum()

    keys = jax.random.split(jax.random.key(1), 16)
    ratio, count, unfitted = map(np.asarray, jax.jit(jax.vmap(one))(keys))
    assert (unfitted == 0).all()
    assert (ratio >= 1).all()
    assert (ratio <= 2.6).all()
    # 9.9 neurons with weights, within four standard errors of 40 other draws.
    error = count.std() * (1 / 16 + 1 / 40) ** 0.5
    assert abs(count.mean() - 9.9) < 4 * error


def test_one_neuron_for_each_sign_is_minimal():
    data = ReLUData.orthogonal(Y)
    found = limit_of_cover(
        data,
        jnp.asarray([[1, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1]], bool),
        jnp.asarray(SIGN),
    )
    assert float(found.norm_squared) == pytest.approx(9.0, rel=1e-14)


def overlapping(level=0.0):
    """Two neurons that tie: each wants three of four equal samples."""
    data = ReLUData.orthogonal(np.ones(4))
    p = np.array([[0.5, 0.5, 0.5, -0.5], [-0.5, 0.5, 0.5, 0.5]])
    return data, LogNeurons(-300.0 + level * jnp.ones(2), p, jnp.zeros(2), SIGN[:2])


def test_ties_are_flagged_and_refused():
    data, neurons = overlapping()
    flagged = limit_of_cover(data, neurons.active, neurons.sign)
    np.testing.assert_array_equal(flagged.tied, [True, False])
    with pytest.raises(TieError, match="tau = 2.3094 neuron 0"):
        jump_process(data, neurons)
    # Opposite signs do not meet.
    apart = limit_of_cover(
        ReLUData.orthogonal([1.0, -1.0]), jnp.ones((2, 2), bool), jnp.array([1, -1])
    )
    assert not apart.tied.any()
    assert np.isinf(np.asarray(apart.gap)).all()


def test_contamination_falls_with_the_scale():
    found = hand()
    # Neuron 0 grows at sqrt(5) / 4 and is .3746 late.
    rate = np.exp(-2 * 5**0.5 / 4 * 0.3746408 * 10)
    np.testing.assert_allclose(found.contamination(-10.0), [rate, 0, 0], rtol=1e-6)


def test_samples_that_no_neuron_covers_are_named():
    data = ReLUData.orthogonal(Y)
    weights = np.array([1.0, -1.0]), np.array([[0.1, 0.2, -0.5, 0], [0, 0, -0.1, 0.5]])
    neurons = from_weights(data, *weights, rest=[0.1, 0.2], log_scale=-50.0)
    with pytest.warns(UserWarning, match="no neuron can fit 1 of 4 samples; 2 neurons"):
        found = jump_process(data, neurons)
    np.testing.assert_array_equal(found.unfitted, [False, False, True, False])
    np.testing.assert_allclose(found.plateau_losses[-1], 4 / 8)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ReLUData.orthogonal([1.0, 0.0]), r"label y\[1\] = 0.0 is zero"),
        (lambda: ReLUData.orthogonal([np.nan, 1.0]), r"y\[0\] = nan is not finite"),
        (lambda: ReLUData.orthogonal([np.inf, 1.0]), r"y\[0\] = inf is not finite"),
        (lambda: ReLUData.orthogonal([]), "n >= 1"),
        (lambda: ReLUData.orthogonal([1.0], [0.0]), "norms > 0, found 0"),
        (lambda: ReLUData.orthogonal([1.0], normalizer=0.0), "normalizer > 0"),
        (lambda: ReLUData.from_inputs(np.eye(3)[:, :2], np.ones(3)), "3 inputs in 2"),
        (lambda: ReLUData.from_inputs([[np.nan, 1.0]], [1.0]), "x finite, found nan"),
        (lambda: ReLUData.from_inputs(np.eye(2), np.ones(3)), "x of shape"),
        (
            lambda: small_neurons(
                jax.random.key(0), 0, ReLUData.orthogonal(Y), log_scale=-1.0
            ),
            "width >= 1",
        ),
        (
            lambda: small_neurons(
                jax.random.key(0), 2, ReLUData.orthogonal(Y), log_scale=0.0
            ),
            "not a small initialization",
        ),
        (
            lambda: small_neurons(
                jax.random.key(0), 2, ReLUData.orthogonal(Y), -1.0, dim=3
            ),
            "dim >= n = 4",
        ),
        (
            lambda: small_neurons(
                jax.random.key(0), 2, ReLUData.orthogonal(Y), -1.0, start="large"
            ),
            "found 'large'",
        ),
        (
            lambda: from_weights(ReLUData.orthogonal(Y), [1.0, 0.0], np.ones((2, 4))),
            "neuron 1 has zero output weight",
        ),
        (
            lambda: from_weights(ReLUData.orthogonal(Y), [], np.ones((0, 4))),
            "at least one neuron",
        ),
        (
            lambda: from_weights(ReLUData.orthogonal(Y), [1.0], np.ones((2, 4))),
            r"activation of shape \(1, 4\)",
        ),
    ],
)
def test_hostile_inputs(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_inputs_that_are_not_orthogonal():
    x = np.eye(4)
    x[2] = 2 * x[0]
    for inputs, cosine in ((x, "1"), (x + 0.1 * np.eye(4)[[1, 2, 3, 0]], "0.994")):
        data = ReLUData.from_inputs(inputs, Y)
        neurons = LogNeurons(-jnp.ones(2), np.eye(2, 4) / 2, jnp.zeros(2), SIGN[:2])
        with pytest.raises(
            ValueError, match=f"inputs 0 and 2 have the cosine {cosine}"
        ):
            jump_process(data, neurons)
    # Orthogonal ones are seen to be.
    assert ReLUData.from_inputs(np.eye(4)[::-1], Y).gram.shape == (4,)


def test_neither_balanced_nor_dominated():
    data = ReLUData.orthogonal(Y)
    neurons = from_weights(data, [1.0, -1.0], np.ones((2, 4)), log_scale=-50.0)
    with pytest.raises(ValueError, match=r"neuron 0 has \|w\| / \|a\| = 2"):
        jump_process(data, neurons)


@pytest.mark.slow
def test_starts_have_their_laws():
    data = ReLUData.orthogonal(Y, np.array([1.0, 2.0, 1.0, 0.5]))

    def draw(key, start):
        drawn = small_neurons(key, 4000, data, -700.0, dim=7, start=start)
        return drawn, drawn.squared_ratio(data)

    both = jax.jit(lambda key: [draw(key, s) for s in ("balanced", "dominated")])
    (balanced, share), (dominated, less) = both(jax.random.key(3))
    np.testing.assert_allclose(share, 1, rtol=1e-12)
    assert (np.asarray(less) < 1).all()
    for drawn, shares in ((balanced, share), (dominated, less)):
        # Fair coins, and |w|^2 / lambda^2 chi-squared with 7 degrees of freedom, within
        # four standard errors.
        assert abs(np.mean(drawn.sign)) < 4 / 4000**0.5
        assert abs(np.mean(drawn.active) - 0.5) < 2 / 16000**0.5
        squares = np.asarray(shares) * np.exp(2 * (np.asarray(drawn.level) + 700))
        assert abs(squares.mean() - 7) < 4 * (14 / 4000) ** 0.5
