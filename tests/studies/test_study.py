"""A study that only pretends: what it keeps, reads again and draws."""

import json
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from wflow.plotting.panels import Curve, Panel, plot_panels
from wflow.studies import (
    AbstractTask,
    Count,
    Outcome,
    ScoreTable,
    Strict,
    Study,
    StudyParams,
    load,
    names,
    summaries,
)
from wflow.studies._folder import RunDirectory


class _Source(Strict):
    file: str = ""
    time: float = 0.0


class Params(StudyParams):
    task: Literal["pretend"] = "pretend"
    draws: Count = 4
    source: _Source = _Source()


class Science:
    """Counts how often it is asked."""

    def __init__(self):
        self.seeds: list[int] = []

    def __call__(self, p, key, log):
        self.seeds.append(p.seed)
        log(f"{p.draws} draws")
        draws = jax.random.normal(key, (p.draws,))
        return {"draws": draws, "mean": jnp.mean(draws), "name": np.array("x")}


def report(p, arrays):
    table = ScoreTable("squares", ("x",), {"model": [float(arrays["mean"]) ** 2]})
    return Outcome({"mean": arrays["mean"], "draws": p.draws}, [table], ["A remark."])


def figures(p, arrays):
    panel = Panel([Curve(range(p.draws), arrays["draws"])])
    return {"draws": plot_panels([panel])}


@pytest.fixture
def study():
    return Study(Params, Science(), report, figures)


@pytest.fixture
def directory(tmp_path):
    directory = RunDirectory(tmp_path / "run")
    directory.make()
    return directory


def _run(study, directory, resume=False, **params):
    lines: list[str] = []
    p = Params(**params)
    outcome = study.run(p, directory, resume=resume, log=lines.append)
    return outcome, lines


def test_the_science_has_the_key_of_its_seed_and_gives_arrays(study):
    found = study.arrays(Params(seed=3, draws=2))
    expected = jax.random.normal(jax.random.key(3), (2,))
    assert isinstance(found["draws"], np.ndarray)
    np.testing.assert_array_equal(found["draws"], expected)
    assert found["mean"].shape == ()


@pytest.mark.parametrize(
    "value", [{"a": 1}, None, jnp.zeros(2, "bfloat16")], ids=["dict", "none", "short"]
)
def test_what_no_file_can_hold_is_refused(value):
    study = Study(Params, lambda p, key, log: {"odd": value}, report, figures)
    with pytest.raises(TypeError, match="^pretend: expected numbers or texts under 'o"):
        study.arrays(Params())


def test_a_run_keeps_arrays_numbers_and_figures(study, directory):
    outcome, lines = _run(study, directory)
    assert lines == ["4 draws"]
    arrays = directory.read_results()
    np.testing.assert_array_equal(arrays["draws"], study.arrays(Params())["draws"])
    assert arrays["name"] == "x"
    assert study.finished(directory) == directory.results
    assert json.loads(directory.metrics.read_text()) == {
        "mean": float(arrays["mean"]),
        "draws": 4,
    }
    assert outcome.remarks == ["A remark."]
    assert [path.name for path in directory.figures.iterdir()] == ["draws.png"]


def test_figures_are_drawn_again_without_the_computation(study, directory):
    _run(study, directory)
    (path,) = directory.figures.iterdir()
    path.unlink()
    assert study.plot(Params(), directory) == [path]
    assert path.read_bytes().startswith(b"\x89PNG")
    assert study.science.seeds == [0]


@pytest.mark.slow
def test_a_finished_seed_is_read_where_a_run_goes_on(study, directory):
    first, _ = _run(study, directory, seed=5)
    again, lines = _run(study, directory, resume=True, seed=5)
    assert lines == ["Seed 5 had finished: its results are read."]
    assert again.metrics == first.metrics
    assert study.science.seeds == [5]
    # What had not finished is computed, and without --resume everything is.
    directory.results.unlink()
    _run(study, directory, resume=True, seed=5)
    _run(study, directory, seed=5)
    assert study.science.seeds == [5, 5, 5]


