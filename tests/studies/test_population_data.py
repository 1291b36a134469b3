"""Where snapshots come from: simulators, a user's file, the copy that a run keeps."""

import itertools

import anndata
import numpy as np
import pandas as pd
import pytest
from population_runs import FREE, flying, read, setting

from wflow.io import read_gapminder
from wflow.io.base import Layout
from wflow.io.table import CSV
from wflow.learning import Fit
from wflow.studies import load as load_study
from wflow.studies._folder import RunDirectory
from wflow.studies.population._data import (
    individuals,
    keep,
    kept,
    load,
    rearranged,
)
from wflow.studies.population._said import cells_of
from wflow.studies.population._saved import check_times, read_context, write_context
from wflow.studies.population._setting import Setting
from wflow.studies.population._times import time_text


T = np.repeat(np.arange(4), 10)
X = np.random.default_rng(0).normal(size=(40, 2)) + T[:, None]
FRAME = pd.DataFrame({"t": T, "x": X[:, 0], "y": X[:, 1]})
LAST = "split={kind: last, count: 1}"


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cells.csv"
    FRAME.to_csv(path, index=False)
    return path


def _read(path, name="gapminder", *settings):
    return read(name, LAST, *settings, data=path)[1]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vortex", "toggle"])
def test_simulators_by_name(kind):
    simulate = f"data.simulate={{kind: {kind}, n: 6, snapshots: 3}}"
    _, p = read("boids", simulate)
    first, again = (load(p, "here").snapshots for _ in range(2))
    assert len(first) == 3
    assert len(first[0]) == 6
    np.testing.assert_array_equal(first[0], again[0])
    other = load(p.model_copy(update={"seed": 5}), "here").snapshots
    assert (first[0] != other[0]).any()


@pytest.mark.parametrize("name", ["gapminder", "ocean_forecast", "boids"])
def test_the_title_is_that_of_the_file(table, name):
    p = _read(table, name, "data.axes={}")
    assert p.title == "Snapshots of cells.csv"
    assert p.data.kind == "file"
    assert p.data.time.label == "time"
    assert p.data.shuffle == (name != "ocean_forecast") or name == "gapminder"


def test_a_study_that_simulates_takes_no_file(table):
    with pytest.raises(ValueError, match="simulates its data"):
        load_study("population_sde").with_data({}, table)


def test_a_limit_and_keys_can_be_set(table):
    with pytest.raises(ValueError, match=r"max_bytes = 100 bytes.*data\.max_bytes"):
        load(_read(table, "gapminder", "data.max_bytes=100"), "here")
    data = load(_read(table, "gapminder", "data.keys.columns=[y]"), "here")
    assert data.layout.columns == ("y",)
    with pytest.raises(ValueError, match=r"data\.keys\.colums is not a key"):
        _read(table, "gapminder", "data.keys.colums=[y]")


def test_columns_are_those_that_the_run_was_trained_on(table):
    p = _read(table)
    FRAME.assign(batch=1)[["batch", "y", "t", "x"]].to_csv(table, index=False)
    trained = Layout("csv", columns=("x", "y"))
    found = load(p, "here", trained).snapshots
    assert sorted(map(tuple, found[2])) == sorted(map(tuple, X[20:30]))
    FRAME.rename(columns={"x": "z"}).to_csv(table, index=False)
    with pytest.raises(ValueError, match="trained on the columns x, y"):
        load(p, "here", trained)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["data.axes.labels=[a]"], r"data\.axes\.labels: expected 2 names"),
        (["data.masses=[1, 2]"], r"data\.masses: expected 4 numbers.*found 2"),
    ],
)
def test_what_does_not_fit_the_snapshots(table, settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        load(_read(table, "gapminder", "data.axes={}", *settings), "here")


@pytest.mark.slow
def test_without_a_file_it_is_said_which_one_is_needed():
    study, p = read("ocean_interpolation")
    with pytest.raises(ValueError, match=r"here needs --data FILE: .*velocities \("):
        study.check(p, "here")


def test_masses_are_those_of_the_config(table):
    FRAME[5:].to_csv(table, index=False)
    counts = load(_read(table, "gapminder", "data.masses=counts"), "here").snapshots
    np.testing.assert_array_equal(counts.masses, [1, 2, 2, 2])
    given = load(_read(table, "gapminder", "data.masses=[2, 1, 3, 4]"), "").snapshots
    np.testing.assert_array_equal(given.masses, [1, 0.5, 1.5, 2])


def test_rows_are_shuffled_with_what_belongs_to_them(tmp_path):
    path = tmp_path / "moving.npz"
    np.savez(path, positions=X.reshape(4, 10, 2), velocities=2 * X.reshape(4, 10, 2))
    found = load(_read(path, "ocean_forecast", "data.shuffle=true"), "").snapshots
    assert (found[1] != X[10:20]).any()
    np.testing.assert_array_equal(found.velocity(1), 2 * found[1])
    np.testing.assert_array_equal(np.sort(found[1], axis=0), np.sort(X[10:20], axis=0))


def test_a_run_keeps_what_came_from_a_file(table, tmp_path):
    p = _read(table, "gapminder", "data.masses=counts")
    directory = RunDirectory(tmp_path / "run")
    directory.make()
    data = load(p, "here")
    keep(p, directory, data)
    again = kept(p, directory)
    assert again.layout == data.layout
    np.testing.assert_array_equal(again.snapshots.masses, data.snapshots.masses)
    for a, b in zip(again.snapshots, data.snapshots, strict=True):
        np.testing.assert_array_equal(a, b)
    directory.data.write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"data\.npz is damaged"):
        kept(p, directory)


