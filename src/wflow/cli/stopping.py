"""SIGTERM ends a command as Ctrl-C does: what was computed is kept."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .errors import Terminated


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Raise ``Terminated`` where the process is asked to end.

    Only the main thread hears signals; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
