"""Entropic potentials: OTT's iterations, and annealed ones where they do not serve."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.nn import logsumexp
from jaxtyping import Array, Bool, Float, Int


# The spread of the cost, in units of epsilon, up to which over-relaxation needs no
# annealing: 10 to 30 iterations on training clouds. Beyond it may diverge.
_WIDE = 400.0
# An error of the marginals from which iterations go on without annealing.
_NEAR = 0.1
# Epsilon is halved once the marginals are so near: with larger errors, mass that has to
# move from one cluster to another is left behind, and takes thousands of iterations.
_LEVEL, _DECAY = 5e-3, 0.5
# Iterations that a rate of convergence is measured over, and the slowest believed.
_BLOCK, _SLOWEST = 5, 1 - 3e-4
# Potentials whose rounding changes the plan by more do not tell its marginals.
_COARSE = 0.05
# Over-relaxation is kept while the dual rises by this share of what it should.
_SHARE, _LESS = 0.5, 0.9


class Options(NamedTuple):
    """What is compiled in: whether both clouds are one, and the iterations allowed."""

    symmetric: bool
    max_iterations: int


class Potentials(NamedTuple):
    r"""Finite everywhere; columns of the plan are met, rows to ``error`` (L1) at most.

    The plan is $a_i b_j e^{(f_i + g_j - c_{ij})/\epsilon}$.
    """

    f: Float[Array, " n"]
    g: Float[Array, " m"]
    error: Float[Array, ""]


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def potentials(
    options: Options,
    cost: Float[Array, "n m"],
    a: Float[Array, " n"],
    b: Float[Array, " m"],
    epsilon: Float[Array, ""],
    threshold: Float[Array, ""],
) -> Potentials:
    r"""Those of $\sup \langle f, a\rangle + \langle g, b\rangle$; weights sum to one.

    They converged where ``error < threshold``. Derivatives in reverse mode are OTT's
    implicit ones.

    References: Lehmann et al., Optimization Letters 16 (2022), for the relaxation;
    Thibault, Chizat, Dossal, Papadakis, Algorithms 14 (2021), for its safeguard;
    Schmitzer, SIAM J. Sci. Comput. 41 (2019), for the annealing.
    """
    from ott.geometry.geometry import Geometry
    from ott.solvers import linear
    from ott.solvers.linear.acceleration import Momentum

    iterate = functools.partial(
        linear.solve,
        # OTT takes what is traced, and says float.
        Geometry(cost, epsilon=cast(Any, epsilon)),
        a=a,
        b=b,
        max_iterations=options.max_iterations,
        parallel_dual_updates=options.symmetric,
    )
    # OTT mixes dtypes unless the initial weight has that of the cost.
    number = cost.dtype.type
    if options.symmetric:
        # Averages converge in 10 to 20 iterations, whatever epsilon.
        momentum = Momentum(start=0, value=number(0.5))
        out = iterate(threshold=threshold, momentum=momentum)
        return resolved(_polished(out.g, cost, a, b, epsilon), a, b, epsilon)
    scale = _spread(cost, a, b)
    wide = scale <= _WIDE * epsilon
    out = iterate(
        # Where it would not get on it ends at its first check.
        threshold=jnp.where(wide, threshold, jnp.inf),
        momentum=Momentum(start=20, value=number(1)),
    )
    found = _polished(out.g, cost, a, b, epsilon)
    near = wide & (found.error <= jnp.maximum(_NEAR, threshold))
    used = jnp.where(wide, out.n_iters, 0)
    left = jnp.where(jnp.isfinite(scale), options.max_iterations - used, 0)
    log_a, log_b = jnp.log(a), jnp.log(b)

    def best_f(g: Array, heat: Array) -> Array:
        return -heat * logsumexp((g - cost) / heat + log_b, axis=1)

    def best_g(f: Array, heat: Array) -> Array:
        return -heat * logsumexp((f[:, None] - cost) / heat + log_a[:, None], axis=0)

    def polish(g: Array) -> Potentials:
        return _polished(g + epsilon * log_b, cost, a, b, epsilon)

    problem = (best_f, best_g, polish, a, b, epsilon, threshold, scale)
    return resolved(finished(found, near, left, *problem), a, b, epsilon)


def _forward(options: Options, *problem: Array) -> tuple[Potentials, Any]:
    found: Any = potentials(options, *problem)
    return found, (found, problem[:-1])


def _backward(options: Options, kept: Any, cotangents: Potentials) -> tuple:
    from ott.geometry.geometry import Geometry
    from ott.problems.linear.linear_problem import LinearProblem
    from ott.solvers.linear.implicit_differentiation import ImplicitDiff

    del options
    found, problem = kept
    _, a, b, epsilon = problem
    # OTT's potentials contain the log-weights. Polishing them gives ours.
    log_f, log_g = found.f + epsilon * jnp.log(a), found.g + epsilon * jnp.log(b)
    _, back = jax.vjp(lambda g, *p: _polished(g, *p)[:2], log_g, *problem)
    log_g_bar, *direct = back(tuple(cotangents[:2]))
    there, back = jax.vjp(
        lambda cost, a, b, epsilon: LinearProblem(
            Geometry(cost, epsilon=epsilon), a, b
        ),
        *problem,
    )
    (through,) = ImplicitDiff().gradient(
        there, log_f, log_g, True, (jnp.zeros_like(log_f), log_g_bar)
    )
    return (*map(jnp.add, direct, back(through)), jnp.zeros_like(found.error))


potentials.defvjp(_forward, _backward)


def _spread(cost: Array, a: Array, b: Array) -> Float[Array, ""]:
    """The deviation of the cost from a sum of functions of x and y, root mean square.

    It leaves out what potentials absorb at once, a shift of a cloud for instance.
    """
    rows, columns = cost @ b, a @ cost
    rest = cost - rows[:, None] - columns + a @ rows
    return jnp.sqrt(a @ rest**2 @ b)


def _polished(
    log_g: Array, cost: Array, a: Array, b: Array, epsilon: Array
) -> Potentials:
    """One more iteration from OTT's potential, -inf at weight zero; ours are finite."""
    f = -epsilon * logsumexp((log_g - cost) / epsilon, axis=1)
    g = -epsilon * logsumexp((f[:, None] - cost) / epsilon, axis=0, b=a[:, None])
    # With f rows are met. What columns lack is, in L1, at least what rows lack with g.
    held = b > 0
    before = jnp.where(held, log_g - epsilon * jnp.log(jnp.where(held, b, 1)), g)
    return Potentials(f, g, marginal_error(b, (before - g) / epsilon))


