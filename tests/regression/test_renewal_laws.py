"""Laws of the time between resets: filters, ages, draws, refusals."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from wflow.flows import Exponential
from wflow.regression import (
    Custom,
    Deterministic,
    Gamma,
    HyperExponential,
    InverseGaussian,
    KnownResets,
    LogNormal,
    Lomax,
    Uniform,
    Weibull,
)


TAU = 2.0
LAWS = {
    "exponential": Exponential(1 / TAU),
    "gamma2": Gamma(TAU, 2.0),
    "gamma_half": Gamma(TAU, 0.5),
    "deterministic": Deterministic(TAU),
    "uniform": Uniform(0.0, 4.0),
    "inverse_gaussian": InverseGaussian(TAU, 3.0),
    "hyper": HyperExponential([0.9, 0.1], [0.9, 0.1]),
    "log_normal": LogNormal(TAU, 0.8),
    "weibull1.5": Weibull(TAU, 1.5),
    "weibull0.7": Weibull(TAU, 0.7),
    "lomax": Lomax(TAU, 3.0),
    "uniform_apart": Uniform(1.0, 3.0),
    "custom": Custom(lambda a: (1 + a) * jnp.exp(-a)),
    "density": Custom.from_density(lambda a: a * jnp.exp(-a)),
}
NAMES = list(LAWS)


@eqx.filter_jit
def transforms(laws, s):
    """Of every law: filter, transform of the age, that of the time."""
    return jnp.stack(
        [jnp.stack([law.filter(s), law.age_laplace(s), law.laplace(s)]) for law in laws]
    )


@eqx.filter_jit
def described(laws, ages):
    """Of every law: its survival, and its moments before and after a stretch to 3."""

    def numbers(law):
        stretched = law.with_mean(3.0)
        return jnp.stack(
            [
                *(law.mean, law.second_moment, law.cv2, law.mean_age),
                *(law.filter_ratio(0.0), stretched.mean, stretched.cv2),
            ]
        )

    return [(law.survival(ages), numbers(law)) for law in laws]


ARGUMENTS = jnp.array([0.0, 1e-7, 1e-3, 0.1, 1.3, 20.0, 1e8])
AGES = np.exp(np.linspace(-40, 60, 100_001))
# One of each class.
KINDS = [
    LAWS[name]
    for name in NAMES
    if name not in ("gamma_half", "uniform", "weibull0.7", "density")
]


@pytest.fixture(scope="module")
def table():
    """The transforms of every law by name."""
    values = np.asarray(transforms(list(LAWS.values()), ARGUMENTS))
    return dict(zip(NAMES, values, strict=True))


@pytest.fixture(scope="module")
def moments():
    """The survival at many ages and the moments of every law by name."""
    found = jax.tree.map(np.asarray, described(list(LAWS.values()), jnp.asarray(AGES)))
    return dict(zip(NAMES, found, strict=True))


@pytest.mark.parametrize(
    ("name", "expected", "tol"),
    [
        ("exponential", 0.7222222222, 1e-9),
        ("gamma2", 0.6880907372, 1e-9),
        ("gamma_half", 0.7698498709, 1e-9),
        ("deterministic", 0.6439513762, 1e-9),
        ("uniform", 0.6889410825, 1e-9),
        ("inverse_gaussian", 0.6877747724, 1e-9),
        ("hyper", 0.7597402597, 1e-9),
        ("log_normal", 0.6955151840, 1e-8),
        ("weibull1.5", 0.6889442523, 1e-8),
        ("weibull0.7", 0.7627159967, 1e-8),
        # Closed forms of two more: a generalized exponential integral, and the law of
        # the user that is Gamma(2) in other words.
        ("lomax", 1 - 2 * np.exp(5.2) * scipy.special.expn(3, 5.2), 1e-9),
        ("custom", 0.6880907372, 1e-8),
        ("density", 0.6880907372, 1e-8),
    ],
)
def test_filters(table, name, expected, tol):
    assert abs(table[name][0, 4] - expected) < tol


@pytest.mark.parametrize("name", NAMES)
def test_transforms_agree(table, moments, name):
    # Trapezoids of the survival in the logarithm of the age; where it has a kink they
    # are of order one, or two, in their step of 1e-3.
    survival, (mean, second, cv2, mean_age, slope, stretched_mean, stretched_cv2) = (
        moments[name]
    )
    weights = 1e-3 * AGES * survival
    kinked = {"deterministic": 2e-3, "uniform": 1e-6, "uniform_apart": 1e-6}
    tol = kinked.get(name, 1e-8)
    assert abs(weights.sum() / mean - 1) < tol
    assert abs(2 * weights @ AGES / second - 1) < tol
    s = np.asarray(ARGUMENTS)
    h, age, time = table[name]
    np.testing.assert_allclose(h + age, 1, rtol=1e-14)
    np.testing.assert_allclose(time, 1 - s * mean * age, atol=1e-9)
    by_sum = [-weights @ np.expm1(-one * AGES) / mean for one in s[:-1]]
    np.testing.assert_allclose(h[:-1], by_sum, rtol=tol)
    np.testing.assert_allclose(slope, mean_age)
    np.testing.assert_allclose(stretched_mean, 3.0, rtol=1e-12)
    np.testing.assert_allclose(stretched_cv2, cv2, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_filters_at_both_ends(table, moments, name):
    # Of steep directions the law is forgotten but for its mean (Weibull's survival
    # leaves one as a^0.7, Gamma's as a^0.5); of flat ones the mean age remains.
    (h, age, _), (mean, _, _, mean_age, *_) = table[name], moments[name][1]
    rough = {"gamma_half": 1e-4, "weibull0.7": 1e-5}
    assert abs(1e8 * age[-1] * mean - 1) < rough.get(name, 1e-6)
    # Lomax with alpha = 3 has no third moment.
    assert abs(h[1] / 1e-7 / mean_age - 1) < (1e-5 if name == "lomax" else 1e-6)
    assert h[0] == 0


@pytest.mark.slow
def test_filters_are_ordered():
    laws = [
        Deterministic(1.0),
        Gamma(1.0, 2.0),
        Exponential(1.0),
        HyperExponential([0.9, 0.1], [1.8, 0.2]),
    ]
    values = jnp.stack([law.filter(jnp.array([0.1, 1.0, 10.0])) for law in laws])
    expected = [
        [0.048374, 0.367879, 0.900005],
        [0.070295, 0.444444, 0.902778],
        [0.090909, 0.5, 0.909091],
        [0.192982, 0.595238, 0.913925],
    ]
    np.testing.assert_allclose(values, expected, atol=1e-6)
    assert jnp.all(jnp.diff(values, axis=0) > 0)


@pytest.mark.slow
def test_heavy_tails():
    # No second moment: a legal law, whose filter is not linear at zero.
    law = Lomax(1.0, 1.5)
    assert law.mean_age == jnp.inf
    assert law.cv2 == jnp.inf
    h = law.filter(jnp.array([1e-8, 1e-6]))
    # h ~ mu^{1/2}: from the tail a^{-3/2} of the survival.
    np.testing.assert_allclose(h[1] / h[0], 10, rtol=1e-2)
    slow = Custom(lambda a: (1 + a) ** -1.5)
    np.testing.assert_allclose(slow.mean, 2.0, rtol=1e-7)
    assert slow.second_moment == jnp.inf


@eqx.filter_jit
def draws(laws, key):
    """Of every law: z-scores of T and of e^{-age}, and the levels of quantiles."""

    def scores(law, key):
        n = 20_000
        keys = jax.random.split(key)
        times, ages = law.sample(keys[0], (n,)), law.sample_age(keys[1], (n,))
        parts = (times, law.mean), (jnp.exp(-ages), law.age_laplace(1.0))
        return [(jnp.mean(x) - m) / (jnp.std(x) / n**0.5 + 1e-12) for x, m in parts]

    keys = jax.random.split(key, len(laws))
    return [
        (scores(law, k), 1 - law.survival(law.quantile(jnp.asarray(LEVELS))))
        for law, k in zip(laws, keys, strict=True)
    ]


LEVELS = np.array([0.01, 0.5, 0.99])


@pytest.mark.slow
def test_draws():
    found = draws(KINDS, jax.random.key(1))
    for law, (scores, levels) in zip(KINDS, found, strict=True):
        assert np.max(np.abs(np.asarray(scores))) < 4
        if not isinstance(law, Deterministic):
            np.testing.assert_allclose(levels, LEVELS, rtol=1e-9)


@pytest.mark.parametrize("name", ["gamma2", "density"])
def test_age_density(name):
    ages = np.array([0.5, 3.0])
    both = eqx.filter_jit(lambda law, a: (law.age_density(a), law.density(a)))
    age, time = both(LAWS[name], jnp.asarray(ages))
    np.testing.assert_allclose(age, (1 + ages) * np.exp(-ages) / 2, rtol=1e-7)
    np.testing.assert_allclose(time, ages * np.exp(-ages), rtol=1e-5)


@eqx.filter_jit
def clocks(law, key, ends, n):
    """The last resets of n clocks in each interval."""
    return law.last_resets(key, ends, (n,))


@pytest.mark.slow
def test_clocks():
    # Of an ordinary renewal process with Erlang times: P(no reset in (s, t]) =
    # S(t) + int_0^s u(r) S(t - r) dr with u(r) = (1 - e^{-2r})/2.
    n, ends = 20_000, np.array([0.0, 1.2, 3.0, 3.5])
    last = np.asarray(clocks(LAWS["gamma2"], jax.random.key(0), jnp.asarray(ends), n))
    assert last.shape == (3, n)
    rang = last > -np.inf
    assert np.all(~rang | ((last > ends[:-1, None]) & (last <= ends[1:, None])))
    survival = lambda a: (1 + a) * np.exp(-a)
    for k in range(3):
        s, t = ends[k], ends[k + 1]
        r = np.linspace(0, s, 2001)
        inner = (1 - np.exp(-2 * r)) / 2 * survival(t - r)
        none = survival(t) + np.trapezoid(inner, r)
        assert abs(np.mean(~rang[k]) - none) < 4 * (none * (1 - none) / n) ** 0.5
    # A clock that rang remembers when: two intervals at once.
    both = np.mean(rang[1] & ~rang[0])
    alone = np.mean(rang[1]) * np.mean(~rang[0])
    assert both > alone + 4 * 0.5 / n**0.5
    # Without memory the generic draws and the shortcut have one law.
    poisson = Exponential(0.8)
    shortcut = clocks(poisson, jax.random.key(1), jnp.asarray(ends), n)
    generic = clocks(Gamma(1.25, 1.0), jax.random.key(2), jnp.asarray(ends), n)
    for one in (shortcut, generic):
        share = np.mean(np.asarray(one) > -np.inf, axis=1)
        expected = -np.expm1(-0.8 * np.diff(ends))
        assert np.max(np.abs(share - expected)) < 4 * 0.5 / n**0.5
    # Reset at a saved time: it belongs to the interval that ends there.
    known = KnownResets([[0.5, 1.2, 3.2], [2.0, 2.5, jnp.inf]])
    np.testing.assert_array_equal(
        known.last_resets(jax.random.key(0), jnp.asarray(ends), (2,)),
        [[1.2, -np.inf], [-np.inf, 2.5], [3.2, -np.inf]],
    )
    with pytest.raises(ValueError, match="a row for every clock, found"):
        known.last_resets(jax.random.key(0), jnp.asarray(ends), (3,))


@eqx.filter_jit
@eqx.filter_value_and_grad
def total(laws):
    s = jnp.array([1e-4, 0.7, 30.0])
    return sum(jnp.sum(law.filter(s)) for law in laws)


@pytest.mark.slow
def test_gradients():
    # In every parameter of every law; central differences to 1e-9. All numbers come
    # from numpy: JAX compiles anew for those of weak type.
    laws = jax.tree.map(
        lambda leaf: jnp.asarray(np.asarray(leaf)) if eqx.is_array(leaf) else leaf,
        KINDS,
    )
    gradient = jax.tree.map(np.asarray, jax.tree.leaves(total(laws)[1]))
    leaves, structure = jax.tree.flatten(eqx.filter(laws, eqx.is_array))
    static = eqx.filter(laws, eqx.is_array, inverse=True)
    for k, leaf in enumerate(leaves):
        for index in np.ndindex(leaf.shape):
            pair = []
            for step in (1e-5, -1e-5):
                shifted = np.array(leaf)
                shifted[index] += step
                moved = [*leaves[:k], jnp.asarray(shifted), *leaves[k + 1 :]]
                moved = eqx.combine(jax.tree.unflatten(structure, moved), static)
                pair.append(float(total(moved)[0]))
            difference = (pair[0] - pair[1]) / 2e-5
            np.testing.assert_allclose(gradient[k][index], difference, rtol=1e-5)
    # A quantile is differentiated as an inverse.
    hyper = LAWS["hyper"]
    quantile, slope = jax.jit(
        jax.value_and_grad(lambda tau: hyper.with_mean(tau).quantile(0.3))
    )(TAU)
    np.testing.assert_allclose(slope, quantile / TAU, rtol=1e-8)


@pytest.mark.slow
def test_vmap_and_float32(table):
    means = jnp.array([0.5, 2.0])
    swept = jax.jit(jax.vmap(lambda tau: Weibull(tau, 1.5).filter(1.3)))(means)
    np.testing.assert_allclose(swept[1], table["weibull1.5"][0, 4], rtol=1e-12)

    def narrow(leaf):
        return leaf.astype(jnp.float32) if eqx.is_inexact_array(leaf) else leaf

    names = [name for name in NAMES if not name.endswith(("_half", "0.7", "form"))]
    laws = [jax.tree.map(narrow, LAWS[name]) for name in names]
    values = transforms(laws, ARGUMENTS.astype(jnp.float32))
    assert values.dtype == jnp.float32
    # Relative precision of the filter, down to its zero.
    wide = np.stack([table[name][0] for name in names])
    np.testing.assert_allclose(values[:, 0], wide, rtol=2e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Exponential(0.0), "expected rate > 0"),
        (lambda: Gamma(jnp.inf, 1.0), "Gamma: expected mean > 0 and finite, found inf"),
        (lambda: Gamma(1.0, -1.0), "expected shape > 0"),
        (lambda: Deterministic(0.0), "expected mean > 0"),
        (lambda: Weibull(jnp.nan, 1.0), "expected mean > 0"),
        (lambda: LogNormal(1.0, 0.0), "expected sigma > 0"),
        (lambda: InverseGaussian(1.0, 0.0), "expected shape > 0"),
        (lambda: Lomax(1.0, 1.0), "Lomax: expected alpha > 1 .*mean.*infinite"),
        (lambda: Uniform(2.0, 1.0), "0 <= low < high, found low = 2"),
        (lambda: Uniform(-1.0, 1.0), "0 <= low < high, found low = -1"),
        (lambda: HyperExponential([0.5, 0.4], [1.0, 2.0]), "sum to 1, found"),
        (lambda: HyperExponential([1.5, -0.5], [1.0, 2.0]), "weights >= 0"),
        (lambda: HyperExponential([0.5, 0.5], [1.0, 0.0]), "expected rates > 0"),
        (lambda: HyperExponential([1.0], [1.0, 2.0]), "of one shape"),
        (lambda: Custom(lambda a: 0.9 * jnp.exp(-a)), "an atom at zero is refused"),
        (lambda: Custom(lambda a: 1 / (1 + a)), "expected a finite mean time"),
        (lambda: Custom(lambda a: jnp.where(a < 1, 1.0, 0.0)), "smooth in log a"),
        (lambda: Custom(lambda a: jnp.exp(-a) * (1 + 2 * a**2)), "never rises"),
        (lambda: Custom(lambda a: a * jnp.nan), "finite and elementwise"),
        (lambda: Custom.from_density(lambda a: 2 * jnp.exp(-a)), "integrates to 1"),
    ],
)
def test_refusals(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_an_atom_has_no_density():
    with pytest.raises(TypeError, match="atom"):
        LAWS["deterministic"].density(1.0)