def test_units_and_layout_are_kept(table, tmp_path):
    made = setting(_read(table))
    directory = RunDirectory(tmp_path / "run")
    directory.make()
    with pytest.raises(ValueError, match="the run has no units.json"):
        read_context(directory)
    write_context(directory, made.units, made.data.layout)
    units, layout = read_context(directory)
    assert units.plain == made.units.plain
    assert layout == made.data.layout
    text = directory.units.read_text()
    directory.units.write_text(text.replace('"dtype": "float64"', '"dtype": "int"'))
    with pytest.raises(ValueError, match=r"units\.json is damaged: .* dtype"):
        read_context(directory)


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
    p = _read(table)
    made = setting(p)
    fitted = flying(made.split.train, 0.0)
    check_times(p, made.shown.train, made.units, fitted)
    FRAME.assign(t=FRAME["t"] * factor).to_csv(table, index=False)
    other = Setting.of(p, load(p, "here"), made.units)
    with pytest.warns(UserWarning, match=rf"{words}.*in another unit"):
        check_times(p, other.shown.train, made.units, fitted)


def test_the_law_starts_anew_at_other_snapshots(table):
    p = _read(table)
    made = setting(p)
    own = flying(made.split.train, 1.0)
    assert made.refitted(own) is own
    other = Fit(FREE, made.split.test, (made.split.test[0] * 0,), {}, 0.5)
    moved = made.refitted(other)
    assert moved.snapshots is made.split.train
    # By the config's rule, optimal transport to the next one.
    gap = np.diff(made.split.train.times)[0]
    mean = moved.velocities[0].mean(0) * gap
    shift = made.split.train[1].mean(0) - made.split.train[0].mean(0)
    np.testing.assert_allclose(mean, shift)


def test_cells_that_forecasts_start_from_are_kept(tmp_path):
    obs = pd.DataFrame(
        {"day": pd.Categorical([f"D{t}" for t in T]), "kind": list("ab") * 20},
        index=[f"cell{k}" for k in range(40)],
    )
    made = anndata.AnnData(np.ones((40, 3), "f4"), obs=obs, obsm={"X_pca": X})
    made.varm["PCs"] = np.eye(3)[:, :2]
    made.write_h5ad(tmp_path / "cells.h5ad")
    found = setting(_read(tmp_path / "cells.h5ad"))
    train, layout = found.shown.train, found.data.layout
    cells = cells_of(found.p.data, layout, train)
    np.testing.assert_array_equal(cells.obsm["X_pca"], np.concatenate(train.clouds))
    np.testing.assert_array_equal(
        made[cells.obs.index].obsm["X_pca"], cells.obsm["X_pca"]
    )
    np.testing.assert_array_equal(cells.varm["PCs"], made.varm["PCs"])
    assert cells_of(found.p.data, CSV, train) is None


def test_times_keep_the_digits_that_tell_them_apart():
    for times in ((20240101, 20240102), (1.7e9, 1.7e9 + 0.5), (0.1 + 0.2, 0.31)):
        texts = [time_text(time, times) for time in times]
        assert all(a != b for a, b in itertools.combinations(texts, 2))
    assert time_text(0.1 + 0.2) == "0.3"
    assert time_text(1997.0) == "1997"


def test_the_noise_is_the_distance_of_two_halves(table):
    made = setting(_read(table))
    times = made.split.test.times
    (floor,) = made.floor(times)
    assert 0.1 < floor < 1.5
    assert made.noise("floor", times) == {"floor": floor}
    # The order of the rows does not matter.
    FRAME[::-1].to_csv(table, index=False)
    np.testing.assert_allclose(setting(_read(table)).floor(times), [floor])
    assert made.floor([99.0]) == [None]
    assert made.noise("floor", [99.0]) == {}


def test_countries_are_tracked_through_the_shuffle():
    _, p = read("gapminder")
    assert p.data.tracked
    shuffled = load(p, "here").snapshots
    found = rearranged(shuffled, individuals(p, shuffled.sizes))
    for cloud, mixed, known in zip(
        found, shuffled, read_gapminder(None).snapshots, strict=True
    ):
        np.testing.assert_array_equal(cloud, known)
        assert (cloud != mixed).any()


def test_individuals_are_there_at_all_times(table):
    FRAME.iloc[:-1].to_csv(table, index=False)
    p = _read(table, "ocean_forecast", "data.axes={}", "data.tracked=true")
    with pytest.raises(ValueError, match="same individuals at all times"):
        load(p, "here")
