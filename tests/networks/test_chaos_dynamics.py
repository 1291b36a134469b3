"""Propagation of chaos: identities along the flow, finite samples, finite steps."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.flows import GradientFlow
from wflow.geometries import Wasserstein
from wflow.measures import Gaussian, Particles
from wflow.networks import NetworkRisk
from wflow.networks.chaos import (
    Neuron,
    QuadraticRisk,
    SampledRisk,
    SingleIndexRisk,
    Student,
    study_widths,
)
from wflow.networks.chaos.conditions import decay_exponent, verdict
from wflow.networks.chaos.finite import descend, sample_gaps, step_gaps
from wflow.networks.chaos.kernel_risks import ErfRisk
from wflow.networks.chaos.linearized import clt_bias, sampling_variance
from wflow.networks.chaos.risks import Correlation, DiagonalRisk, FrozenRisk
from wflow.networks.chaos.sampled import alignment
from wflow.networks.chaos.student import UniformSphere
from wflow.networks.chaos.tangent import frozen_kernel_loss, stable_step, tangent_kernel
from wflow.networks.chaos.widths import follow


D = 4
FULL = QuadraticRisk(jnp.diag(jnp.array([0.5, 0.4, 0.3, 0.2])))
ONE = QuadraticRisk(jnp.zeros((D, D)).at[0, 0].set(1))
START = Gaussian(jnp.zeros(D), jnp.eye(D) / D)
STUDENT = Student(FULL, START)
TIMES = np.linspace(0, 6, 31)
RNG = np.random.default_rng(0)


def inner(b, c):
    return 2 * jnp.sum(b * c) + jnp.trace(b) * jnp.trace(c)


@pytest.mark.slow
def test_neurons_and_moments_agree_for_long():
    """d = 4, m = 16, T = 100 at rtol 1e-8: less than 1e-6 apart (3.1)."""
    import diffrax

    tight = dict(
        stepsize_controller=diffrax.PIDController(rtol=1e-8, atol=1e-10),
        max_steps=2**16,
    )
    student, times = Student(ONE, START), np.linspace(0, 100, 11)
    neurons = Particles.from_samples(START.sample(jax.random.key(0), 16))
    one = follow(student, neurons, times, **tight).measures
    two = follow(student, ONE.closure(neurons), times, **tight).measures
    moment = jnp.einsum("tmi,tmj->tij", one.x, one.x) / 16
    assert float(jnp.max(jnp.abs(moment - two.cov))) < 1e-6


@pytest.mark.slow
def test_balance_of_fluctuations():
    """The exact identity of <Delta, dDelta/dt>, and K >= 0 (3.2), to rounding."""
    a, b = (jnp.asarray(RNG.normal(size=(2, 7, D))) for _ in range(2))
    m, limit = (w[0].T @ w[0] / 7 for w in (a, b))
    rate = lambda moment: -tangent_kernel(moment, moment - FULL.teacher)
    gap, moved = m - limit, rate(m) - rate(limit)
    kernels = tangent_kernel(m, limit - FULL.teacher) + rate(limit)
    total = inner(gap, moved) + inner(gap, tangent_kernel(m, gap)) + inner(gap, kernels)
    assert abs(float(total)) < 1e-12 * float(inner(gap, gap)) * 100
    assert float(inner(gap, tangent_kernel(m, gap))) >= 0
    # The rate is the library's velocity of the same moments.
    flow = GradientFlow(FULL, Wasserstein())
    _, dm = flow.velocity(Gaussian(jnp.zeros(D), m))
    np.testing.assert_allclose(dm, rate(m), atol=1e-10)


@pytest.mark.slow
def test_losses_fall_and_bound_the_gap():
    """Losses never rise (3.14); |Delta_t| <= 2 sqrt(L_T) + |Delta_T|, t >= T."""
    net = STUDENT.network(jax.random.key(0), 16)
    net, limit = (follow(STUDENT, s, TIMES).measures.cov for s in (net, START))
    square = jax.vmap(lambda b: inner(b, b))
    losses = [np.asarray(square(m - FULL.teacher)) for m in (net, limit)]
    for loss in losses:
        assert (np.diff(loss) <= 1e-9).all()
    gap = np.sqrt(np.asarray(square(net - limit)))
    worst = np.sqrt(np.maximum(*losses))
    for k in range(len(TIMES)):
        assert (gap[k:] <= 2 * worst[k] + gap[k] + 1e-9).all()
    # Interpolation: fluctuations die, as the central limit theorem in time says (3.4).
    assert gap[-1] < 1e-2 * gap[0]


@pytest.mark.slow
def test_fluctuations_are_one_over_m():
    """Slope -.99 +- .1, the supremum at t = 0, m e(1) in .02 to .04 (3.4)."""
    times = (0.0, 0.25, 0.5, 1.0, 2.0)
    report = study_widths(
        STUDENT, (16, 64, 256, 1024), 200, times, limit=START, key=jax.random.key(0)
    )
    assert abs(report.slope + 0.99) < 0.1
    assert (report.mean.argmax(axis=1) == 0).all()
    # A standard error at each end.
    scaled = report.widths[-1] * report.mean[-1, 3]
    assert 0.018 < scaled < 0.044
    assert not report.flattens


@pytest.mark.slow
def test_bias_is_one_over_m():
    """m E Delta_t by the second derivative and by 4000 seeds (3.6), within noise."""
    d, m, seeds = 8, 32, 4000
    start = Gaussian(jnp.zeros(d), 1e-2 * jnp.eye(d) / d)
    student = Student(QuadraticRisk(jnp.zeros((d, d)).at[0, 0].set(1)), start)
    times = (0.0, 0.6)
    exact = np.asarray(clt_bias(student, times))[-1]
    limit = follow(student, start, times).measures.cov[-1]

    @jax.jit
    def gap(keys):
        end = lambda k: follow(student, student.network(k, m), times).measures.cov[-1]
        return m * (jax.vmap(end)(keys) - limit)

    found = np.asarray(gap(jax.random.split(jax.random.key(0), seeds)))
    noise = found.std(axis=0)[0, 0] / seeds**0.5
    # The next order in 1/m is some 1/m of it.
    assert abs(found.mean(axis=0)[0, 0] - exact[0, 0]) < 4 * noise + 0.1 * abs(
        exact[0, 0]
    )
    assert abs(exact[0, 0]) > 8 * noise


@pytest.mark.slow
def test_too_few_neurons_leave_a_floor():
    """rank M^m <= m for ever; the loss stops above 0, and is called so (3.7)."""
    times = np.concatenate([[0], np.geomspace(0.1, 300, 40)])
    net = STUDENT.network(jax.random.key(1), 2)
    moved = follow(STUDENT, net, times).measures
    last = np.asarray(moved.x[-1])
    assert np.linalg.matrix_rank(last.T @ last, tol=1e-8) == 2
    loss = np.asarray(jax.vmap(FULL.loss)(moved))
    assert loss[-1] > 1e-2
    assert verdict(-1.0, 0.1, decay_exponent(times, loss)) == "loss floor"


@pytest.mark.slow
def test_steps_of_descent():
    """Distances to the flow halve with the step (3.8): first order."""
    grid = np.linspace(0, 6, 31)
    errors = [
        np.sqrt(np.asarray(step_gaps(STUDENT, 32, h, grid, jax.random.key(0), 2)))
        for h in (0.02, 0.01)
    ]
    ratio = errors[0].max(axis=1) / errors[1].max(axis=1)
    # Second order in the step: some h of it.
    np.testing.assert_allclose(ratio, 2, rtol=0.05)


@pytest.mark.slow
def test_stability_of_descent():
    """eta < 2 / lambda_max keeps to the teacher, above it leaves, with a warning."""
    bound = float(stable_step(FULL))
    near = Particles.from_samples(jnp.sqrt(D * FULL.teacher) * (1 + 1e-4))
    ends = {}
    for factor in (0.95, 1.05):
        step = factor * bound
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            moved = descend(STUDENT, near, step * np.array([0.0, 100]), step)
        assert (len(seen) > 0) == (factor > 1)
        ends[factor] = float(FULL.loss(jax.tree.map(lambda leaf: leaf[-1], moved)))
    assert ends[0.95] < 1e-2 * float(FULL.loss(near)) < 1e-2 * ends[1.05]


@pytest.mark.slow
def test_samples_cost_one_over_n():
    """N E sup |f_N - f|^2 is .8 to 1.0 (3.9); the end far below the supremum."""
    times = np.linspace(0, 3, 31)
    for n in (200, 800):
        gaps = np.asarray(sample_gaps(STUDENT, n, times, jax.random.key(n), 100))
        sup = n * gaps.max(axis=1)
        error = sup.std() / len(sup) ** 0.5
        assert 0.8 - 3 * error < sup.mean() < 1.0 + 3 * error
        if n == 800:
            assert gaps.max(axis=1).mean() > 500 * gaps[:, -1].mean()


@pytest.mark.slow
def test_single_index_losses():
    """L_t at t = 0, 5, 10, 15, 30 of 512 neurons (3.12)."""
    risk = SingleIndexRisk(jnp.array([0, 0, 0.5, 0, 0.5]), jnp.eye(5)[0])
    student = Student(risk, UniformSphere(5))
    times = (0.0, 5.0, 10.0, 15.0, 30.0)
    net = student.network(jax.random.key(0), 512)
    moved = follow(student, net, times).measures
    np.testing.assert_allclose(jnp.linalg.norm(moved.x, axis=-1), 1, atol=1e-5)
    loss = jax.vmap(risk.loss)(moved)
    # Three standard deviations of a run of 512 neurons, from eight of them; the
    # published numbers are those of one run of 1024.
    error = np.abs(loss - np.array([0.86, 0.031, 0.010, 0.0042, 0.0010]))
    np.testing.assert_array_less(error, [0.06, 0.005, 0.002, 0.0016, 0.0007])


def test_flips_of_neurons():
    """w and -w are the same neuron of the even ones (3.15)."""
    w = RNG.normal(size=(5, D))
    flipped = w * np.array([1, -1, 1, -1, -1])[:, None]
    a, b = Particles.from_samples(w), Particles.from_samples(flipped)
    diagonal = DiagonalRisk(jnp.full(D, 0.25), jnp.ones(D))
    for risk in (FULL, diagonal):
        assert float(risk.loss(a)) == pytest.approx(float(risk.loss(b)), rel=1e-12)
        assert float(risk.gap(a, b)) < 1e-20
    frozen = FrozenRisk(jnp.eye(D), jnp.zeros(D))
    both = Particles.from_samples(np.concatenate([w, -w]))
    assert float(frozen.loss(both)) < 1e-20


@pytest.mark.slow
def test_rotations_change_nothing():
    """A change of basis of inputs, teacher and neurons leaves the loss (3.13)."""
    q = jnp.asarray(np.linalg.qr(RNG.normal(size=(D, D)))[0])
    w = jnp.asarray(RNG.normal(size=(5, D)))
    turned = QuadraticRisk(q @ FULL.teacher @ q.T)
    ends = [
        follow(Student(risk, START), risk.closure(Particles.from_samples(x)), TIMES)
        for risk, x in ((FULL, w), (turned, w @ q.T))
    ]
    one, two = (end.measures.cov[-1] for end in ends)
    np.testing.assert_allclose(q @ one @ q.T, two, atol=1e-6)


@pytest.mark.slow
def test_without_pairs_nothing_is_uniform():
    """Correlation alone: w' = 2 S(M*) w, gaps grow, and the verdict says so (3.16)."""
    flow = GradientFlow(Correlation(ONE.teacher), Wasserstein())
    w = jnp.asarray(RNG.normal(size=(5, D)))
    dx, _ = flow.velocity(Particles.from_samples(w))
    stretched = 2 * ONE.teacher + jnp.eye(D)
    np.testing.assert_allclose(dx, 2 * w @ stretched, atol=1e-10)
    start = Gaussian(jnp.zeros(D), 1e-3 * jnp.eye(D) / D)
    student = Student(ONE, start, Correlation(ONE.teacher))
    times = np.linspace(0, 1.5, 16)
    report = study_widths(
        student, (16, 64), 20, times, limit=start, key=jax.random.key(0)
    )
    assert (report.mean.argmax(axis=1) == len(times) - 1).all()
    assert report.amplification[-1] > 1e6
    decay = decay_exponent(report.times, report.loss, decades=0.3)
    assert report.verdict(decay) == "not uniform in time"


