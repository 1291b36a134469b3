"""Times: as they are read, as they are shown, and which a precision tells apart."""

import datetime
from typing import Any

import numpy as np
from jaxtyping import Float

from wflow.checks import increasing, to_numpy


# Rounding of a time, as a share of a step, that does no harm.
_ROUNDING = 1 / 64
# Units of dates that are not all of one length.
_UNEVEN = ("Y", "M", "generic")
_DAY = np.timedelta64(1, "D")


def shown(time: float, *others: float) -> str:
    """A time in as few digits as tell it from ``others`` that differ from it."""
    for digits in (12, 15):
        text = f"{time:.{digits}g}"
        if all(time == other or text != f"{other:.{digits}g}" for other in others):
            return text
    return repr(float(time))


def resolved(times: Float[np.ndarray, " T"], step: float, dtype: np.dtype) -> bool:
    """Whether ``dtype`` tells apart times a ``step`` from each other."""
    largest = np.asarray(np.abs(times).max(), dtype)
    return bool(np.spacing(largest) <= _ROUNDING * step)


def days(times: Any) -> Any:
    """Dates as days since the first of them, durations in days, all else as it is."""
    if isinstance(times, np.ma.MaskedArray) or not hasattr(times, "__len__"):
        return times
    found = np.asarray(times)
    if found.dtype == object and found.size:
        found = _from_objects(found)
    if found.dtype.kind not in "mM" or not found.size:
        return times
    unit, _ = np.datetime_data(found.dtype)
    if found.dtype.kind == "M":
        # Months have no length as such; between dates they have.
        found = found.astype("M8[D]") if unit in _UNEVEN else found
        found = found - found.ravel()[0]
    elif unit in _UNEVEN:
        return times
    return found / _DAY


def _from_objects(found: np.ndarray) -> np.ndarray:
    """Dates and durations that lie in an array of objects."""
    entries = found.ravel().tolist()
    if all(isinstance(entry, datetime.date) for entry in entries):
        return np.array([_universal(entry) for entry in entries], "M8[us]")
    if all(isinstance(entry, datetime.timedelta) for entry in entries):
        return np.array(entries, "m8[us]")
    return found


def _universal(date: datetime.date) -> datetime.date:
    """A date without a time zone, in universal time if it has one."""
    if isinstance(date, datetime.datetime) and date.tzinfo is not None:
        return date.astimezone(datetime.UTC).replace(tzinfo=None)
    return date


def read_times(owner: str, name: str, times: Any) -> Float[np.ndarray, " T"]:
    """Times that are asked for: finite, in strict order, in double precision.

    Raises:
        TypeError: they are no numbers; dates among them.
        ValueError: there are none, or they are not finite or not increasing.
    """
    if days(times) is not times:
        raise TypeError(
            f"{owner}: expected {name} as numbers, found dates; give days since the "
            "first snapshot, which is how Snapshots holds dates."
        )
    found = np.atleast_1d(to_numpy(times, name)).astype(np.float64)
    if found.ndim != 1 or found.size == 0:
        raise ValueError(
            f"{owner}: expected {name} of shape (T,), T >= 1, found {found.shape}."
        )
    increasing(owner, name, found)
    return found
