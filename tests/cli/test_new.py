"""`wflow new`: what it says, what it writes, and what it keeps."""

import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.studies import load as load_study
from wflow.studies._params import validate
from wflow.studies.population._data import load as load_data


ROWS = 30


@pytest.fixture
def cells(tmp_path):
    rng = np.random.default_rng(0)
    data = anndata.AnnData(
        np.ones((ROWS, 3), "f4"),
        obs=pd.DataFrame(
            {
                "day": np.repeat([0, 2, 3], 10),
                "cell_type": pd.Categorical(rng.choice(["a", "b"], ROWS)),
            },
            index=[f"cell{k}" for k in range(ROWS)],
        ),
        obsm={"X_pca": rng.normal(size=(ROWS, 2))},
    )
    path = tmp_path / "cells.h5ad"
    data.write_h5ad(path)
    return path


def _new(*words):
    return CliRunner().invoke(app, ["new", *map(str, words)])


def test_what_is_found_is_said_and_a_config_written(cells, tmp_path):
    done = _new(cells, "-o", tmp_path / "my.yaml")
    assert done.exit_code == 0, done.output
    for word in ("30 cells", "day", "0: 10, 2: 10", "X_pca", "cell_type (2)"):
        assert word in done.output
    said = " ".join(done.output.split())
    assert "not taken as masses unless the config says masses: counts" in said
    config = yaml.safe_load((tmp_path / "my.yaml").read_text())
    assert config["task"] == "population_auto"
    assert config["title"] == "cells.h5ad: X_pca over day"
    assert config["data"]["keys"] == {"time": "day", "positions": "X_pca"}
    assert config["data"]["masses"] is None
    assert config["data"]["time"] == {"label": "day"}
    assert config["annotation"] == "cell_type"


def test_a_config_is_kept_unless_it_is_to_be_replaced(cells, tmp_path):
    out = tmp_path / "my.yaml"
    out.write_text("mine")
    kept = _new(cells, "-o", out)
    assert kept.exit_code == 2
    assert "exists and is kept; --overwrite replaces it" in kept.stderr
    assert out.read_text() == "mine"
    assert _new(cells, "-o", out, "--overwrite").exit_code == 0
    assert out.read_text() != "mine"


def test_without_its_extra_a_file_is_answered_by_the_line_that_brings_it(
    cells, monkeypatch
):
    monkeypatch.setitem(sys.modules, "anndata", None)
    done = _new(cells)
    assert done.exit_code == 2
    assert "pip install 'wflow-jax[anndata]'" in done.stderr


def test_what_cannot_be_known_is_asked_for_by_an_option(tmp_path):
    path = tmp_path / "a.csv"
    frame = pd.DataFrame({"hour": np.repeat([0, 1], 10), "x": np.sqrt(np.arange(20))})
    frame.assign(week=frame["hour"].to_numpy() ** 2 + 1).to_csv(path, index=False)
    assert _new(path, "-o", tmp_path / "a.yaml").exit_code == 2
    assert "say which with --time NAME." in _new(path).stderr
    done = _new(path, "-o", tmp_path / "a.yaml", "--time", "hour")
    assert done.exit_code == 0, done.output


def test_one_time_is_no_course(tmp_path):
    path = tmp_path / "a.csv"
    pd.DataFrame({"t": np.zeros(20), "x": np.sqrt(np.arange(20))}).to_csv(
        path, index=False
    )
    done = _new(path)
    assert done.exit_code == 2
    assert "two times or more" in done.stderr


def test_individuals_are_found_by_their_names(tmp_path):
    """Each country once a year; where it lies is no coordinate of its course."""
    names = np.array(["Chile", "Ghana", "Japan", "Kenya"])
    rng, parts = np.random.default_rng(0), []
    for year in (1990, 1995, 2000):
        order = rng.permutation(4)
        frame = pd.DataFrame({"year": year, "country": names[order]})
        frame["wealth"] = rng.normal(size=4) + year / 5
        parts.append(frame.assign(latitude=np.array([-30.1, 8.2, 36.3, 0.4])[order]))
    path = tmp_path / "countries.csv"
    pd.concat(parts).to_csv(path, index=False)
    done = _new(path, "-o", tmp_path / "my.yaml")
    assert done.exit_code == 0, done.output
    assert "country: each is there at every time" in " ".join(done.output.split())
    config = yaml.safe_load((tmp_path / "my.yaml").read_text())
    assert config["data"]["tracked"] == "country"
    assert config["data"]["keys"]["columns"] == ["wealth"]
    p = validate(load_study("population_auto").config, config, "my.yaml")
    found = load_data(p, "my.yaml").snapshots
    for cloud, frame in zip(found, parts, strict=True):
        by_name = frame.sort_values("country")["wealth"]
        np.testing.assert_array_equal(cloud[:, 0], by_name)
    pd.concat([parts[0].assign(country="Chile"), *parts[1:]]).to_csv(path, index=False)
    with pytest.raises(ValueError, match="every country once at every time"):
        load_data(p, "my.yaml")
