"""A user's file in place of the config's data, and scores beside their noise."""

from pathlib import Path
from types import SimpleNamespace

import anndata
import numpy as np
import pandas as pd
import pytest

from wflow.cli.errors import CommandError
from wflow.cli.population.data import load
from wflow.cli.population.study import Study, check_times
from wflow.cli.population.times import time_text
from wflow.cli.runner import prepare
from wflow.io import Layout
from wflow.io.h5ad import load_cells
from wflow.studies._configs import override, read_yaml
from wflow.studies._folder import RunDirectory


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
T = np.repeat(np.arange(4), 10)
X = np.random.default_rng(0).normal(size=(40, 2)) + T[:, None]
FRAME = pd.DataFrame({"t": T, "x": X[:, 0], "y": X[:, 1]})


def _config(path, name="gapminder", *settings):
    raw = read_yaml(CONFIGS / f"{name}.yaml")
    settings = ("split={kind: last, count: 1}", "precision=float64", *settings)
    return prepare(override(raw, list(settings)), name, path)[1]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cells.csv"
    FRAME.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["gapminder", "ocean_forecast", "boids"])
def test_the_title_is_that_of_the_file(table, name):
    config = _config(table, name, "data.axes={}")
    assert config.title == "Snapshots of cells.csv"
    assert config.data.time.label == "time"


def test_a_limit_and_keys_can_be_set(table):
    with pytest.raises(
        (CommandError, ValueError), match=r"max_bytes = 100 bytes.*data\.max_bytes"
    ):
        _config(table, "gapminder", "data.max_bytes=100")
    data = load(_config(table, "gapminder", "data.keys.columns=[y]"), "")
    assert data.layout.columns == ("y",)


def test_columns_are_those_that_the_run_was_trained_on(table):
    config = _config(table)
    FRAME.assign(batch=1)[["batch", "y", "t", "x"]].to_csv(table, index=False)
    trained = Layout("csv", columns=("x", "y"))
    found = load(config, "", trained).snapshots
    assert sorted(map(tuple, found[2])) == sorted(map(tuple, X[20:30]))
    FRAME.rename(columns={"x": "z"}).to_csv(table, index=False)
    with pytest.raises(ValueError, match="trained on the columns x, y"):
        load(config, "", trained)


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (24, "outside the 0 to 2"),
        (1.5, "outside the 0 to 2"),
        (-1, "outside the 0 to 2"),
        (1 / 24, "0.0416667 apart"),
    ],
)
def test_times_in_another_unit_than_those_of_training_are_told(table, factor, words):
    config = _config(table)
    study = Study.of(config, load(config, ""))
    fitted = SimpleNamespace(snapshots=study.split.train)
    check_times(config, study.shown.train, study.units, fitted)
    FRAME.assign(t=FRAME["t"] * factor).to_csv(table, index=False)
    other = Study.of(config, load(config, ""), study.units)
    with pytest.warns(UserWarning, match=rf"{words}.*in another unit"):
        check_times(config, other.shown.train, study.units, fitted)


def test_cells_that_forecasts_start_from_are_kept(tmp_path):
    obs = pd.DataFrame(
        {"day": pd.Categorical([f"D{t}" for t in T]), "kind": list("ab") * 20},
        index=[f"cell{k}" for k in range(40)],
    )
    made = anndata.AnnData(np.ones((40, 3), "f4"), obs=obs, obsm={"X_pca": X})
    made.varm["PCs"] = np.eye(3)[:, :2]
    made.write_h5ad(tmp_path / "cells.h5ad")
    config = _config(tmp_path / "cells.h5ad")
    study = Study.of(config, load(config, ""))
    directory = RunDirectory(tmp_path / "run")
    directory.path.mkdir()
    study.keep_cells(directory)
    train = study.shown.train
    for k in (0, 2):
        kept = load_cells(directory.cells, study.data.layout, train.times[k])
        np.testing.assert_array_equal(made[kept.obs.index].obsm["X_pca"], train[k])
        np.testing.assert_array_equal(kept.varm["PCs"], made.varm["PCs"])


def test_times_keep_the_digits_that_tell_them_apart():
    for times in ((20240101, 20240102), (1.7e9, 1.7e9 + 0.5), (0.1 + 0.2, 0.31)):
        assert len({time_text(time, times) for time in times}) == 2
    assert time_text(0.1 + 0.2) == "0.3"
    assert time_text(1997.0) == "1997"


def test_the_noise_is_the_distance_of_two_halves(table):
    config = _config(table)
    study = Study.of(config, load(config, ""))
    (floor,) = study.floor(study.split.test.times)
    assert 0.1 < floor < 1.5
    # The order of the rows does not matter.
    FRAME[::-1].to_csv(table, index=False)
    turned = Study.of(config, load(config, ""))
    np.testing.assert_allclose(turned.floor(turned.split.test.times), [floor])
    assert study.floor([99.0]) == [None]
