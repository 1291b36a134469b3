"""One process at a time fills a folder."""

import contextlib
import errno
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path

from .errors import CommandError


try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None

# What file systems without locks answer.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)

NAME = ".wflow.lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold ``folder``, which exists, until the end.

    The system gives the lock back whatever ends the process. Where several processes
    make one run together, the first of them alone takes it. Systems that have no such
    lock go without.

    Raises:
        CommandError: another process holds it; the sentence says which.
    """
    path = folder / NAME
    descriptor = _taken(path)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{socket.gethostname()} {os.getpid()}".encode())
        yield
    finally:
        # Before the lock is given back: whoever opened the file meanwhile sees that it
        # is no longer the one in the folder.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _taken(path: Path) -> int:
    """A descriptor of the lock's file, held."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if fcntl is None:
            return descriptor
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.read(descriptor, 300).decode(errors="replace")
            host, _, process = written.partition(" ")
            os.close(descriptor)
            who = f"process {process} on {host}" if process else "another process"
            raise CommandError(
                f"{path.parent}: {who} is filling this folder; wait for it, or give "
                "another one with --out."
            ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise
            warnings.warn(
                f"{path.parent}: the file system has no locks; start no second run "
                "there.",
                stacklevel=2,
            )
        try:
            current = os.stat(path).st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            current = False
        if current:
            return descriptor
        os.close(descriptor)