def resolved(found: Potentials, a: Array, b: Array, epsilon: Array) -> Potentials:
    """``found``, with the rounding of its logarithms as error where that is large."""
    largest = jnp.maximum(
        jnp.max(jnp.where(a > 0, jnp.abs(found.f), 0)),
        jnp.max(jnp.where(b > 0, jnp.abs(found.g), 0)),
    )
    rounding = jnp.finfo(found.f.dtype).eps * largest / epsilon
    coarse = rounding > _COARSE
    error = jnp.where(coarse, jnp.maximum(found.error, rounding), found.error)
    return found._replace(error=error)


def marginal_error(weights: Array, log_ratio: Array) -> Float[Array, ""]:
    """L1 distance of a marginal from its weights."""
    return jnp.sum(weights * jnp.abs(jnp.expm1(log_ratio)))


class _State(NamedTuple):
    f: Float[Array, " n"]
    g: Float[Array, " m"]
    heat: Float[Array, ""]
    relaxation: Float[Array, ""]
    # The error at the last measurement of the rate, and iterations since.
    before: Float[Array, ""]
    since: Int[Array, ""]
    steps: Int[Array, ""]
    error: Float[Array, ""]
    done: Bool[Array, ""]


def finished(
    found: Potentials,
    near: Bool[Array, ""],
    left: Int[Array, ""] | int,
    best_f: Callable[[Array, Array], Array],
    best_g: Callable[[Array, Array], Array],
    polish: Callable[[Array], Potentials],
    a: Array,
    b: Array,
    epsilon: Array,
    threshold: Array,
    scale: Array,
) -> Potentials:
    """``found``, if it converged; else after up to ``left`` safeguarded iterations.

    ``best_f(g, heat)`` meets the rows at the temperature ``heat``, ``best_g`` the
    columns; ``polish(g)`` makes both potentials of one. ``scale`` is the temperature
    to begin at.
    """

    def step(state: _State) -> _State:
        heat, relaxation = state.heat, state.relaxation
        f, rows, kept_f = _relaxed(state.f, best_f(state.g, heat), a, relaxation, heat)
        g, columns, kept_g = _relaxed(state.g, best_g(f, heat), b, relaxation, heat)
        error = jnp.maximum(rows, columns)
        last, kept, plain = heat <= epsilon, kept_f & kept_g, relaxation == 1
        # With f and g unrelaxed the columns' error bounds that of what is returned.
        done = last & plain & (columns < threshold)
        cooled = ~last & (error < jnp.maximum(threshold, _LEVEL))
        closing = last & ~plain & (error < threshold)
        measured = kept & (state.since + 1 >= _BLOCK)
        guess = _best_relaxation(error, state.before, relaxation)
        relaxation = jnp.where(measured, guess, relaxation)
        relaxation = jnp.where(kept, relaxation, 1 + _LESS * (relaxation - 1))
        relaxation = jnp.where(cooled | closing, 1, relaxation)
        anew = cooled | closing | ~kept
        before = jnp.where(measured, error, state.before)
        return _State(
            f,
            g,
            jnp.where(cooled, jnp.maximum(heat * _DECAY, epsilon), heat),
            relaxation,
            jnp.where(anew, jnp.inf, before),
            jnp.where(anew | measured, 0, state.since + 1),
            state.steps + 1,
            columns,
            done,
        )

    def proceed(state: _State) -> Bool[Array, ""]:
        return ~state.done & (state.steps < left)

    one = jnp.ones((), a.dtype)
    kept = near | (left <= 0)
    start = _State(
        jnp.where(kept, found.f, 0),
        jnp.where(kept, found.g, 0),
        jnp.where(near, epsilon, jnp.maximum(epsilon, scale)),
        one,
        jnp.inf * one,
        jnp.zeros((), jnp.int32),
        jnp.zeros((), jnp.int32),
        found.error,
        near & (found.error < threshold),
    )
    end = jax.lax.while_loop(proceed, step, start)
    return jax.lax.cond(
        end.done,
        lambda: Potentials(end.f, end.g, end.error),
        lambda: polish(end.g),
    )


