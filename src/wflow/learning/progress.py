"""The bar that shows a training."""

import contextlib
from collections.abc import Callable, Iterator


# (steps done, numbers of the last one by name)
Show = Callable[[int, dict[str, float]], None]
# Numbers of every training that say little while it runs.
_LEFT_OUT = ("grad_norm", "horizon", "start", "converged")


@contextlib.contextmanager
def progress_bar(shown: bool, owner: str, done: int, steps: int) -> Iterator[Show]:
    """A bar on standard error that shows how a training goes.

    It shows the loss and what else is written down of a step, steps per second and
    time left.
    """
    if not shown:
        yield lambda done, numbers: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn(owner),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(owner, total=steps, completed=done, status="compiling")

        def show(done: int, numbers: dict[str, float]) -> None:
            speed = progress.tasks[0].speed
            parts = [
                f"{name} {value:.4g}"
                for name, value in numbers.items()
                if name not in _LEFT_OUT
            ]
            if speed:
                parts.append(f"{speed:.3g} steps/s")
            progress.update(bar, completed=done, status="  ".join(parts))

        yield show