@pytest.mark.slow
def test_frozen_kernel_and_fresh_draws():
    """e^{-T t} by its derivative; variance of draws is that of the start (3.3)."""
    times = jnp.array([0.0, 1e-4])
    loss = np.asarray(frozen_kernel_loss(FULL, START.cov, times))
    error = START.cov - FULL.teacher
    slope = -2 * float(inner(error, tangent_kernel(START.cov, error)))
    assert (loss[1] - loss[0]) / 1e-4 == pytest.approx(slope, rel=1e-3)
    assert float(sampling_variance(START.cov)) == pytest.approx(3, rel=1e-8)


@pytest.mark.slow
def test_erf_risk_is_the_population_s():
    """Against 2e5 inputs, five standard errors; the gap is the same on both."""
    w = jnp.asarray(RNG.normal(size=(4, 3)))
    mu, teacher = Particles.from_samples(w[:2]), Particles.from_samples(w[2:])
    inputs = jax.random.normal(jax.random.key(0), (200_000, 2))
    neuron = Neuron("erf")
    output = lambda p: p.integrate(lambda v: jax.vmap(lambda x: neuron(v, x))(inputs))
    squares = np.asarray((output(mu) - output(teacher)) ** 2)
    found = float(ErfRisk(teacher).loss(mu))
    assert abs(found - squares.mean()) < 5 * squares.std() / len(squares) ** 0.5
    assert float(ErfRisk(teacher).loss(teacher)) == pytest.approx(0, abs=1e-12)
    assert float(alignment(teacher, teacher)) == pytest.approx(1, abs=1e-12)
    one = Particles.from_samples(jnp.array([[1.0, 1.0, 0.0]]))
    other = Particles.from_samples(jnp.array([[2.0, 0.0, -3.0]]))
    assert float(alignment(one, other)) == pytest.approx(0, abs=1e-12)


def test_hostile_students():
    risk = SampledRisk(NetworkRisk(Neuron("relu"), jnp.ones((2, 2)), jnp.ones(2)))
    start = Gaussian(jnp.zeros(3), jnp.eye(3))
    with pytest.warns(UserWarning, match="relu neurons are not smooth"):
        Student(risk, start)
    with pytest.raises(TypeError, match="QuadraticRisk and a Gaussian"):
        sample_gaps(Student(ONE, UniformSphere(D)), 5, TIMES, jax.random.key(0), 2)
    with pytest.raises(ValueError, match="samples >= 1"):
        sample_gaps(STUDENT, 0, TIMES, jax.random.key(0), 2)


@pytest.mark.slow
def test_a_wrong_limit_flattens_the_slope():
    frozen = FrozenRisk(jnp.eye(2), jnp.zeros(2))
    student = Student(frozen, Gaussian(jnp.zeros(2), jnp.eye(2)))
    far = Gaussian(jnp.full(2, 0.1), jnp.eye(2))
    with pytest.warns(UserWarning, match="falls far less"):
        study_widths(
            student, (4, 64, 4096), 50, (0.0, 0.1), limit=far, key=jax.random.key(0)
        )
