"""Runs beside each other: what they share has one row, what they do not has its own."""

import pytest

from wflow.studies._compare import Comparison
from wflow.studies._folder import RunDirectory
from wflow.studies._kept import keep_outcome
from wflow.studies._outcome import Outcome, ScoreTable


def run(folder, steps, score, columns=("day 1", "day 2"), still=0.75):
    directory = RunDirectory(folder)
    directory.make()
    directory.write_config({"task": "a", "fit": {"steps": steps, "clip": 1.0}})
    rows = {"model": [score] * len(columns), "nothing moves": [still] * len(columns)}
    table = ScoreTable("W1 (cm)", columns, rows, floor=[0.125] * len(columns))
    outcome = Outcome({"w1": score, "w1_min": 0.0, f"only_{steps}": 1.0}, [table])
    directory.write_metrics(outcome.metrics)
    keep_outcome(directory, outcome)
    return directory


@pytest.fixture
def runs(tmp_path):
    return {
        "a": run(tmp_path / "a", 100, 0.5),
        "b": run(tmp_path / "b", 200, 0.25, ("day 2", "day 3")),
    }


def test_tables_of_one_title_are_one(runs):
    (table,) = Comparison(runs).tables
    assert table.columns == ["day 1", "day 2", "mean", "day 3"]
    assert table.rows["a: model"] == [0.5, 0.5, 0.5, None]
    assert table.rows["b: model"] == [None, 0.25, 0.25, 0.25]
    assert table.models == ["a: model", "b: model"]


def test_what_all_score_alike_has_one_row(tmp_path, runs):
    runs["b"] = run(tmp_path / "c", 200, 0.25)
    (table,) = Comparison(runs).tables
    assert list(table.rows) == ["a: model", "b: model", "nothing moves"]
    assert table.floor == [0.125] * 3
    runs["b"] = run(tmp_path / "d", 200, 0.25, still=0.5)
    (table,) = Comparison(runs).tables
    assert "a: nothing moves" in table.rows


def test_settings_and_numbers(runs):
    found = Comparison(runs)
    assert found.differences == {"fit.steps": ["100", "200"]}
    assert found.numbers == {"w1": [0.5, 0.25]}
    page = found.page()
    for text in ("2 runs compared", "a: model", "a: 100; b: 200", "W1 (cm)"):
        assert text in page
    assert len(page) < 8e6
