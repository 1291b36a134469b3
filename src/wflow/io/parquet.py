"""Columns of a .parquet file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .refusals import SnapshotFileError, bounded, quoted


class ParquetSource(NamedTuple):
    """A table in a .parquet file, read as ``Source`` reads one of text."""

    path: Path
    file: Any
    header: list[str]

    @classmethod
    def of(cls, path: Path) -> "ParquetSource":
        """The table, of which nothing but its schema is read.

        Raises:
            SnapshotFileError: the file is no .parquet.
            ModuleNotFoundError: the package pyarrow is not installed.
        """
        try:
            import pyarrow.parquet as parquet  # pyright: ignore[reportMissingImports]
            from pyarrow import (  # pyright: ignore[reportMissingImports]
                ArrowException,
            )
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{path}: .parquet files need the package pyarrow, which comes with "
                "pip install 'wflow-jax[parquet]'."
            ) from error
        try:
            file = parquet.ParquetFile(path)
        except ArrowException as error:
            raise SnapshotFileError(path, "is not a readable .parquet file.") from error
        return cls(path, file, list(file.schema_arrow.names))

    def first(self, count: int) -> list[list[str]]:
        """The first rows, as text."""
        batch = next(self.file.iter_batches(count), None)
        rows = [] if batch is None else batch.to_pylist()
        return [[_text(row[name]) for name in self.header] for row in rows]

    def read(
        self, texts: Sequence[str], used: Sequence[str], max_bytes: int
    ) -> tuple[dict[str, list[str]], np.ndarray]:
        """Some columns as text, and others as numbers ``(rows, columns)``."""
        rows = self.file.metadata.num_rows
        bounded(self.path, "the table", 8 * rows * len(used), max_bytes)
        columns = self.file.read(columns=[*texts, *used])
        kept = {name: [_text(v) for v in columns[name].to_pylist()] for name in texts}
        table = np.empty((rows, len(used)))
        for k, name in enumerate(used):
            table[:, k] = list(self._numbers(name, columns[name].to_pylist()))
        return kept, table

    def _numbers(self, name: str, values: list[Any]) -> Iterator[float]:
        for value in values:
            if value is not None and not isinstance(value, int | float):
                raise SnapshotFileError(
                    self.path,
                    f"column {name!r}: expected numbers, found {quoted([value])}. "
                    "Columns that are no coordinates are left out by naming the "
                    "coordinates with columns (data.keys.columns).",
                )
            yield float("nan") if value is None else float(value)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
