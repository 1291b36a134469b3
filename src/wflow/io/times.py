"""Which column of a file is the time, and what its labels say."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .refusals import SnapshotFileError, names, quoted


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Names that say time and nothing else.
CLOCKS = words(
    "t ts time times timepoint timepoints time_point time_points day days hour "
    "hours minute minutes second seconds week weeks month months year years hpf "
    "dpf hpi dpi date dates datetime timestamp timestamps"
)
# Parts of a longer name that say so too: time_info, sampling_day.
_PARTS = CLOCKS - {"t", "ts", "second", "date", "dates"}
# Parts of a name whose time is computed, a value for every cell.
_COMPUTED = frozenset(("pseudo", "latent", "dpt", "velocity", "running", "run"))
# Names under which some keep the time and others something else.
DOUBTFUL = words(
    "sample samples sample_label sample_labels stage stages age ages period "
    "generation snapshot snapshots frame"
)
# Words and letters that may stand around the number of a label: D0, day 2, E8.5, 16hpf.
_UNITS = words(
    "d day days e ed h hr hrs hour hours hpf dpf hpi dpi p pnd t tp time "
    "timepoint w wk week weeks m min mins minute minutes mo month months s sec "
    "secs second seconds y yr year years stage"
)
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
# An exponent needs its sign: 1e-05 is how numbers are written, 1E5 may be a label.
_PLAIN = re.compile(rf"[+-]?{_NUMBER}(?:[eE][+-][0-9]+)?")
_LABEL = re.compile(rf"([A-Za-z]*)[ _]?(-?{_NUMBER})[ _]?([A-Za-z]*)")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
# Times nearer than this, in units of the last place of the largest, are the same one.
_SAME = 64
# Distinct values up to which a column may be labels of times.
_LABELS = 50
# Share of the whole span below which two times cannot be trained apart.
_CLOSE = 1e-6
MISSING = frozenset(("", "na", "nan", "n/a", "none", "null", "<na>"))


def normal(name: str) -> str:
    """A name in small letters, its words joined by underscores."""
    return re.sub(r"[\s.\-]+", "_", name.strip()).casefold()


def is_clock(name: str) -> bool:
    """Whether a name says time: ``t``, ``Day``, ``sampling_time``; no pseudotime."""
    words = normal(name).split("_")
    if normal(name) in CLOCKS:
        return True
    return not _PARTS.isdisjoint(words) and _COMPUTED.isdisjoint(words)


def pick_time(
    path: str | Path,
    what: str,
    wanted: str | None,
    found: Sequence[str],
    values: Callable[[str], np.ndarray],
    others: Callable[[], Iterable[str]] = tuple,
    required: bool = True,
) -> str | None:
    """The name of the time: the wanted, or the one clear candidate.

    Names that say time and nothing else (``t``, ``time``, ``day``) come before those
    that have such a word in them (``time_info``), and these before names that may mean
    something else (``samples``, ``stage``). Of several of one kind those that are the
    same everywhere are no candidates; where more than one is left they have to agree.

    Args:
        path: of the file.
        what: is looked for, in words.
        wanted: what the user names.
        found: all names.
        values: of a name.
        others: names that could be the time as well as a doubtful one.
        required: whether there has to be one.

    Raises:
        SnapshotFileError: there is none, or several; the sentence lists them.
    """
    if wanted is not None:
        if wanted in found:
            return wanted
        raise SnapshotFileError(
            path, f"expected {what} under {wanted!r}, found {names(found)}."
        )
    sure = [name for name in found if normal(name) in CLOCKS]
    likely = [name for name in found if is_clock(name)]
    doubtful = [name for name in found if normal(name) in DOUBTFUL]
    candidates = _different(sure or likely, values)
    if not candidates and doubtful:
        candidates = list(dict.fromkeys([*doubtful, *others()]))
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise SnapshotFileError(
            path,
            f"{what} may be {quoted(candidates)}: say which with time "
            "(--set data.keys.time=NAME).",
        )
    if not required:
        return None
    raise SnapshotFileError(
        path,
        f"expected {what} under 't' or another name that says so ('time', 'day', "
        f"...), found {names(found)}. Name it with time (data.keys.time).",
    )


def _different(candidates: list[str], values: Callable[[str], np.ndarray]) -> list[str]:
    """Without those that are constant, or equal to one before."""
    if len(candidates) < 2:
        return candidates
    columns = {name: np.asarray(values(name)).astype(str) for name in candidates}
    moving = [name for name in candidates if (columns[name] != columns[name][:1]).any()]
    kept: list[str] = []
    for name in moving or candidates:
        if not any(np.array_equal(columns[name], columns[other]) for other in kept):
            kept.append(name)
    return kept


def to_times(path: str | Path, name: str, labels: Any) -> np.ndarray:
    """Times in float64 out of numbers, or of labels that hold one number each.

    A label is a plain decimal number, with one word or letter for the unit before it
    and one after it at most, the same in all labels: D0, D2; day 2; E8.5; 16hpf. What
    is missing becomes nan.

    Raises:
        SnapshotFileError: the labels are dates, or anything else.
    """
    labels = np.asarray(labels)
    if labels.dtype.kind in "iuf":
        return labels.astype(np.float64)
    if labels.dtype.kind in "Mm":
        raise _dates(path, name, labels[0])
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind not in "UOT":
        raise SnapshotFileError(
            path, f"{name!r}: expected numbers, found dtype {labels.dtype}."
        )
    listed = [str(label).strip() for label in labels.tolist()]
    distinct = list(dict.fromkeys(listed))
    number = _parsed(path, name, distinct)
    return np.array([number[label] for label in listed], np.float64)


def _parsed(path: str | Path, name: str, labels: list[str]) -> dict[str, float]:
    """The number of each label."""
    given = [label for label in labels if label.casefold() not in MISSING]
    found = dict.fromkeys(labels, float("nan"))
    if all(_PLAIN.fullmatch(label) for label in given):
        return found | {label: float(label) for label in given}
    if all(_DATE.fullmatch(label) for label in given):
        raise _dates(path, name, given[0])
    matches = [_LABEL.fullmatch(label) for label in given]
    parts = [match.groups() for match in matches if match is not None]
    around = {(before.casefold(), after.casefold()) for before, _, after in parts}
    signs = {number.startswith("-") for _, number, _ in parts}
    # In day-2, day-4 the hyphen is no sign.
    if (
        len(parts) == len(given)
        and len(around) == 1
        and all(not unit or unit in _UNITS for unit in next(iter(around)))
        and signs != {True}
    ):
        numbers = [float(number) for _, number, _ in parts]
        return found | dict(zip(given, numbers, strict=True))
    raise SnapshotFileError(
        path,
        f"{name!r}: expected times as numbers, or with one unit around each (D0, "
        f"day 2, E8.5, 16hpf), found {quoted(given)}; write numbers into a column, and "
        "name it with time (--set data.keys.time=NAME).",
    )


def _dates(path: str | Path, name: str, found: Any) -> SnapshotFileError:
    return SnapshotFileError(
        path,
        f"{name!r}: expected times as numbers, found the date {str(found)!r}; write "
        "the days since the first one instead.",
    )


def check_apart(path: str | Path, name: str, times: np.ndarray) -> None:
    """Refuse two times that all but coincide beside the others."""
    if len(times) < 3:
        return
    gaps = np.diff(times)
    k = int(gaps.argmin())
    if 0 < gaps[k] < _CLOSE * (times[-1] - times[0]):
        raise SnapshotFileError(
            path,
            f"the times {times[k].item()!r} and {times[k + 1].item()!r} of {name!r} "
            "all but coincide; round them, so that they are one time or well apart.",
        )


def gathered(t: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct times, and the rows of each in their order."""
    order = np.argsort(t, kind="stable")
    ordered = t[order]
    tolerance = _SAME * np.finfo(np.float64).eps * np.abs(ordered).max(initial=0.0)
    begins = np.flatnonzero(np.diff(ordered) > tolerance) + 1
    rows = [np.sort(part) for part in np.split(order, begins)]
    # Without a sign of zero.
    return ordered[np.concatenate([[0], begins])] + 0.0, rows


