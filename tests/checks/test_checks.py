"""Checks pass what is right and refuse the rest in a sentence that names it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse

from wflow import checks
from wflow.parameters import Learnable


REFUSED = {
    "positive": [0.0, -1.0, np.nan, np.inf, [1.0, -2.0]],
    "non_negative": [-1e-9, np.nan, np.inf],
    "finite": [np.nan, -np.inf, [[0.0, np.nan]]],
    "weights": [[0.0, 0.0], [1.0, -1.0], [np.nan, 1.0]],
    "increasing": [[0.0, 0.0], [1.0, 0.0], [0.0, np.nan]],
    "count": [0, -3, 2.5, True, "3", None, np.ones(2)],
    "covariance": [
        [[1.0, 0.0], [0.5, 1.0]],
        [[1e-8, 0.0], [0.9e-8, 1e-8]],
        [[1.0, 2.0], [2.0, 1.0]],
        [[0.0, 0.0], [0.0, 1.0]],
        [[np.nan]],
    ],
}
TAKEN = {
    "positive": [1.0, 3, [1e-300, 5.0], Learnable(2.0)],
    "non_negative": [0.0, [0, 1]],
    "finite": [0.0, [-1.0, 1e308]],
    "weights": [[0.0, 1.0], 3.0],
    "increasing": [[0.0, 1.0, 1.5], [2.0]],
    "count": [1, np.int64(7)],
    "covariance": [np.eye(2), 1e-30 * np.eye(2), np.eye(2)[None]],
}


@pytest.mark.parametrize("check", REFUSED)
def test_refused_in_a_sentence_that_names_owner_and_argument(check):
    for value in [*REFUSED[check], "text", None]:
        with pytest.raises(
            (ValueError, TypeError), match=r"^Ball: expected radius .*found"
        ) as refused:
            getattr(checks, check)("Ball", "radius", value)
        assert len(str(refused.value)) < 300


@pytest.mark.parametrize("check", TAKEN)
def test_taken(check):
    for value in TAKEN[check]:
        getattr(checks, check)("Ball", "radius", value)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16])
def test_short_floats_are_looked_at(dtype):
    checks.positive("Ball", "radius", jnp.asarray(2.0, dtype))
    with pytest.raises(ValueError, match="radius"):
        checks.positive("Ball", "radius", jnp.asarray(-2.0, dtype))


def test_traced_values_pass_and_differentiated_ones_are_looked_at():
    def checked(x):
        checks.positive("Ball", "radius", x)
        return x**2

    assert jax.jit(checked)(-1.0) == 1.0
    assert jax.grad(checked)(1.0) == 2.0
    with pytest.raises(ValueError, match="radius"):
        jax.grad(checked)(-1.0)


def test_within():
    checks.within("Ball", "share", [0.0, 1.0], 0, 1)
    checks.within("Ball", "share", 0.0, 0, 1, closed="low")
    for closed in ("high", "neither"):
        with pytest.raises(ValueError, match=r"share in \(0, 1"):
            checks.within("Ball", "share", 0.0, 0, 1, closed=closed)
    with pytest.raises(ValueError, match="share"):
        checks.within("Ball", "share", np.nan, 0, 1)


def test_shapes():
    checks.shape("Ball", "centers", np.zeros((3, 2)), ("n", 2))
    checks.shape("Ball", "cov", np.zeros((3, 3)), ("d", "d"))
    checks.shape("Ball", "radius", 1.0, ())
    for value, expected in [
        (np.zeros(3), ("n", 2)),
        (np.zeros((3, 2)), ("d", "d")),
        (np.zeros(1), ()),
        (Learnable([1.0, 2.0]), ()),
    ]:
        with pytest.raises(ValueError, match="Ball: expected centers"):
            checks.shape("Ball", "centers", value, expected)


def test_parts():
    checks.one_of("ball", "form", "blob", ("blob", "plug_in"))
    checks.instance("ball", "module", Learnable(1.0), Learnable, "a number to learn")
    checks.function("ball", "f", jnp.sin, "x")
    with pytest.raises(ValueError, match="form 'blob' or 'plug_in', found 'bulb'"):
        checks.one_of("ball", "form", "bulb", ("blob", "plug_in"))
    with pytest.raises(ValueError, match="form"):
        checks.one_of("ball", "form", np.zeros(3), ("blob", "plug_in"))
    with pytest.raises(TypeError, match=r"found the class Learnable; call it"):
        checks.instance("ball", "module", Learnable, Learnable, "a number to learn")
    with pytest.raises(TypeError, match="f to be a function of x, found 1.5"):
        checks.function("ball", "f", 1.5, "x")


@pytest.mark.parametrize(
    "value",
    [
        "text",
        None,
        {0: 1.0},
        [[1.0], [1.0, 2.0]],
        np.array([{}], object),
        scipy.sparse.eye(3),
        1j,
        jnp.ones(2) + 1j,
        np.ma.masked_array([1.0, 2.0], [False, True]),
        [jnp.ones(2), jnp.ones(3)],
        ["a", 1.0],
        np.array(["2024-01-01"], "datetime64[D]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_real_numbers(value):
    with pytest.raises((TypeError, ValueError), match=r"expected radius .*found"):
        checks.to_real(value, "radius")


def test_real_numbers_keep_their_precision():
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64):
        assert checks.to_real(jnp.ones(2, dtype), "radius").dtype == dtype
    assert checks.to_real([1, 2], "radius").dtype == jnp.float64
    assert checks.to_real(np.array([1.0, 2.0], object), "radius").dtype == jnp.float64
    assert checks.to_real([jnp.ones(2), jnp.zeros(2)], "radius").shape == (2, 2)


def test_casts_touch_real_floats_alone():
    tree = (jnp.ones(1), jnp.ones(1) * 1j, jnp.ones(1, int), "text", jax.random.key(0))
    found = checks.cast(tree, jnp.float32)
    assert found[0].dtype == jnp.float32
    assert found[1].dtype == tree[1].dtype
    assert found[2].dtype == tree[2].dtype


def test_requirements_at_once_and_when_the_program_runs():
    assert checks.require(1.0, True, "ball: right.") == 1.0
    with pytest.raises(ValueError, match=r"^ball: wrong\.$"):
        checks.require(1.0, False, "ball: wrong.")

    @eqx.filter_jit
    def program(x):
        return checks.require(x, x > 0, "ball: expected x > 0.")

    assert program(jnp.asarray(1.0)) == 1.0
    refused = pytest.raises(ValueError, match=r"^ball: expected x > 0\.$")
    with refused, checks.plain_errors():
        program(jnp.asarray(-1.0))
    with pytest.raises(RuntimeError, match="other"), checks.plain_errors():
        raise RuntimeError("other")


def test_what_a_function_returned():
    assert checks.one_number("ball", "f", 2.0).shape == ()
    assert jax.jit(lambda x: checks.one_number("ball", "f", x))(1) == 1
    for value in [np.ones(1), jnp.ones(2), 1j, None, "text"]:
        with pytest.raises(
            (ValueError, TypeError), match="ball: expected f to return one real number"
        ):
            checks.one_number("ball", "f", value)


def test_short_floats_become_single_ones():
    for dtype in (jnp.bfloat16, jnp.float16, jnp.float32):
        assert checks.at_least_single(jnp.ones(2, dtype)).dtype == jnp.float32
    assert checks.at_least_single(jnp.ones(2, jnp.float64)).dtype == jnp.float64


def test_semidefinite():
    checks.covariance("ball", "cov", np.diag([1.0, 0.0]), singular=True)
    checks.covariance("ball", "cov", np.ones((2, 2)), singular=True)
    for wrong in ([[1.0, 2.0], [2.0, 1.0]], [[0.0, 1.0], [1.0, 1.0]], [[-1.0]]):
        with pytest.raises(ValueError, match="positive semidefinite"):
            checks.covariance("ball", "cov", wrong, singular=True)
