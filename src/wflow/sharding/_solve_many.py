"""Many solves as one program."""

import operator
from typing import Any, Generic, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray, PyTree, Shaped

from wflow.checks import cast, count, instance, known, one_of, plain_errors, random_key
from wflow.flows.base import AbstractFlow
from wflow.measures import AbstractMeasure
from wflow.measures.base import Moving
from wflow.parameters.learnable import unwrap
from wflow.solvers import RESULTS, Solution, SolveError
from wflow.solvers.elements import each
from wflow.solvers.integrate import Integrated, Stop
from wflow.solvers.problem import (
    Problem,
    check_parts,
    ended_early,
    problem_of,
    run,
    told_times,
)
from wflow.solvers.times import read_times


class Solutions(eqx.Module, Generic[Moving]):
    """The solutions of many solves, each with its own end.

    ``solutions[i]`` is the ``Solution`` of element i. The arrays of ``times``,
    ``measures``, ``result``, ``stats`` and ``stopped``, which mean what they do there,
    have a leading axis of elements.
    """

    times: Float[Array, "m T"]
    measures: Moving
    result: RESULTS
    counts: dict[str, Shaped[Array, " m"]]
    stopped: Bool[Array, " m"]
    solver: str = eqx.field(static=True)
    # The arrays that each element has its own of, and all the rest.
    _flow: tuple[AbstractFlow, AbstractFlow]

    @property
    def stats(self) -> dict[str, Any]:
        """Solver, and for every element numbers of steps and time reached."""
        return {"solver": self.solver, **self.counts}

    @property
    def reached(self) -> Bool[Array, " m"]:
        """Whether each solve came to its end."""
        return self.result == RESULTS.successful

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence on each solve that ended early; nothing for the others."""
        return tuple(
            ""
            if bool(reached)
            else f"{RESULTS[_at(self.result, i)]} {self.solver} stopped at t = "
            f"{float(self.counts['time_reached'][i]):g} after "
            f"{int(self.counts['num_steps'][i])} steps."
            for i, reached in enumerate(np.asarray(self.reached))
        )

    def __len__(self) -> int:
        """Number of elements."""
        return self.stopped.shape[0]

    def __getitem__(self, index: int) -> Solution[Moving]:
        """The solution of one element.

        Raises:
            IndexError: there is no such element.
        """
        i = operator.index(index)
        if not -len(self) <= i < len(self):
            raise IndexError(
                f"Solutions: expected an index of {len(self)} elements, found {i}."
            )
        own, shared = self._flow
        dtype = jnp.promote_types(self.measures.dtype, jnp.float32)
        flow = cast(unwrap(eqx.combine(_at(own, i), shared)), dtype)
        return Solution(
            self.times[i],
            _at(self.measures, i),
            _at(self.result, i),
            flow,
            _at(self.counts, i),
            self.solver,
            self.stopped[i],
        )


def solve_many(
    flow: AbstractFlow[Moving],
    mu0: Moving,
    t0: ArrayLike,
    t1: ArrayLike,
    *,
    in_axes: Any = 0,
    mesh: Mesh | None = None,
    batch_size: int | None = None,
    key: PRNGKeyArray | None = None,
    times: Float[ArrayLike, " T"] | None = None,
    solver: diffrax.AbstractSolver | None = None,
    dt0: ArrayLike | None = None,
    stepsize_controller: diffrax.AbstractStepSizeController | None = None,
    adjoint: diffrax.AbstractAdjoint | None = None,
    splitting: Literal["strang", "lie"] = "strang",
    stop: Stop | None = None,
    max_steps: int = 4096,
    throw: bool = False,
) -> Solutions[Moving]:
    """Solve for many parameters, starts or random keys by one compiled program.

    Element i is what ``solve`` makes of the i-th flow, measure and key: its own steps,
    its own end. One that leaves the reals does not touch the others, and
    ``Solutions.reasons`` says which did.

    With a ``mesh`` every device has a share of the elements and does it for itself: a
    slow element holds those of its own device alone. Elements of one device go side by
    side, in lockstep until the slowest has come to its end; with ``batch_size=1`` one
    after the other, each to the bits of ``solve``.

    Args:
        flow: the law of motion; what differs between elements has a leading axis, as
            ``equinox.filter_vmap`` of a function that makes one gives it.
        mu0: the measure at ``t0``, likewise.
        t0: start.
        t1: end.
        in_axes: which arrays have the leading axis: 0 for all, None for none, or a
            prefix of the pair ``(flow, mu0)`` with these at its leaves, as of
            ``jax.vmap``. What has none is the same for all.
        mesh: devices that the elements are spread over, from ``jax.make_mesh``. Where
            they do not divide, copies of the last element fill up, and are dropped.
        batch_size: how many elements a device does side by side; None is all.
        key: one random key for all elements, or an array with one for each.
        times: as of ``solve``, and so are those that follow; the same for all.
        solver: any Diffrax solver, or ``DampedLeapfrog``.
        dt0: largest fixed step, or the first.
        stepsize_controller: any Diffrax controller.
        adjoint: how derivatives are taken.
        splitting: of flows with jumps.
        stop: the number that falls through zero.
        max_steps: of each adaptive solve.
        throw: raise where any of the solves does not reach ``t1``.

    Raises:
        TypeError: an argument of another kind.
        ValueError: nothing has an axis of elements, their numbers differ, or as
            ``solve``, which looks at the first element.
        SolveError: with ``throw``, one of them ended early.

    Examples:
        >>> import equinox as eqx
        >>> import jax.numpy as jnp
        >>> import wflow as wf
        >>> def law(stiffness):
        ...     bowl = stiffness * wf.Potential(lambda x: x @ x / 2)
        ...     return wf.GradientFlow(bowl, wf.Wasserstein())
        >>> laws = eqx.filter_vmap(law)(jnp.array([1.0, 2.0, 3.0]))
        >>> cloud = wf.Particles.from_samples(jnp.ones((8, 1)))
        >>> found = wf.sharding.solve_many(laws, cloud, 0.0, 1.0, in_axes=(0, None))
        >>> [round(float(solution[-1].mean[0]), 3) for solution in found]
        [0.368, 0.135, 0.05]
    """
    instance("solve_many", "flow", flow, AbstractFlow, "a flow")
    instance("solve_many", "mu0", mu0, AbstractMeasure, "a measure")
    one_of("solve_many", "throw", throw, (True, False))
    count("solve_many", "batch_size", 1 if batch_size is None else batch_size)
    if mesh is not None:
        what = "a jax.sharding.Mesh or None"
        mesh = instance("solve_many", "mesh", mesh, Mesh, what)
        mesh = Mesh(mesh.devices, mesh.axis_names)
    options: dict[str, Any] = {
        "solver": solver,
        "dt0": dt0,
        "stepsize_controller": stepsize_controller,
        "adjoint": adjoint,
        "splitting": splitting,
        "stop": stop,
        "max_steps": max_steps,
        "progress": False,
    }
    given, several = _keys(key)
    own, shared = _elements((flow, mu0), in_axes)
    laws: Any = (own[0], shared[0])
    own = (*own, given if several else None)
    shared = (*shared, None if several else given)
    m = _size(own)
    first, start, own_key = eqx.combine(_at(own, 0), shared)
    check_parts(first, start, own_key, **options)
    _check_measure(start)
    dtype = start.dtype
    if jnp.finfo(dtype).bits < 32:
        own, shared, start = cast((own, shared, start), jnp.float32)
    when = read_times(t0, t1, times, start.dtype)
    first = cast(unwrap(first), start.dtype)
    problem, own_key = problem_of(first, start, when, own_key, **options)
    shared = (*shared[:2], None if several else own_key)
    checkpoints = isinstance(problem.method.adjoint, diffrax.RecursiveCheckpointAdjoint)
    with plain_errors():
        arrays, done, reached = each(
            _solve_one, own, (shared, problem), mesh, batch_size, checkpoints
        )
    if throw:
        arrays = _raise(arrays, done, own, shared, when, problem)
    measures = eqx.combine(arrays, eqx.filter(mu0, eqx.is_array, inverse=True))
    asked, reached = told_times(when, done, reached, None, stop)
    here: Any = jnp if isinstance(asked, jax.Array) else np
    return Solutions(
        here.broadcast_to(asked, (m, *np.shape(asked)[-1:])),
        cast(measures, dtype),
        done.result,
        {**done.counts, "time_reached": reached},
        done.stopped,
        type(problem.method.solver).__name__,
        laws,
    )


def _solve_one(own: Any, common: tuple[Any, Problem]) -> tuple[Any, Integrated, Array]:
    """The saved measures of one element, how it ended, and when."""
    shared, problem = common
    flow, mu, key = eqx.combine(own, shared)
    done = run(cast(unwrap(flow), mu.dtype), mu, key, problem)
    measures = eqx.filter_vmap(lambda state: mu.with_state(state))(done.states)
    arrays = eqx.filter(measures, eqx.is_array)
    return arrays, done._replace(states=None), problem.origin + done.time


def _at(tree: PyTree, index: int) -> PyTree:
    """Entry ``index`` of every array."""
    return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, tree)


def _keys(key: Any) -> tuple[PRNGKeyArray | None, bool]:
    """Random keys, typed, and whether there is one for each element."""
    if key is None:
        return None, False
    typed = isinstance(key, jax.Array) and jnp.issubdtype(
        key.dtype, jax.dtypes.prng_key
    )
    if not isinstance(key, jax.Array) or key.ndim != (1 if typed else 2):
        return random_key("solve_many", "key", key), False
    return (key if typed else jax.random.wrap_key_data(key)), True


def _elements(pair: Any, in_axes: Any) -> tuple[Any, Any]:
    """The arrays with a leading axis of elements, and all that is shared."""

    def marked(axis: Any, part: Any) -> Any:
        if axis is not None and (isinstance(axis, bool) or axis != 0):
            raise ValueError(f"found {axis!r}")
        return jax.tree.map(lambda leaf: axis == 0 and eqx.is_array(leaf), part)

    try:
        marks = jax.tree.map(marked, in_axes, pair, is_leaf=lambda axis: axis is None)
    except ValueError as error:
        raise ValueError(
            "solve_many: expected in_axes to be 0, None, or these at the leaves of a "
            f"prefix of (flow, mu0); {str(error).splitlines()[0][:200]}."
        ) from None
    return eqx.partition(pair, marks)


def _size(own: Any) -> int:
    """The number of elements."""
    shapes = {np.shape(leaf) for leaf in jax.tree.leaves(own)}
    sizes = {shape[:1] for shape in shapes}
    if not sizes:
        raise ValueError(
            "solve_many: expected in_axes or keys that give elements, found no array "
            "with an axis of them."
        )
    if len(sizes) > 1 or () in sizes or (0,) in sizes:
        raise ValueError(
            "solve_many: expected arrays with a leading axis of one size >= 1 where "
            f"in_axes is 0, found shapes {sorted(shapes)}."
        )
    return sizes.pop()[0]


def _check_measure(mu: Any) -> None:
    """Refuse a measure whose arrays are no more what they have to be."""
    part = mu
    while part is not None:
        if (check := getattr(part, "__check_init__", None)) is not None:
            try:
                check()
            except ValueError as error:
                raise ValueError(
                    "solve_many: mu0 has other shapes without the leading axis of "
                    f"elements; in_axes says what has one. {error}"
                ) from None
        part = getattr(part, "measure", None)


def _raise(
    arrays: Any, done: Integrated, own: Any, shared: Any, when: Any, problem: Problem
) -> Any:
    """Refuse solves of which some ended early, in a sentence on the first of them."""
    reached = known(done.result == RESULTS.successful)
    if reached is None:
        early = ~jnp.all(done.result == RESULTS.successful)
        return eqx.error_if(arrays, early, "solve_many: a solve ended early.")
    if reached.all():
        return arrays
    i = int(np.argmin(reached))
    flow, mu, _ = eqx.combine(_at(own, i), shared)
    flow = cast(unwrap(flow), mu.dtype)
    why = ended_early(flow, mu, when, problem.method, _at(done, i))
    raise SolveError(
        f"solve_many: {int((~reached).sum())} of {len(reached)} solves ended early; "
        f"element {i}: {why} Pass throw=False to look at what was reached."
    )
