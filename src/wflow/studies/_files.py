"""Files that are written whole, and what is said where one cannot be."""

import hashlib
import os
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write at once: a reader sees the old file or the new one, never half of one."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes) -> None:
    """The same for bytes."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        # What a write to a full disk raises does not say which file it was.
        raise OSError(error.errno, error.strerror, str(path)) from error


def unfinished(name: str) -> tuple[str, ...]:
    """Names under which a file of this name is written before it is whole."""
    return f"{name}.partial", f"{name}.part"


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def explained(error: OSError) -> str:
    """What the system refused, and of which file."""
    problem = error.strerror or str(error) or type(error).__name__
    return problem if error.filename is None else f"{error.filename}: {problem}"
