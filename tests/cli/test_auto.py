"""From a file to forecasts by `wflow new` and `wflow run` alone."""

import json

import anndata
import jax
import numpy as np
import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

import wflow as wf
from wflow.cli.app import app


CELLS = 60
LOADINGS = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 2)))[0]


def _course(days):
    """Two types that drift apart, as components of five genes."""
    rng = np.random.default_rng(0)
    t = np.repeat(days, CELLS)
    side = np.where(np.arange(len(t)) % 3 > 0, 1.0, -1.0)
    x = rng.normal(size=(len(t), 2)) * 0.2
    x[:, 0] += side * (1 + t)
    kind = pd.Categorical(np.where(side > 0, "right", "left"))
    obs = pd.DataFrame({"day": t, "kind": kind}, [f"cell{k}" for k in range(len(t))])
    data = anndata.AnnData(1 + x @ LOADINGS.T, obs, obsm={"X_pca": x, "X_umap": 2 * x})
    data.varm["PCs"] = LOADINGS
    return data


def _called(*words, code=0):
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A run of two snapshots: none can be held out, so that no law is trained."""
    folder = tmp_path_factory.mktemp("own")
    _course([0, 2]).write_h5ad(folder / "cells.h5ad")
    _called("new", folder / "cells.h5ad", "-o", folder / "my.yaml")
    said = _called("run", folder / "my.yaml", "--out", folder / "run")
    jax.config.update("jax_enable_x64", True)
    return folder, said


@pytest.mark.slow
def test_a_run_says_what_it_will_take_and_what_was_chosen(two):
    folder, said = two
    assert "minutes and" in said
    assert "nothing can be held out, so" in said
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    assert config["model"] == "auto"
    assert config["title"] == "cells.h5ad: X_pca over day"


@pytest.mark.slow
def test_a_forecast_in_between_has_start_cells_types_and_genes(two):
    folder, _ = two
    out = folder / "mid.h5ad"
    _called("forecast", folder / "run", "--times", "1", "--out", out, "--overwrite")
    made, seen = anndata.read_h5ad(out), _course([0, 2])
    x, w = made.obsm["X_pca"], made.obs["weight"].to_numpy()
    np.testing.assert_allclose(np.abs(w @ np.abs(x)[:, 0]) / w.sum(), 2, atol=0.1)
    assert set(made.obs["source"]) <= set(seen.obs_names)
    right = np.average(made.obs["kind"] == "right", weights=w)
    assert abs(right - 2 / 3) < 0.1
    assert list(made.var_names) == list(seen.var_names)
    np.testing.assert_allclose(made.X, 1 + x @ LOADINGS.T, atol=1e-5)


def test_what_was_learned_comes_back_beside_the_cells(two):
    folder, _ = two
    found = anndata.read_h5ad(folder / "run" / "cells.h5ad")
    assert set(found.obsm) == {"X_pca", "X_umap", "velocity_pca"}
    assert found.obsm["velocity_pca"].shape == (2 * CELLS, 2)
    np.testing.assert_allclose(found.obs[["fate_left", "fate_right"]].sum(1), 1)
    table = pd.read_csv(folder / "run" / "fates.csv")
    np.testing.assert_allclose(table["mass"].sum(), 1)


@pytest.mark.slow
def test_scanpy_draws_what_came_back(two):
    scanpy = pytest.importorskip("scanpy")
    folder, _ = two
    found = anndata.read_h5ad(folder / "run" / "cells.h5ad")
    shown = ["fate_left", "kind"]
    axes = scanpy.pl.embedding(found, "umap", color=shown, show=False)
    assert [one.get_title() for one in axes] == shown
    np.testing.assert_allclose(
        axes[0].collections[0].get_offsets()[:, 0].sum(),
        found.obsm["X_umap"][:, 0].sum(),
    )
    assert scanpy.pl.pca(found, color="kind", show=False).get_title() == "kind"


@pytest.mark.slow
def test_a_run_is_opened_in_python_and_drawn_and_scored_again(two):
    folder, _ = two
    found = wf.open_run(folder / "run")
    assert found.snapshots.sizes == (CELLS, CELLS)
    assert found.config.budget == 300
    assert not found.fit.moves
    np.testing.assert_allclose(found.fit.forecast([0.0]).weight(0).sum(), 1)
    drawn = _called("plot", folder / "run")
    assert "forecasts.png" in drawn
    held = _course([1])
    out = folder / "table.csv"
    _called("forecast", folder / "run", "--times", "1", "--out", out, "--overwrite")
    table = pd.read_csv(out)
    assert set(table["kind"]) == {"left", "right"}
    assert set(table["source"]) <= set(held.obs_names) | set(_course([0, 2]).obs_names)
    held.write_h5ad(folder / "held.h5ad")
    said = _called("evaluate", folder / "run", "--data", folder / "held.h5ad")
    assert "Snapshots that were kept back" in said
    jax.config.update("jax_enable_x64", True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--times", "-1"], "forecasts begin at day 0"),
        (["--times", "1", "--start", "initial"], "leave --start out"),
    ],
)
def test_forecasts_that_cannot_be_are_refused(two, words, said):
    out = two[0] / "no.h5ad"
    output = _called("forecast", two[0] / "run", "--out", out, *words, code=2)
    assert said in " ".join(output.split())


def test_an_annotation_that_is_not_there_is_refused(two):
    folder, _ = two
    words = ["--set", "annotation=type", "--out", folder / "no"]
    assert "found 'type'" in _called("run", folder / "my.yaml", *words, code=2)


@pytest.mark.slow
def test_a_table_comes_back_with_what_it_says_of_its_rows(tmp_path):
    data = _course([0, 2])
    x = np.asarray(data.obsm["X_pca"])
    frame = pd.DataFrame({"day": data.obs["day"], "a": x[:, 0], "b": x[:, 1]})
    frame["kind"] = np.asarray(data.obs["kind"])
    frame["donor"] = np.where(np.arange(len(x)) % 2, "d1", "d2")
    frame.sample(frac=1, random_state=0).to_csv(tmp_path / "cells.csv", index=False)
    _called("new", tmp_path / "cells.csv", "-o", tmp_path / "my.yaml")
    config = yaml.safe_load((tmp_path / "my.yaml").read_text())
    assert config["annotation"] == "kind"
    assert config["batch"] == "donor"
    said = _called("run", tmp_path / "my.yaml", "--out", tmp_path / "run")
    assert "No donor is left out: no law was trained." in " ".join(said.split())
    rows = pd.read_csv(tmp_path / "run" / "rows.csv")
    file = pd.read_csv(tmp_path / "cells.csv")
    pd.testing.assert_frame_equal(
        rows[list(file)],
        file.iloc[rows["row"]].reset_index(drop=True),
        check_dtype=False,
    )
    np.testing.assert_array_equal(rows[["v_a", "v_b"]], 0)
    np.testing.assert_allclose(rows[["fate_left", "fate_right"]].sum(1), 1)
    for suffix in ("csv", "npz", "h5ad"):
        out = tmp_path / f"mid.{suffix}"
        _called("forecast", tmp_path / "run", "--times", "1", "--out", out)
    made = pd.read_csv(tmp_path / "mid.csv")
    # On its way a row is still on the side that it starts from.
    start = file.iloc[made["source"]].reset_index(drop=True)
    np.testing.assert_array_equal(made["source_day"], start["day"])
    sure = made["kind_confidence"] == 1
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(
        made["kind"][sure], np.where(made["a"] > 0, "right", "left")[sure]
    )
    with np.load(tmp_path / "mid.npz") as arrays:
        np.testing.assert_array_equal(arrays["kind"], made["kind"])
    held = anndata.read_h5ad(tmp_path / "mid.h5ad")
    np.testing.assert_array_equal(held.obs["kind"], made["kind"])
    jax.config.update("jax_enable_x64", True)


@pytest.mark.slow
def test_a_law_is_chosen_kept_and_read_again(tmp_path):
    _course([0, 1, 2, 3]).write_h5ad(tmp_path / "cells.h5ad")
    _called("new", tmp_path / "cells.h5ad", "-o", tmp_path / "my.yaml")
    quick = ["--set", "steps=200", "--set", "split={kind: holdout, snapshots: [2]}"]
    said = _called("run", tmp_path / "my.yaml", "--out", tmp_path / "run", *quick)
    assert "Between snapshots: the best law" in said
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["between_moves"] == 1
    assert metrics["test_w1"] < metrics["persistence_w1"] / 2
    jax.config.update("jax_enable_x64", False)
    found = wf.open_run(tmp_path / "run")
    times = [1.5, 2.0, 3.5]
    again = wf.open_run(tmp_path / "run").fit.forecast(times)
    for one, other in zip(found.fit.forecast(times), again, strict=True):
        np.testing.assert_array_equal(one, other)
    x = found.snapshots[1]
    right = found.fit.velocity(x, 1.0)[:, 0] * np.sign(x[:, 0])
    np.testing.assert_allclose(np.median(right), 1, atol=0.3)
    said = _called("evaluate", tmp_path / "run")
    assert f"{metrics['test_w1']:.4f}" in said
