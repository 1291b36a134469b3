"""What is known of growth: a column of rates, or genes of births and deaths."""

import anndata
import numpy as np
import pandas as pd
import pytest

from wflow.io import read_snapshots
from wflow.io.cells import read_cells
from wflow.studies.population._params import FileData
from wflow.studies.population._prior import GeneSets, growth_of
from wflow.studies.population._said import Said, said_of


RNG = np.random.default_rng(0)
GENES = RNG.poisson(3.0, (12, 4)).astype(float)


@pytest.fixture
def file(tmp_path):
    """Twelve cells of two days, in no order."""
    days = np.array([0, 1] * 6)
    obs = pd.DataFrame(
        {"day": days, "rate": np.arange(12.0)}, [f"c{k}" for k in range(12)]
    )
    var = pd.DataFrame(index=["MKI67", "TOP2A", "CASP3", "FLAT"])
    genes = GENES * [1, 1, 1, 0]
    data = anndata.AnnData(genes, obs, var, obsm={"X_pca": RNG.normal(size=(12, 2))})
    path = tmp_path / "cells.h5ad"
    data.write_h5ad(path)
    snapshots, layout = read_snapshots(path)
    return FileData(kind="file", path=str(path)), layout, snapshots


def test_a_column_is_taken_as_it_is(file):
    cells = read_cells(file[0].path, *file[1:])
    said = said_of(*file, cells, ["rate"])
    rates = growth_of("rate", file[0], said, cells, file[2].sizes)
    np.testing.assert_array_equal(rates[0], [0, 2, 4, 6, 8, 10])
    np.testing.assert_array_equal(rates[1], [1, 3, 5, 7, 9, 11])
    words = Said({"rate": np.array(["fast"] * 12)})
    with pytest.raises(ValueError, match="expected rates in column 'rate'"):
        growth_of("rate", file[0], words, None, (6, 6))


def test_genes_of_births_and_deaths_give_rates(file):
    """Standard scores through the logistic function, by hand."""
    cells = read_cells(file[0].path, *file[1:])
    sets = GeneSets(birth=["MKI67", "TOP2A"], death=["CASP3"], rate=0.7)
    found = growth_of(sets, file[0], Said({}), cells, file[2].sizes)
    z = (GENES - GENES.mean(0)) / GENES.std(0)
    logistic = lambda s: 1 / (1 + np.exp(-s))
    hand = 0.7 * (logistic(z[:, :2].mean(1)) - logistic(z[:, 2]))
    np.testing.assert_allclose(np.concatenate(found), np.r_[hand[::2], hand[1::2]])
    # A gene that is the same everywhere says nothing.
    flat = growth_of(GeneSets(birth=["FLAT"]), file[0], Said({}), cells, (6, 6))
    np.testing.assert_array_equal(np.concatenate(flat), 0)
    with pytest.raises(ValueError, match="expected genes 'ABC'"):
        growth_of(GeneSets(death=["ABC"]), file[0], Said({}), cells, (6, 6))
    with pytest.raises(ValueError, match="found a table"):
        growth_of(sets, file[0], Said({}), None, (6, 6))


def test_sets_of_genes_are_not_both_empty():
    with pytest.raises(ValueError, match="genes of birth or of death, found none"):
        GeneSets()
