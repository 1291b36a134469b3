"""Numbers that a run wrote, read again; what is missing or damaged is named."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from ._files import explained, write_bytes


Value = TypeVar("Value")


class Found(dict[str, Value]):
    """What a file holds, by name; a name that is not there ends in a sentence."""

    def __init__(self, path: Path, kind: str, values: Any = ()):
        super().__init__(values)
        self.path, self.kind = path, kind

    def __missing__(self, name: str) -> NoReturn:
        article = "an" if self.kind[0] in "aeiou" else "a"
        raise damaged(self.path, f"expected {article} {self.kind} {name!r}, found none")

    def arrays(self) -> "Found[np.ndarray]":
        """The same, each value as an array."""
        arrays = {name: np.asarray(value) for name, value in self.items()}
        return Found(self.path, self.kind, arrays)


Numbers = Found[float]
Columns = Found[list[float]]


def damaged(path: Path, problem: str) -> ValueError:
    """The sentence about a file of a run that is not as the run wrote it."""
    return ValueError(f"{path} is damaged: {problem}; run the config again.")


def read_text(path: Path) -> str:
    """The text of a file of a run.

    Raises:
        ValueError: it is not there, cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{explained(error)}.") from error
    except UnicodeDecodeError:
        raise damaged(path, "expected text, found other bytes") from None


def read_json(path: Path) -> dict[str, Any]:
    """The mapping in a .json of a run.

    Raises:
        ValueError: it is not there, cannot be read, or holds no mapping.
    """
    text = read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise damaged(path, "expected JSON, found something else") from None
    if not isinstance(found, dict):
        raise damaged(path, f"expected names and values, found {str(found)[:40]!r}")
    return found


def read_numbers(path: Path) -> Numbers:
    """The numbers of a .json of a run, by name.

    Raises:
        ValueError: something in it is no number.
    """
    found = read_json(path)
    for name, value in found.items():
        if not isinstance(value, int | float):
            raise damaged(
                path, f"expected a number {name!r}, found {str(value)[:40]!r}"
            )
    return Found(path, "number", found)


def read_rows(path: Path) -> list[Found[str]]:
    """The rows of a .csv with a header, each by the names of its columns.

    Raises:
        ValueError: it cannot be read, or its rows are not as long as its header.
    """
    header, *rows = _lines(path)
    return [Found(path, "column", zip(header, row, strict=True)) for row in rows]


def _lines(path: Path) -> list[list[str]]:
    """The header and the rows, of one length."""
    try:
        lines = list(csv.reader(io.StringIO(read_text(path), newline="")))
    except csv.Error:
        raise damaged(path, "expected a table, found something else") from None
    if not lines:
        raise damaged(path, "expected a header and rows, found nothing")
    for k, row in enumerate(lines):
        if len(row) != len(lines[0]):
            raise damaged(
                path, f"expected {len(lines[0])} cells in row {k}, found {len(row)}"
            )
    return lines


def read_columns(path: Path) -> Columns:
    """The numbers of a .csv with a header.

    Raises:
        ValueError: it cannot be read, or a cell is no number.
    """
    header, *_ = _lines(path)
    rows = read_rows(path)
    return Found(
        path, "column", {name: [number(row, name) for row in rows] for name in header}
    )


def number(row: Found[str], name: str) -> float:
    """The number in a cell of a row of ``read_rows``.

    Raises:
        ValueError: it is none.
    """
    try:
        return float(row[name])
    except ValueError:
        raise damaged(
            row.path, f"expected a number under {name!r}, found {row[name][:40]!r}"
        ) from None


def write_columns(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write a .csv of columns of one length; a reader never sees half of it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    write_bytes(path, text.getvalue().encode())
