"""What is known of growth before anything is learned: a column, or sets of genes."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from wflow.io.cells import Cells
from wflow.studies import Positive, Strict

from ._said import Said, genes_of


Genes = Annotated[list[str], Field(min_length=1)]


class GeneSets(Strict):
    r"""Births and deaths by the genes that cells express.

    $r\,(\sigma(b) - \sigma(d))$: b and d are the mean standard scores of the genes of a
    set, $\sigma(s) = 1 / (1 + e^{-s})$, one half for a set that is not given, so that a
    cell like all others keeps its number.

    Attributes:
        birth: genes of cells that divide.
        death: genes of cells that die.
        rate: r, per time, the most that a cell may grow.
    """

    birth: Genes | None = None
    death: Genes | None = None
    rate: Positive = 1.0

    @model_validator(mode="after")
    def _any(self) -> "GeneSets":
        if self.birth is None and self.death is None:
            raise ValueError("growth: expected genes of birth or of death, found none.")
        return self

    def rates(self, data: object, cells: Cells) -> np.ndarray:
        """Of all training cells."""
        sets = [genes and list(genes) for genes in (self.birth, self.death)]
        names = list(dict.fromkeys(gene for genes in sets for gene in genes or ()))
        levels = genes_of(data, cells, names)
        shares = [
            _share([levels[g] for g in genes]) if genes else 0.5 for genes in sets
        ]
        return self.rate * np.broadcast_to(shares[0] - shares[1], len(cells.obs))


def _share(levels: list[np.ndarray]) -> np.ndarray:
    scores = []
    for level in levels:
        spread = level.std()
        scores.append((level - level.mean()) / (spread if spread > 0 else 1.0))
    return 1 / (1 + np.exp(-np.mean(scores, axis=0)))


def growth_of(
    growth: str | GeneSets | None,
    data: object,
    said: Said,
    cells: Cells | None,
    sizes: tuple[int, ...],
) -> list[np.ndarray] | None:
    """The rates of every snapshot's rows, as far as they are known.

    Raises:
        ValueError: a column of something else than numbers.
    """
    if growth is None:
        return None
    if isinstance(growth, GeneSets):
        if cells is None:
            raise ValueError("growth: expected genes of an AnnData, found a table.")
        rates = growth.rates(data, cells)
    else:
        column = said.columns[growth]
        try:
            rates = column.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"growth: expected rates in column {growth!r}, found {column[0]!r}."
            ) from error
    if not np.isfinite(rates).all():
        raise ValueError("growth: expected a rate for each row, found some missing.")
    return np.split(np.asarray(rates, np.float64), np.cumsum(sizes)[:-1])