def snapshot_rows(
    path: str | Path, t: np.ndarray, name: str
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The distinct times and the rows of each, where these may be snapshots.

    Raises:
        SnapshotFileError: times that are not finite, or of which most belong to a
            single row, as those of a pseudotime do.
    """
    if not np.isfinite(t).all():
        raise SnapshotFileError(
            path, f"{int((~np.isfinite(t)).sum())} of {len(t)} times are not finite."
        )
    times, rows = gathered(t)
    single = sum(len(r) == 1 for r in rows)
    if len(times) > 3 and single > len(times) / 2:
        raise SnapshotFileError(
            path,
            f"{name!r} has {len(times)} distinct times in {len(t)} rows, most of them "
            "of a single row, as a pseudotime has; snapshots need several points at "
            "each of a few times: name the time with time (data.keys.time), or round.",
        )
    return times, rows


def may_be_labels(path: str | Path, name: str, values: np.ndarray) -> bool:
    """Whether a column holds a few whole numbers, or labels that are times."""
    if values.dtype.kind == "b" or not 1 < len(set(values.tolist())) <= _LABELS:
        return False
    try:
        times = to_times(path, name, values)
    except SnapshotFileError:
        return False
    return bool(values.dtype.kind not in "f" or (times == np.floor(times)).all())
