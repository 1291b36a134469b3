"""What a run found goes into its folder and comes back, and its page shows it."""

import dataclasses

import numpy as np
import pytest

from wflow.plotting.report.blocks import Facts
from wflow.studies._folder import RunDirectory
from wflow.studies._kept import keep_outcome, kept_outcome
from wflow.studies._outcome import Outcome, ScoreTable, median_outcome
from wflow.studies._params import StudyParams
from wflow.studies._report import scores, table_of, write_report
from wflow.studies._task import AbstractTask


def table(shift=0.0):
    rows = {"model": [0.5 + shift, 0.25], "nothing moves": [0.75, None]}
    gaps = {"nothing moves": (-0.25, -0.375, -0.125)}
    times, floor = ("day 1", "day 2"), [0.125, 0.25]
    return ScoreTable("W1 (cm)", times, rows, floor=floor, gaps=gaps)


@pytest.fixture
def directory(tmp_path):
    found = RunDirectory(tmp_path / "run")
    found.make()
    return found


@pytest.fixture
def outcome():
    """Of two seeds."""
    seeds = [Outcome({"w1": 0.5 + k}, [table(k)]) for k in range(2)]
    pooled = median_outcome(seeds)
    return dataclasses.replace(pooled, remarks=["a remark"], warnings=["<a warning>"])


def test_an_outcome_comes_back(directory, outcome):
    directory.write_metrics(outcome.metrics)
    keep_outcome(directory, outcome)
    again = kept_outcome(directory)
    assert again.tables == list(outcome.tables)
    assert again.tables[0].seeds[0].gaps == table().gaps
    assert again.metrics == outcome.metrics
    assert (again.remarks, again.warnings) == (["a remark"], ["<a warning>"])
    for model in again.tables[0].models:
        assert again.tables[0].verdict(model) == outcome.tables[0].verdict(model)


def test_a_run_of_before_has_its_numbers_alone(directory):
    directory.write_metrics({"w1": 0.5})
    assert kept_outcome(directory) == Outcome({"w1": 0.5})


def test_a_damaged_file_is_named(directory):
    directory.write_json(directory.outcome, {"tables": [{"title": "W1"}]})
    with pytest.raises(ValueError, match="outcome.json is damaged"):
        kept_outcome(directory)


def test_a_table_has_what_seeds_differ_by(outcome):
    found = table_of(outcome.tables[0])
    assert found.columns == ["day 1", "day 2", "mean"]
    assert found.spread["model"] == [(0.5, 1.5), None, (0.375, 0.875)]
    assert found.floor == [0.125, 0.25, 0.1875]
    np.testing.assert_allclose(found.rows["model"], [1.0, 0.25, 0.625])


class Quiet(AbstractTask[StudyParams]):
    config = StudyParams

    def run(self, config, directory, *, resume, log):
        raise NotImplementedError

    def reasons(self, config, directory):
        return {"precision": "because"}


def test_differences_have_intervals():
    rows = [b.rows for b in scores(Outcome({}, [table()])) if isinstance(b, Facts)]
    assert rows == [[("model less nothing moves", "-0.25 (-0.375 to -0.125)", "")]]


def test_the_page_of_a_run(directory, outcome):
    config = StudyParams(task="quiet", title="Cells & days", seeds=[3, 4])
    seed = directory.seeded(3)
    seed.make()
    path = seed.claim(seed.figures / "dots_here.png")
    path.write_bytes(b"\x89PNG")
    write_report(Quiet(), config, directory, outcome)
    page = directory.report.read_text()
    assert "<title>Cells &amp; days</title>" in page
    for text in (
        "A run of quiet, seeds 3, 4",
        "Figures (seed 3)",
        "dots here",
        "a remark",
        "&lt;a warning&gt;",
        "because",
        "0.5 to 1.5",
        f"wflow run {directory.config} --out again",
    ):
        assert text in page, text
    # A run of several seeds is not drawn again as a whole.
    assert "wflow plot" not in page
