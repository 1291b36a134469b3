"""The parts of an AnnData file, read one by one."""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .refusals import SnapshotFileError, bounded, names, numbers, reading


if TYPE_CHECKING:
    import pandas as pd


def needs_anndata(path: str | Path) -> None:
    """Refuse, with the line that installs it, where anndata is missing."""
    try:
        import anndata  # noqa: F401
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: AnnData files need the package anndata, which comes with "
            "pip install 'wflow-jax[anndata]'."
        ) from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file or the .zarr folder, open to be read; what is damaged is a sentence."""
    needs_anndata(path)
    suffix = path.suffix.lower()
    try:
        with _zarr(path) if suffix == ".zarr" else _hdf5(path) as file:
            groups = [name for name in ("obs", "obsm") if name in file]
            if groups != ["obs", "obsm"]:
                raise SnapshotFileError(
                    path,
                    f"is not a readable {suffix} file: expected obs and obsm, found "
                    f"{names(file)}.",
                )
            if any(is_array(file[name]) for name in groups):
                raise SnapshotFileError(
                    path,
                    "was written by an anndata older than 0.7; read it with anndata "
                    "and write it again.",
                )
            yield file
    except SnapshotFileError:
        raise
    except _damages() as error:
        # What HDF5 and anndata say of damaged files is long, and of their own insides.
        raise SnapshotFileError(path, f"is not a readable {suffix} file.") from error


def _hdf5(path: Path) -> contextlib.AbstractContextManager[Any]:
    import h5py

    with reading(path), path.open("rb"):
        pass
    return h5py.File(path, "r")


def _zarr(path: Path) -> contextlib.AbstractContextManager[Any]:
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{path}: .zarr folders need the package zarr: pip install zarr."
        ) from error
    return contextlib.nullcontext(zarr.open_group(path, mode="r"))


def is_array(element: Any) -> bool:
    """Whether an element is an array, and no group."""
    return hasattr(element, "dtype")


def _damages() -> tuple[type[Exception], ...]:
    """What h5py, anndata and pandas raise at a damaged file."""
    errors = [OSError, LookupError, AttributeError, RuntimeError, TypeError, ValueError]
    with contextlib.suppress(ImportError):
        from anndata._io.specs.registry import IORegistryError

        errors.append(IORegistryError)
    return (*errors, MemoryError)


def _size(element: Any) -> int:
    """Bytes that an element will take; of a sparse matrix those of all entries."""
    if is_array(element):
        # What is not yet in double precision will be.
        return int(np.prod(element.shape, dtype=object)) * max(
            8, element.dtype.itemsize
        )
    if "shape" in element.attrs:
        return 8 * int(np.prod([int(n) for n in element.attrs["shape"]], dtype=object))
    return sum(_size(element[name]) for name in element)


def element(path: Path, file: Any, name: str, max_bytes: int) -> Any:
    """One element of the file, if it is not too large."""
    from anndata.io import read_elem

    bounded(path, name, _size(file[name]), max_bytes)
    with warnings.catch_warnings():
        # Files of older versions say less, but enough.
        warnings.filterwarnings("ignore", ".*without encoding metadata")
        return read_elem(file[name])


def frame_of(path: Path, file: Any, max_bytes: int) -> "pd.DataFrame":
    """The table ``.obs`` of the cells."""
    import pandas as pd

    found = element(path, file, "obs", max_bytes)
    if not isinstance(found, pd.DataFrame):
        raise SnapshotFileError(
            path, f"expected .obs to be a table, found a {type(found).__name__}."
        )
    return found


def array_of(path: Path, file: Any, key: str, max_bytes: int) -> np.ndarray:
    """An array of .obsm, or the genes, dense."""
    name = key if key == "X" and "X" not in file["obsm"] else f"obsm/{key}"
    found = element(path, file, name, max_bytes)
    if hasattr(found, "toarray"):
        found = found.toarray()
    array = numbers(path, key, np.asarray(found))
    if array.ndim != 2 or 0 in array.shape:
        raise SnapshotFileError(
            path, f"key {key!r}: expected shape (cells, d), found {array.shape}."
        )
    return array
