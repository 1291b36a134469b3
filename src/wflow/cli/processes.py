"""One run by several processes, which may be on several machines."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
from rich.console import Console

from .errors import CommandError


_NAMES = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


@contextlib.contextmanager
def joined(out: Path | None, console: Console) -> Iterator[tuple[Path | None, Console]]:
    """Where this process writes to, and who hears of it, once all others are there.

    The first process fills the run's folder and tells of it. The others compute the
    same and write into a folder of their own, which is gone at the end.

    Raises:
        CommandError: what says which process this is of how many is missing or wrong,
            or the others do not come.
    """
    _join()
    if jax.process_index() == 0:
        yield out, console
        return
    with tempfile.TemporaryDirectory(prefix="wflow-process-") as folder:
        yield Path(folder) / "run", Console(quiet=True)


def _join() -> None:
    """Meet the other processes, before anything of JAX is used."""
    found = {name: os.environ[name] for name in _NAMES if os.environ.get(name)}
    if not found:
        try:
            # A cluster, as Slurm or the pods of Cloud TPUs, says it itself.
            jax.distributed.initialize()
        except (RuntimeError, ValueError) as error:
            raise CommandError(
                f"--distributed: expected {_NAMES[0]}, {_NAMES[1]} and {_NAMES[2]} in "
                f"the environment, or that of a cluster as Slurm, found neither: "
                f"{str(error).partition(chr(10))[0]}"
            ) from error
        return
    missing = [name for name in _NAMES if name not in found]
    if missing:
        raise CommandError(
            f"--distributed: expected {', '.join(_NAMES)} in the environment, found "
            f"no {' and no '.join(missing)}."
        )
    address, *numbers = (found[name] for name in _NAMES)
    try:
        count, number = map(int, numbers)
    except ValueError:
        raise CommandError(
            f"--distributed: expected {_NAMES[1]} and {_NAMES[2]} to be whole numbers, "
            f"found {numbers[0]!r} and {numbers[1]!r}."
        ) from None
    if not 0 <= number < count:
        raise CommandError(
            f"--distributed: expected {_NAMES[2]} from 0 to below {_NAMES[1]}, found "
            f"{number} of {count}."
        )
    jax.distributed.initialize(address, count, number)
