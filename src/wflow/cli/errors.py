"""What ends a command with a sentence in place of a traceback."""

import contextlib
from collections.abc import Iterator


WRONG_INPUT = 2
FAILED = 1
STOPPED = 130


class CommandError(Exception):
    """A sentence for the user and the exit code that goes with it."""

    def __init__(self, message: str, code: int = WRONG_INPUT):
        super().__init__(message)
        self.code = code


@contextlib.contextmanager
def failures(kept: str = "") -> Iterator[None]:
    """Failed computations and refused arguments of the library as ``CommandError``.

    ``kept`` is a sentence on what a failure leaves behind.
    """
    try:
        yield
    except (ArithmeticError, RuntimeError) as error:
        # Equinox adds advice for its own users below the first line.
        problem = str(error).strip().partition("\n")[0] or type(error).__name__
        raise CommandError(f"Failed: {problem} {kept}".strip(), FAILED) from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt as stop:
        raise CommandError(f"Stopped. {kept}".strip(), STOPPED) from stop
