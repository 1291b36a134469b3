"""What a run says at its end, on the terminal."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from wflow.studies._outcome import HALVES, Outcome, ScoreTable


def show(outcome: Outcome, console: Console) -> None:
    """Print tables, verdicts and remarks."""
    for table in outcome.tables:
        console.print(table.title, style="bold", highlight=False, soft_wrap=True)
        console.print(_rendered(table))
        for model in table.models:
            if sentence := table.verdict(model):
                console.print(sentence, highlight=False, soft_wrap=True)
        console.print()
    for remark in outcome.remarks:
        console.print(remark, highlight=False, soft_wrap=True)


def _rendered(scores: ScoreTable) -> Table:
    """For the terminal, with a mean over the columns where it makes sense."""
    several = len(scores.columns) > 1 and scores.averaged
    rows = {
        name: [*row, *([scores.mean(name)] if several else [])]
        for name, row in scores.rows.items()
    }
    floor = None
    if scores.floor is not None:
        floor = [*scores.floor, *([scores.noise] if several else [])]
    columns = [*scores.columns, *(["mean"] if several else [])]
    return grid(columns, rows, scores.models, floor, scores.noise_of)


def grid(
    columns: Sequence[str],
    rows: Mapping[str, Sequence[float | None]],
    models: Sequence[str] = (),
    floor: Sequence[float | None] | None = None,
    noise_of: str = HALVES,
) -> Table:
    """Scores for the terminal: the best of each column is bold."""
    table = Table(box=box.SIMPLE)
    table.add_column("")
    for name in columns:
        table.add_column(name, justify="right")
    best = [
        min((s for s in column if s is not None), default=None)
        for column in zip(*rows.values(), strict=True)
    ]
    for name, row in rows.items():
        cells = [
            "-"
            if score is None
            else f"[bold]{score:.4f}[/]"
            if score == low
            else f"{score:.4f}"
            for score, low in zip(row, best, strict=True)
        ]
        table.add_row(name, *cells, style="green" if name in models else None)
    if floor is not None and any(value is not None for value in floor):
        cells = ["-" if value is None else f"{value:.4f}" for value in floor]
        table.add_row(f"noise: {noise_of}", *cells, style="dim")
    return table