def test_seeds_are_pooled_by_medians(study):
    outcomes = [report(p, study.arrays(p)) for p in map(_seeded, range(3))]
    pooled = study.pooled(outcomes)
    means = [outcome.metrics["mean"] for outcome in outcomes]
    assert pooled.metrics["mean"] == np.median(means)
    assert pooled.tables[0].title == "squares, median of 3 seeds"


def _seeded(seed):
    return Params(seed=seed)


def test_results_that_are_damaged_are_a_sentence(study, directory):
    with pytest.raises(ValueError, match=r"results\.npz: No such file or directory\.$"):
        study.plot(Params(), directory)
    _run(study, directory)
    whole = directory.results.read_bytes()
    pickled = directory.path / "pickled.npz"
    np.savez(pickled, draws=np.array([{}], object))
    alone = directory.path / "alone.npy"
    np.save(alone, np.arange(3.0))
    # The method of compression, which nothing knows any more.
    method = bytearray(whole)
    method[whole.index(b"PK\x01\x02") + 10] = 77
    for content in (
        b"",
        b"{}",
        whole[:40],
        whole[:-30],
        whole.replace(b"draws", b"drows", 1),
        bytes(method),
        pickled.read_bytes(),
        alone.read_bytes(),
    ):
        directory.results.write_bytes(content)
        for call in (
            lambda: study.plot(Params(), directory),
            lambda: _run(study, directory, resume=True),
        ):
            with pytest.raises(ValueError, match="is damaged: expected arrays, ") as e:
                call()
            assert str(e.value).startswith(str(directory.results))
            assert str(e.value).endswith("; run the config again.")


def test_an_array_that_is_not_there_is_named(study, directory):
    _run(study, directory)
    np.savez(directory.results, mean=np.array(1.0))
    with pytest.raises(ValueError, match="expected an array 'draws', found none"):
        study.plot(Params(), directory)


@pytest.mark.parametrize(
    ("key", "config", "expected"),
    [
        ("file", {"seed": 1}, {"seed": 1, "file": "a.npz"}),
        ("source.file", {}, {"source": {"file": "a.npz"}}),
        ("source.file", {"source": None}, {"source": {"file": "a.npz"}}),
        (
            "source.file",
            {"source": {"file": "old", "time": 1.0}},
            {"source": {"file": "a.npz", "time": 1.0}},
        ),
        ("a.b.c", {"a": {"d": 1}}, {"a": {"d": 1, "b": {"c": "a.npz"}}}),
    ],
)
def test_the_file_of_the_user_is_put_at_its_dotted_key(
    tmp_path, monkeypatch, key, config, expected
):
    monkeypatch.chdir(tmp_path)
    study = Study(Params, Science(), report, figures, data=key)
    before = json.dumps(config)
    assert study.with_data(config, RunDirectory(tmp_path).path / "a.npz") == _at(
        expected, tmp_path
    )
    assert json.dumps(config) == before


def _at(value: Any, folder):
    """``value`` with "a.npz" in a folder."""
    if isinstance(value, dict):
        return {name: _at(inner, folder) for name, inner in value.items()}
    return str(folder / value) if value == "a.npz" else value


def test_a_study_that_reads_no_file_says_so(study, tmp_path):
    with pytest.raises(ValueError, match="reads no file: leave --data out"):
        study.with_data({}, tmp_path / "a.npz")


def test_what_a_study_does_not_do_is_a_sentence(study, directory):
    with pytest.raises(ValueError, match="^a run of pretend has nothing to evaluate"):
        study.evaluate(Params(), directory, print)
    with pytest.raises(ValueError, match="^a run of pretend makes no forecasts"):
        study.forecast(Params(), directory, [1.0], directory.path, "initial")


@pytest.mark.parametrize("name", names())
def test_every_study_is_one(name):
    study = load(name)
    assert isinstance(study, AbstractTask)
    assert study.config.model_fields["task"].annotation == Literal[name]
    # A sentence of one line, which `wflow list` prints.
    assert summaries()[name].endswith(".")
    assert summaries()[name].isprintable()


def test_a_study_that_there_is_not():
    with pytest.raises(ValueError, match=r"Did you mean chaos_quadratic\?$"):
        load("chaos_quadratc")
    for name in (None, 3, "../_study", "_params", "os"):
        with pytest.raises(ValueError, match="^task: expected one of "):
            load(name)
