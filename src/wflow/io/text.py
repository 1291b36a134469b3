"""Text in columns: its encoding, its separator, its decimal marks."""

import contextlib
import csv
import functools
import gzip
import io
import itertools
import re
import zlib
from array import array
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from .refusals import SnapshotFileError, bounded, names
from .times import MISSING


# Fewer rows say nothing about what a column holds.
FEW = 10
_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?")
_QUOTED = re.compile(r'"[^"]*"')
UNNAMED = re.compile(r"(?:Unnamed: \d+(?:_level_\d+)?)?")
_ENCODINGS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def _opened(path: Path) -> IO[bytes]:
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rb")
    return path.open("rb")


@contextlib.contextmanager
def _damage(path: Path) -> Iterator[None]:
    """What is wrong with a compressed file, as a sentence."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SnapshotFileError(path, "is not a whole .gz file.") from error


class Source(NamedTuple):
    """A table of text: how to open it, and its header."""

    path: Path
    encoding: str
    separator: str
    header: list[str]

    @classmethod
    def of(cls, path: Path) -> "Source":
        with _damage(path), _opened(path) as file:
            begin = file.read(4096)
        encoding = next(
            (name for mark, name in _ENCODINGS if begin.startswith(mark)), "utf-8"
        )
        if encoding == "utf-8" and b"\0" in begin:
            raise SnapshotFileError(
                path,
                "is not a readable .csv file: it holds zero bytes; save it as UTF-8.",
            )
        source = cls(path, encoding, ",", [])
        first = next(source._lines(), "")
        outside = _QUOTED.sub("", first)
        cells = {mark: outside.count(mark) for mark in (",", ";", "\t", "|")}
        separator = max(cells, key=lambda mark: cells[mark])
        if cells[separator] == 0 and " " in first.strip():
            separator = " "
        source = source._replace(separator=separator)
        rows = source._rows()
        header = [name.strip() for name in next(rows, [])]
        if next(rows, None) is None:
            count = int(bool(header))
            raise SnapshotFileError(
                path, f"expected a header and rows, found {count} lines."
            )
        if len(set(header)) < len(header):
            seen: set[str] = set()
            twice = [name for name in header if name in seen or seen.add(name)]
            raise SnapshotFileError(path, f"columns repeat a name: {names(twice)}.")
        if all(_number(name, separator) is not None for name in header if name) and any(
            header
        ):
            raise SnapshotFileError(
                path,
                f"expected a header with names, found the numbers {names(header, 4)}; "
                "put a line of names first.",
            )
        return source._replace(header=header)

    def _lines(self) -> Iterator[str]:
        with (
            _damage(self.path),
            _opened(self.path) as raw,
            io.TextIOWrapper(raw, self.encoding, newline="") as file,
        ):
            try:
                yield from file
            except UnicodeError:
                raise SnapshotFileError(
                    self.path,
                    f"is not a readable .csv file: its text is not {self.encoding}; "
                    "save it as UTF-8.",
                ) from None

    def _rows(self) -> Iterator[list[str]]:
        rows = csv.reader(
            self._lines(), delimiter=self.separator, skipinitialspace=True
        )
        try:
            for row in rows:
                if row:
                    yield row
        except csv.Error as error:
            raise SnapshotFileError(
                self.path, f"is not a readable .csv file: {error}."
            ) from None

    def first(self, count: int) -> list[list[str]]:
        """The first rows below the header, as text."""
        rows = itertools.islice(self._rows(), 1, count + 1)
        return [[_decimal(cell) for cell in row] for row in rows]

    def read(
        self, texts: Sequence[str], used: Sequence[str], max_bytes: int
    ) -> tuple[dict[str, list[str]], np.ndarray]:
        """Some columns as text, and others as numbers ``(rows, columns)``."""
        at = {name: k for k, name in enumerate(self.header)}
        columns = [at[name] for name in used]
        places = [at[name] for name in texts]
        width = len(self.header)
        select = itemgetter(*columns) if len(columns) > 1 else None
        numbers = array("d")
        kept: list[list[str]] = [[] for _ in places]
        rows = self._rows()
        next(rows)
        count = 0
        for count, row in enumerate(rows, 1):  # noqa: B007
            if len(row) != width:
                raise SnapshotFileError(
                    self.path,
                    f"row {count}: expected {width} cells, found {len(row)}.",
                )
            for store, place in zip(kept, places, strict=True):
                store.append(row[place])
            cells = tuple(row[k] for k in columns) if select is None else select(row)
            try:
                if "_" in "".join(cells):
                    raise ValueError
                numbers.extend(map(float, cells))
            except ValueError:
                del numbers[(count - 1) * len(columns) :]
                numbers.extend(self._careful(count, cells, used))
            if 8 * len(numbers) > max_bytes:
                bounded(self.path, "the table", 8 * len(numbers), max_bytes)
        if self.separator != ",":
            kept = [[_decimal(cell) for cell in store] for store in kept]
        table = np.frombuffer(numbers, np.float64).reshape(count, len(columns))
        return dict(zip(texts, kept, strict=True)), table

    def _careful(
        self, row: int, cells: Sequence[str], used: Sequence[str]
    ) -> Iterator[float]:
        for cell, column in zip(cells, used, strict=True):
            number = _number(cell, self.separator)
            if number is None:
                raise SnapshotFileError(
                    self.path,
                    f"row {row}, column {column!r}: expected a number, found "
                    f"{cell[:40]!r}. Columns that are no coordinates are left out by "
                    "naming the coordinates with columns (data.keys.columns).",
                )
            yield number


def _decimal(cell: str) -> str:
    """A decimal comma, where commas do not separate, as a point."""
    return cell.replace(",", ".") if _COMMA.fullmatch(cell.strip()) else cell


@functools.lru_cache(4096)
def _number(cell: str, separator: str) -> float | None:
    """The number in a cell: nan where it is missing, None where it is none."""
    cell = cell.strip()
    if cell.casefold() in MISSING:
        return float("nan")
    if separator != ",":
        cell = _decimal(cell)
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None
