"""Arrays and a JSON header in one file that is never half written."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, BinaryIO

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils


# Written first, so that another file is refused in a sentence.
_MAGIC = "wflow"
_SUM = "sha256"


def write(path: str | os.PathLike, header: dict[str, Any], arrays: Any) -> None:
    """Put ``header`` and the arrays of a pytree into ``path``.

    Written to a temporary file beside it and renamed: whatever stops the process, the
    path holds the old file or the new one. Random keys go in as ``key_data``. The
    header holds a SHA-256 of all the rest, which ``read_header`` looks at.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    digest = hashlib.sha256(_line(header))
    try:
        with temporary.open("wb") as file:
            # A place for the checksum of what follows, which is known at the end.
            file.write(_line({**header, _SUM: "0" * 64}))
            eqx.tree_serialise_leaves(_Summing(file, digest), _raw(arrays))
            file.seek(0)
            file.write(_line({**header, _SUM: digest.hexdigest()}))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        # What a write to a full disk raises does not say which file it was.
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        # There only where the disk was full, or the process was told to stop.
        temporary.unlink(missing_ok=True)


def read_header(path: str | os.PathLike) -> dict[str, Any]:
    """The header of a file that ``write`` made, all of whose bytes are as written.

    Raises:
        ValueError: it is not such a file, or it has changed.
    """
    with Path(path).open("rb") as file:
        header = _header(path, file)
        # Files of earlier versions have none.
        expected = header.pop(_SUM, None)
        if expected is not None:
            digest = hashlib.sha256(_line(header))
            while piece := file.read(1 << 20):
                digest.update(piece)
            if digest.hexdigest() != expected:
                raise ValueError(
                    f"{path} is damaged: its checksum is not that of what was written."
                )
    return header


def read(path: str | os.PathLike, like: Any) -> Any:
    """The arrays of ``path``, in a pytree of the structure and shapes of ``like``.

    Raises:
        ValueError: not a file of ``write``, or its arrays do not fit ``like``.
    """
    with Path(path).open("rb") as file:
        _header(path, file)
        try:
            raw = eqx.tree_deserialise_leaves(file, _raw(like))
        except (RuntimeError, EOFError, ValueError, MemoryError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[-1][:200]
            raise ValueError(f"{path} holds another model: {why}") from error
    return jax.tree.map(
        lambda old, new: (
            jax.random.wrap_key_data(new, impl=jax.random.key_impl(old))
            if is_key(old)
            else new
        ),
        like,
        raw,
    )


class _Summing:
    """A file to write to, whose bytes go into a digest too."""

    def __init__(self, file: BinaryIO, digest: Any):
        self.file, self.digest = file, digest

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)


def _line(header: dict[str, Any]) -> bytes:
    return json.dumps({"format": _MAGIC, **header}, sort_keys=True).encode() + b"\n"


def is_key(leaf: Any) -> bool:
    """Whether ``leaf`` is a typed random key."""
    return isinstance(leaf, jax.Array) and jnp.issubdtype(
        leaf.dtype, jax.dtypes.prng_key
    )


def fingerprint(arrays: Any) -> str:
    """A hash of all numbers and strings in a pytree: shapes, dtypes and bits."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(_raw(arrays)):
        if not (eqx.is_array_like(leaf) or isinstance(leaf, str)):
            continue
        array = np.asarray(leaf)
        digest.update(f"{array.shape}{array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]


def _raw(tree: Any) -> Any:
    return jax.tree.map(
        lambda leaf: whole(jax.random.key_data(leaf) if is_key(leaf) else leaf), tree
    )


def whole(leaf: Any) -> Any:
    """An array that several processes hold together, in each of them; else itself.

    All of them have to ask for it.
    """
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        return leaf
    return jnp.asarray(multihost_utils.process_allgather(leaf, tiled=True))


def _header(path: str | os.PathLike, file: BinaryIO) -> dict[str, Any]:
    line = file.readline(1 << 20)
    try:
        header = json.loads(line)
    except (ValueError, RecursionError):
        header = None
    if not isinstance(header, dict) or header.get("format") != _MAGIC:
        raise ValueError(f"{path} is not a file that wflow wrote.")
    return header
