"""The bar that shows a training."""

import contextlib
from collections.abc import Callable, Iterator


# (steps done, loss, friction)
Show = Callable[[int, float, float], None]


@contextlib.contextmanager
def progress_bar(shown: bool, done: int, steps: int) -> Iterator[Show]:
    """A bar with loss, friction, steps per second and time left, on standard error."""
    if not shown:
        yield lambda done, loss, friction: None
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
        TextColumn("fit"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[status]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("fit", total=steps, completed=done, status="compiling")

        def show(done: int, loss: float, friction: float) -> None:
            speed = progress.tasks[0].speed
            rate = f"{speed:.3g} steps/s" if speed else ""
            progress.update(
                bar,
                completed=done,
                status=f"loss {loss:.4g}  friction {friction:.4g}  {rate}",
            )

        yield show
