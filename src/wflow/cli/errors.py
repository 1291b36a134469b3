"""What ends a command with a sentence in place of a traceback."""

import contextlib
from collections.abc import Callable, Iterator

from wflow.studies._files import explained


WRONG_INPUT = 2
FAILED = 1
# 128 and the number of the signal, as shells count.
STOPPED = 130
TERMINATED = 143


class CommandError(Exception):
    """A sentence for the user and the exit code that goes with it."""

    def __init__(self, message: str, code: int = WRONG_INPUT):
        super().__init__(message)
        self.code = code


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a command as Ctrl-C does."""


@contextlib.contextmanager
def failures(kept: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Failed computations and refused arguments of the library as ``CommandError``.

    ``kept`` says, when it is called, what a failure leaves behind.
    """
    try:
        yield
    except BrokenPipeError:
        # Whoever read the output has gone: nothing to say to.
        raise
    except OSError as error:
        raise _failed(explained(error), kept) from error
    except MemoryError as error:
        # One of numpy says how much it asked for.
        raise _failed(f"out of memory. {error}".strip(), kept) from error
    except RecursionError as error:
        raise _failed("the computation is nested too deeply.", kept) from error
    except (ArithmeticError, RuntimeError) as error:
        # Equinox adds advice for its own users below the first line.
        problem = str(error).strip().partition("\n")[0] or type(error).__name__
        raise _failed(problem, kept) from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    except KeyboardInterrupt as stop:
        code = TERMINATED if isinstance(stop, Terminated) else STOPPED
        raise CommandError(f"Stopped. {kept()}".strip(), code) from stop


def _failed(problem: str, kept: Callable[[], str]) -> CommandError:
    problem = problem if problem.endswith((".", "!", "?")) else f"{problem}."
    return CommandError(f"Failed: {problem} {kept()}".strip(), FAILED)
