"""What is said of files that are not as expected; quick to import."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


# Those that are written.
FORMATS = ("npz", "csv", "h5ad")
# For the end of a name that is read, the reader.
READ = {
    ".npz": "npz",
    ".csv": "csv",
    ".tsv": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
    ".parquet": "parquet",
    ".h5ad": "h5ad",
    ".zarr": "h5ad",
}


class SnapshotFileError(ValueError):
    """A file does not hold snapshots as expected; the message begins with its path."""

    def __init__(self, path: str | Path, problem: str):
        super().__init__(f"{path}: {problem}")


def format_of(path: Path, known: Mapping[str, str]) -> str:
    """The format that the end of a name says.

    Raises:
        SnapshotFileError: it says none of the ``known`` ones.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    for end in ("".join(suffixes[-2:]), "".join(suffixes[-1:])):
        if end in known:
            return known[end]
    found = repr(path.suffix) if path.suffix else "none"
    *most, last = known
    raise SnapshotFileError(
        path,
        f"expected a name that ends in {', '.join(most)} or {last}, found {found}.",
    )


def names(found: Iterable[str], most: int = 12) -> str:
    """``found`` as an enumeration for a message."""
    listed = [str(name) for name in found]
    shown = listed if len(listed) <= most else [*listed[:most], "..."]
    return ", ".join(shown) or "none"


def quoted(found: Iterable[Any], most: int = 4) -> str:
    """Names in quotation marks as an enumeration for a message."""
    return names((repr(str(name)) for name in found), most)


def note(path: str | Path, text: str) -> None:
    """Tell of something in the file that is left out, or read in a way of its own."""
    warnings.warn(f"{path}: {text}", stacklevel=4)


@contextlib.contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """What the system says against reading the file, as a sentence."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or "the system gives no reason"
        raise SnapshotFileError(path, f"cannot be read: {reason}.") from error


def bounded(path: str | Path, what: str, size: int, max_bytes: int) -> None:
    """Refuse to read more than ``max_bytes`` of numbers, before they are read."""
    if size > max_bytes:
        raise SnapshotFileError(
            path,
            f"{what} would take {_gigabytes(size)} of memory, more than max_bytes = "
            f"{_gigabytes(max_bytes)}; keep less in the file, or raise max_bytes "
            "(data.max_bytes).",
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e7 else f"{size} bytes"


def pick(
    path: str | Path,
    what: str,
    wanted: str | None,
    usual: Sequence[str],
    found: Iterable[str],
    key: str,
    required: bool = True,
) -> str | None:
    """The name that ``what`` is found under: the wanted, or the one usual name.

    ``key`` of ``Keys`` says which where there are several. Names are compared as they
    are first, then without regard to capitals.
    """
    found = list(found)
    if wanted is not None:
        candidates = [name for name in found if name == wanted]
    else:
        known = {name.casefold() for name in usual}
        candidates = [name for name in found if name.casefold() in known]
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise SnapshotFileError(
            path,
            f"{what} may be {' or '.join(map(repr, candidates))}: say which with "
            f"{key} (data.keys.{key}).",
        )
    if wanted is None and not required:
        return None
    expected = " or ".join(repr(name) for name in ([wanted] if wanted else usual))
    remedy = "" if wanted else f" Name it with {key} (data.keys.{key})."
    raise SnapshotFileError(
        path, f"expected {what} under {expected}, found {names(found)}.{remedy}"
    )


def numbers(path: str | Path, key: str, array: np.ndarray) -> np.ndarray:
    """``array`` in float64, refused where it holds something else than numbers."""
    if array.dtype.kind not in "biuf":
        raise SnapshotFileError(
            path, f"key {key!r}: expected numbers, found dtype {array.dtype}."
        )
    return array.astype(np.float64)


def check_coordinates(path: str | Path, x: np.ndarray, label: list[str] | str) -> None:
    """Refuse a coordinate that is nan in every row that is not nan throughout.

    ``label`` names the coordinates, or the array that they are in.
    """
    lost = np.isnan(x.reshape(-1, x.shape[-1]))
    gone = np.flatnonzero(lost[~lost.all(axis=1)].all(axis=0))
    if not gone.size or lost.all():
        return
    what = (
        f"coordinates {names(map(str, gone))} of {label!r} are"
        if isinstance(label, str)
        else f"columns {quoted(label[k] for k in gone)} are"
    )
    raise SnapshotFileError(
        path, f"{what} nan in every row; leave them out, with columns or in the file."
    )
