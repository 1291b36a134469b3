"""Times of a solve: counted from its start, in the precision of the measure."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, DTypeLike, Float

from wflow.checks import finite, known, positive, shape


# Fixed steps of a solve whose dt0 is not given.
_DEFAULT_STEPS = 100
# More fixed steps than this are an oversight, and their grid would fill the memory.
_MOST_STEPS = 10**8
# Rounding of times that their own precision explains, in units of its last place.
_ULPS = 4


class Times(NamedTuple):
    """The times of a solve, whose own clock starts at zero.

    Attributes:
        origin: the start ``t0``.
        span: ``t1 - t0``; the times that are known are subtracted in double precision.
        save: the saved times, counted from ``t0``.
        known: start, saved times and end, counted from ``t0``, where they are known.
        start: ``t0`` where all are known.
        asked: the saved times, as they were asked for.
        blurred: whether the precision of the measure blurs these; then they are in
            double precision.
    """

    origin: Float[Array, ""]
    span: Float[Array, ""]
    save: Float[Array, " T"]
    known: np.ndarray | None
    start: float | None
    asked: Any
    blurred: bool = False

    def told(self, since: float) -> str:
        """The same for a sentence, with the digits that tell it from other times."""
        start, span = float(self.origin), float(self.span)
        start = start if self.start is None else self.start
        larger = max(abs(start), abs(start + span)) / abs(span)
        digits = min(6 + math.ceil(max(math.log10(larger), 0)), 17)
        return f"{start + since:.{digits}g}"


def read_times(
    t0: ArrayLike, t1: ArrayLike, times: Float[ArrayLike, " T"] | None, dtype: DTypeLike
) -> Times:
    """The times of a solve, checked where they are known.

    Raises:
        TypeError: they are no real numbers.
        ValueError: they are not finite, have another shape, are not in order, or cannot
            be told from one another in the precision of the measure.
    """
    if isinstance(times, list | tuple) and times:
        traced = any(isinstance(time, Tracer) for time in times)
        times = jnp.stack([jnp.asarray(time) for time in times]) if traced else times
    for name, value in (("t0", t0), ("t1", t1)):
        shape("solve", name, value, ())
        finite("solve", name, value)
    save = t1 if times is None else times
    if times is not None:
        here = not isinstance(times, Tracer | jax.Array)
        if here:
            finite("solve", "times", times)
            times = save = np.asarray(times)
        if np.ndim(times) != 1 or np.size(times) == 0:
            raise ValueError(
                f"solve: expected times of shape (T,), found {np.shape(times)}."
            )
        if not here:
            finite("solve", "times", times)
    found: list[Any] = [known(value) for value in (t0, t1, save)]
    if any(value is None for value in found):
        origin = jnp.asarray(t0, dtype)
        span = _difference(t1, t0, dtype, None)
        since = _difference(save, t0, dtype, None).reshape(-1)
        # Rounding does not move a saved time beyond the end.
        beyond = (since - span) * jnp.sign(span) > 0
        asked = jnp.asarray(save, dtype).reshape(-1)
        return Times(origin, span, jnp.where(beyond, span, since), None, None, asked)
    start, end, saved = (np.asarray(value, np.float64) for value in found)
    start, end = start.item(), end.item()
    if start == end:
        raise ValueError(f"solve: t0 and t1 are both {start}.")
    saved = np.atleast_1d(saved)
    if not _follow_each_other(start, saved, end):
        slack = _ULPS * max(map(_ulp, (t0, t1, save), found))
        saved = _in_order(start, saved, end, slack, dtype)
    whole = end - start
    if not _in_range(whole, dtype):
        raise ValueError(
            f"solve: expected t1 - t0 of a size that {jnp.dtype(dtype).name} can hold, "
            f"found {whole}."
        )
    since = (saved - start).clip(min(whole, 0.0), max(whole, 0.0))
    knots = np.concatenate([[0.0], since, [whole]])
    _apart(knots, saved, dtype)
    # Left to NumPy where nothing is traced: it is quicker with few numbers.
    traced = isinstance(t0, Tracer)
    origin: Any = jnp.asarray(t0, dtype) if traced else np.asarray(start, dtype)
    return Times(
        origin,
        _difference(t1, t0, dtype, np.asarray(whole)),
        _difference(save, t0, dtype, since).reshape(-1),
        knots,
        start,
        *_as_asked(saved, save, knots, dtype),
    )


def _difference(
    late: Any, early: Any, dtype: DTypeLike, exact: np.ndarray | None
) -> Any:
    """``late - early``: ``exact`` where it is known, with the derivatives."""
    if exact is not None and not any(isinstance(t, Tracer) for t in (late, early)):
        return exact.astype(dtype)
    moving = (jnp.asarray(late) - jnp.asarray(early)).astype(dtype)
    if exact is None:
        return moving
    moving = moving.reshape(exact.shape)
    return jnp.asarray(exact, dtype) + (moving - jax.lax.stop_gradient(moving))


def _ulp(value: Any, found: np.ndarray) -> float:
    """The last place of the largest number, in the precision that it came in."""
    if found.dtype.kind != "f":
        return 0.0
    # ``known`` widens what is shorter than single precision.
    eps = jnp.finfo(value.dtype).eps if hasattr(value, "dtype") else 2.0**-52
    return float(eps) * float(np.abs(found).max())


def _rounded(values: np.ndarray, dtype: DTypeLike) -> np.ndarray:
    """``values`` in the precision of ``dtype``."""
    return values.astype(np.dtype(dtype)).astype(np.float64)


def _in_range(length: float, dtype: DTypeLike) -> bool:
    info = jnp.finfo(dtype)
    return float(info.tiny / info.eps) < abs(length) <= float(info.max)


def _follow_each_other(start: float, saved: np.ndarray, end: float) -> bool:
    """Whether saved times are in strict order and between the ends, both included."""
    first, last = saved[0].item(), saved[-1].item()
    if start < end:
        return start <= first and last <= end and bool((saved[1:] > saved[:-1]).all())
    return start >= first and last >= end and bool((saved[1:] < saved[:-1]).all())


def _in_order(
    start: float, saved: np.ndarray, end: float, slack: float, dtype: DTypeLike
) -> np.ndarray:
    """Saved times between the ends, but for the rounding of either."""
    sign = np.sign(end - start)
    slack = max(slack, _ULPS * float(jnp.finfo(dtype).eps) * abs(end - start))
    outside = ((saved - start) * sign < -slack) | ((end - saved) * sign < -slack)
    falls = np.flatnonzero(np.diff(saved) * sign <= 0)
    if outside.any() or falls.size:
        what = (
            repr(saved[outside][0].item())
            if outside.any()
            else f"{saved[falls[0]].item()!r} before {saved[falls[0] + 1].item()!r}"
        )
        raise ValueError(
            f"solve: expected times in strict order between t0 = {start} and "
            f"t1 = {end}, found {what}."
        )
    return np.clip(saved, min(start, end), max(start, end))


def _apart(knots: np.ndarray, saved: np.ndarray, dtype: DTypeLike) -> None:
    """Refuse saved times that are one in the precision of the measure."""
    rounded = _rounded(knots[1:-1], dtype)
    same = rounded[1:] == rounded[:-1]
    if same.any():
        k = int(np.argmax(same))
        raise ValueError(
            f"solve: expected times that {jnp.dtype(dtype).name} can tell apart, found "
            f"{saved[k].item()!r} and {saved[k + 1].item()!r}; leave one out."
        )


def _as_asked(
    saved: np.ndarray, save: Any, knots: np.ndarray, dtype: DTypeLike
) -> tuple[Any, bool]:
    """The times in the measure's precision, in double precision where that blurs them.

    So it does far from zero: single precision has one number in 128 around 1.7e9.
    """
    if isinstance(save, Tracer):
        return jnp.asarray(save, dtype).reshape(-1), False
    rounded = saved.astype(np.dtype(dtype))
    gaps = np.abs(knots[1:] - knots[:-1])
    off = np.abs(rounded.astype(np.float64) - saved).max()
    blurred = bool(off > 1e-3 * gaps[gaps > 0].min())
    return (saved if blurred else rounded), blurred


def step_counts(
    times: Times, dt0: ArrayLike | None, dtype: DTypeLike
) -> tuple[int, ...]:
    """How many fixed steps lie between start, saved times and end.

    Raises:
        ValueError: that is not known, there are too many, or their ends cannot be told
            from one another in the precision of the measure.
    """
    largest = None if dt0 is None else known(dt0)
    knots = times.known
    if knots is None or (dt0 is not None and largest is None):
        raise ValueError(
            "solve: the number of fixed steps depends on t0, t1, times and dt0, which "
            "must be known outside jit; or pass a stepsize_controller."
        )
    length = abs(knots[-1]) / _DEFAULT_STEPS if largest is None else float(largest)
    rounded = _rounded(knots, dtype)
    gaps = np.where(np.diff(rounded) == 0, 0.0, np.abs(np.diff(knots)))
    most = abs(knots[-1]) / length
    if not most <= _MOST_STEPS:
        raise ValueError(
            f"solve: expected at most {_MOST_STEPS:,} fixed steps, found {most:.3g} of "
            f"dt0 = {length:g}; take a larger dt0."
        )
    # A gap of whole steps is not lengthened by rounding.
    counts = tuple(math.ceil(gap / length * (1 - 1e-6)) for gap in gaps)
    places = np.maximum(np.abs(rounded[1:]), np.abs(rounded[:-1]))
    for gap, place, count in zip(gaps, places, counts, strict=True):
        if count > 1 and gap / count < 2 * float(jnp.finfo(dtype).eps) * place:
            raise ValueError(
                f"solve: expected steps that {jnp.dtype(dtype).name} can tell apart, "
                f"found dt0 = {length:g} on the way to t0 + {place:g}; take a larger "
                "dt0, or solve piece by piece."
            )
    return counts


def given_steps(
    times: Times, counts: tuple[int, ...], dtype: DTypeLike
) -> Float[Array, " steps"]:
    """The times of so many fixed steps, rounded once where they are known."""
    if isinstance(times.save, Tracer) or times.known is None:
        zero = jnp.zeros_like(times.span)
        ends = jnp.concatenate([zero[None], times.save, times.span[None]])
        return step_times(ends, counts)
    known: Any = times.known
    return step_times(known, counts).astype(np.dtype(dtype))


def step_times(
    knots: Float[Array, " K"], counts: Sequence[int]
) -> Float[Array, " steps"]:
    """A grid that meets every knot, with ``counts[k]`` equal steps between them."""
    n = np.asarray(counts)
    interval = np.repeat(np.arange(len(n)), n)
    number = np.arange(len(interval)) - np.repeat(np.cumsum(n) - n, n)
    start, gap = knots[interval], (knots[1:] - knots[:-1])[interval]
    here: Any = np if isinstance(knots, np.ndarray) else jnp
    steps = start + gap * number.astype(knots.dtype) / n[interval].astype(knots.dtype)
    return here.concatenate([steps, knots[-1:]])


def check_first_step(dt0: ArrayLike | None) -> None:
    """Refuse a ``dt0`` that is no positive number.

    Raises:
        TypeError: it is no number.
        ValueError: it is not positive and finite, or not one number.
    """
    if dt0 is not None:
        shape("solve", "dt0", dt0, ())
        positive("solve", "dt0", dt0)