def _relaxed(
    old: Array, best: Array, weights: Array, relaxation: Array, heat: Array
) -> tuple[Array, Array, Array]:
    """``best``, or beyond it if the dual rises so; the error of ``old``, and which."""
    excess = jnp.where(weights > 0, (old - best) / heat, 0)

    def rise(w: Array | float) -> Array:
        parts = jnp.exp(excess) - jnp.exp((1 - w) * excess) - w * excess
        return jnp.sum(jnp.where(weights > 0, weights * parts, 0))

    # Near the maximum the share is one.
    kept = rise(relaxation) >= _SHARE * relaxation * (2 - relaxation) * rise(1.0)
    taken = jnp.where(kept, relaxation, 1)
    return old + taken * (best - old), marginal_error(weights, excess), kept


def _best_relaxation(error: Array, before: Array, relaxation: Array) -> Array:
    """By the rate at which errors fall, as in successive over-relaxation."""
    known = jnp.isfinite(error) & jnp.isfinite(before) & (before > 0)
    ratio = jnp.where(known, error / jnp.where(known, before, 1), 1)
    rate = jnp.clip(ratio ** (1 / _BLOCK), 1e-3, 1)
    # The rate without relaxation; errors that oscillate show that it was enough.
    slow = jnp.maximum(rate, relaxation - 1)
    plain = (slow + relaxation - 1) ** 2 / (slow * relaxation**2)
    best = 2 / (1 + jnp.sqrt(1 - jnp.clip(plain, 0, _SLOWEST)))
    return jnp.where(known, best, relaxation)
