"""Tasks of populations: scores of laws that are known, and small runs."""

import csv
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from equinox import is_inexact_array
from population_runs import FREE, flying, ran, read, setting

from tests.studies.small_runs import run_config
from wflow.flows import GrowthFlow, LagrangianFlow
from wflow.flows.sums import SumFlow
from wflow.io import read_snapshots
from wflow.learning import Fit
from wflow.parameters import Learnable
from wflow.populations import hold_outs
from wflow.studies import Outcome, ScoreTable, load
from wflow.studies._configs import read_yaml
from wflow.studies._folder import RunDirectory
from wflow.studies.population import _figures, _hold_out_scores
from wflow.studies.population._fresh import MODEL, TRUTH, Fresh
from wflow.studies.population._hold_outs import Trainings, in_model_time
from wflow.studies.population.population_sde import STUDY as SDE
from wflow.studies.population.population_unbalanced import BALANCED
from wflow.transport import w1


RNG = np.random.default_rng(0)
TINY = ["fit.steps=4", "fit.chunk=2", "fit.batch=8"]
NETWORK = "energy={kind: MLPPotential, width: 4, depth: 1}"
ROLLOUTS = [
    "objective=null",
    "inertia=true",
    "fit={steps: 4, chunk: 2, batch: 8}",
    "velocity={kind: Corrected, width: 4, depth: 1}",
]


@pytest.fixture(scope="module")
def drifting(tmp_path_factory):
    """Six points that fly at velocity (1, 0), seen at five times."""
    path = tmp_path_factory.mktemp("data") / "drifting.npz"
    x = RNG.normal(size=(6, 2))
    moved = np.stack([x + [k, 0.0] for k in range(5)])
    np.savez(path, positions=moved, velocities=np.ones_like(moved) * [1.0, 0.0])
    return path


@pytest.fixture(scope="module")
def growing(tmp_path_factory):
    """8, 10 and 14 points of a cloud that drifts."""
    path = tmp_path_factory.mktemp("data") / "growing.npz"
    sizes = (8, 10, 14)
    x = np.concatenate([RNG.normal(size=(n, 2)) + [k, 0] for k, n in enumerate(sizes)])
    np.savez(path, x=x, t=np.repeat([0.0, 1.0, 2.0], sizes))
    return path


def _flown(made):
    return flying(made.split.train, np.array([1.0, 0.0]) / made.units.std)


@pytest.mark.slow
def test_forecasts_of_a_law_that_is_known(drifting):
    study, p = read("ocean_forecast", "split.count=2", "data.axes={}", data=drifting)
    made = setting(p)
    fits = {"model": _flown(made)}
    found = study.score(made, fits)
    for name in ("test_w1", "test_w1_from_first", "train_w1", "constant_velocity_w1"):
        assert found.metrics[name] == pytest.approx(0, abs=1e-6)
    assert found.metrics["persistence_w1_3"] == pytest.approx(1)
    assert found.metrics["persistence_w1"] == pytest.approx(1.5)
    assert found.metrics["test_w1_floor"] > 0
    last, first = found.tables
    assert last.columns == ("time 3", "time 4")
    np.testing.assert_allclose(first.rows["nothing moves"], [3, 4])
    drawn = study.figures(made, fits, found)
    for name in ("snapshots", "loss", "friction", "landscape", "scores"):
        assert drawn[name].axes
    for name in ("forecasts", "forecasts_from_first"):
        assert drawn[name].axes


@pytest.mark.slow
def test_snapshots_between_are_reached_from_the_one_before(drifting):
    split = "split.snapshots=[1, 3]"
    study, p = read("ocean_interpolation", split, "data.axes={}", data=drifting)
    made = setting(p)
    fits = {"model": _flown(made)}
    found = study.score(made, fits)
    assert found.metrics["test_w1"] == pytest.approx(0, abs=1e-6)
    assert found.metrics["persistence_w1_3"] == pytest.approx(1)
    assert found.metrics["ot_midpoint_w1"] == pytest.approx(0, abs=1e-6)
    assert study.figures(made, fits, found)["interpolations"].axes


@pytest.mark.slow
def test_masses_of_laws_that_are_known(growing):
    settings = ("data.axes={}", "data.standardize=true", "fresh=null")
    study, p = read("unbalanced_gene_2d", *settings, data=growing)
    made = setting(p)
    train = made.split.train
    rate, velocity = np.log(14 / 8) / 2, np.array([1.0, 0.0]) / made.units.std
    law = SumFlow((FREE, GrowthFlow(lambda x, t: rate + 0 * t)))
    grown = flying(train, velocity, law)
    fits = {"model": grown, BALANCED: flying(train, velocity)}
    found = study.score(made, fits)
    # The model grows evenly to the last mass, the other stays at the first.
    errors = [abs((14 / 8) ** 0.5 * 8 / 10 - 1), 0.0]
    metrics = found.metrics
    for time, error in zip((1, 2), errors, strict=True):
        name = f"relative_mass_error_{time}"
        assert metrics[name] == pytest.approx(error, abs=1e-4)
    assert metrics["balanced_max_relative_mass_error"] == pytest.approx(1 - 8 / 14)
    # Even growth leaves the shape as it is.
    assert metrics["w1_mean"] == pytest.approx(metrics["balanced_w1_mean"], rel=1e-4)
    assert metrics["persistence_w1_mean"] > metrics["w1_mean"]
    clouds, masses = found.tables
    assert list(clouds.rows) == ["model", BALANCED, "nothing moves"]
    assert list(masses.rows) == ["model", "mass fixed"]
    drawn = study.figures(made, fits, found)
    assert {"growth", "masses", "clouds", "clouds_balanced", "scores"} <= set(drawn)
    assert not p.balanced
    alone = study.score(made, {"model": grown})
    assert alone.metrics.items() <= metrics.items()
    assert [list(table.rows) for table in alone.tables] == [
        ["model", "nothing moves"],
        ["model"],
    ]


@pytest.mark.slow
def test_what_grows_is_scored_on_draws_of_its_simulator(growing):
    fresh = "fresh={kind: toggle, n: 8, law: {kind: Toggle, growth: 0.1}}"
    _, p = read("unbalanced_gene_2d", fresh, "data.standardize=true", data=growing)
    beside = Fresh(p.fresh, setting(p))
    first = beside.first
    assert first.split.train.dim == 2
    assert first.data.snapshots.times.tolist() == [0, 1, 2]
    drawn = first.data.snapshots
    np.testing.assert_allclose(drawn.masses, np.array(drawn.sizes) / 8)
    # The same draw each time, another for each number and each seed.
    assert np.array_equal(beside.draw(0)[1], drawn[1])
    assert not np.array_equal(beside.draw(1)[0], drawn[0])
    _, other = read("unbalanced_gene_2d", fresh, "seed=1", data=growing)
    assert not np.array_equal(Fresh(p.fresh, setting(other)).draw(0)[0], drawn[0])
    # A law that moves nothing: it scores what the draw's own start does.
    table = beside.table(flying(first.split.train, 0.0))
    start = first.split.train
    for k, name in ((0, MODEL), (2, TRUTH)):
        expected = np.mean(
            [w1(start[k], first.units.to_model(beside.draw(j))[2]) for j in (1, 2, 3)]
        )
        assert table.rows[name][1] == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(beside.rate(np.array([[0.0, 2.0, 5.0]])), 0.1 * 4 / 5)


def test_a_simulator_of_other_snapshots_is_refused(growing):
    several = "fresh={kind: toggle, snapshots: 4}"
    study, p = read("unbalanced_gene_2d", several, data=growing)
    with pytest.raises(ValueError, match="fresh: expected 3 snapshots of at least 2"):
        study.check(p, "here")


@pytest.mark.slow
def test_a_law_with_a_pair_force_is_drawn_beside_the_truth():
    study, p = read("readable_swarm", "data.simulate.n=8", "data.simulate.snapshots=5")
    made = setting(p)
    law = p.law(2, jax.random.key(0))
    fitted = flying(made.split.train, 0.0, law)
    drawn = _figures.course(made, fitted)
    for name in ("landscape", "external", "interaction"):
        assert drawn[name].axes
    numbers = made.fit_metrics(fitted)
    # A pair potential that is zero is wrong by itself.
    assert numbers["pair_force_error"] == pytest.approx(1)
    assert numbers["external_x1^2"] == pytest.approx(0.25)
    assert "seconds_per_step" not in made.fit_metrics(fitted)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """Four clouds in space that drift by 2 in each coordinate."""
    path = tmp_path_factory.mktemp("data") / "cells.npz"
    # Equal where rollouts begin: one compiled program.
    t = np.repeat(np.arange(4), [14, 14, 16, 13])
    np.savez(path, x=RNG.normal(size=(len(t), 3)) + 2.0 * t[:, None], t=t)
    return path


@pytest.mark.slow
def test_held_out_snapshots_of_a_law_that_is_known(cells, tmp_path):
    settings = ("sides=before", NETWORK, *ROLLOUTS)
    study, p = read("leave_one_out_emt_3d", *settings, data=cells)
    study.check(p, "here")
    directory = RunDirectory(tmp_path / "run")
    directory.make()
    # Laws without a force, at the true velocity, as a run would have left them.
    data = read_snapshots(cells)
    for held in hold_outs(in_model_time(p, data)):
        train, units = held.train.standardize()
        energy = p.law(3, jax.random.key(0)).energy
        energy = jax.tree.map(lambda a: 0 * a if is_inexact_array(a) else a, energy)
        law = LagrangianFlow(energy, friction=Learnable(1e-6), force_scaling="unified")
        velocities = tuple(np.full_like(x, 2.0) / units.std for x in train)
        fit = Fit(law, train, velocities, {"step": np.arange(1)}, held.gap)
        fit.save(directory.models / f"{held.index}-forwards.eqx")
    found = study.evaluate(p, directory, lambda line: None)
    metrics = found.metrics
    assert metrics["w1_mean"] < metrics["nothing_moves_w1_mean"]
    assert metrics["w1_mean"] == metrics["forwards_w1_mean"]
    assert metrics["wins_over_nothing_moves"] == 1
    np.testing.assert_allclose(metrics["nothing_moves_w1_mean"], 12**0.5, rtol=0.3)
    for name in ("w1", "ot_midpoint_w1", "nothing_moves_w1", "half_sample_w1"):
        rows = np.array([metrics[f"{name}_{k}"] for k in (1, 2)])
        assert metrics[f"{name}_mean"] == pytest.approx(rows.mean())
        # Another unit in every coordinate.
        standard = np.array([metrics[f"{name}_standardized_{k}"] for k in (1, 2)])
        assert (rows > 1.2 * standard).all()
    assert [table.columns for table in found.tables] == [("time 1", "time 2")] * 3
    directory.write_metrics(metrics)
    paths = study.plot(p, directory)
    assert {path.stem for path in paths} == {"scores", "held_out"}
    with pytest.raises(ValueError, match="task population_forecast"):
        study.forecast(p, directory, [4.0], tmp_path / "x.npz", "initial")
    other = tmp_path / "other.npz"
    with np.load(cells) as file:
        np.savez(other, x=file["x"] + 0.5 * file["t"][:, None], t=file["t"])
    moved = read("leave_one_out_emt_3d", *settings, data=other)[1]
    with pytest.raises(ValueError, match="was trained on other snapshots"):
        study.evaluate(moved, directory, lambda line: None)
    (directory.models / "2-forwards.eqx").unlink()
    with pytest.raises(ValueError, match="2-forwards.eqx is missing"):
        study.evaluate(p, directory, lambda line: None)


@pytest.mark.slow
def test_hold_outs_by_flow_matching(cells, tmp_path):
    matching = "objective={kind: FlowMatching, batch: 8, moments: 2}"
    found, directory, study, p = ran(
        tmp_path / "run",
        "leave_one_out_emt_3d",
        NETWORK,
        matching,
        "fit={steps: 2, chunk: 2}",
        data=cells,
    )
    # Three snapshots to train on have straight paths: laws without inertia.
    assert "friction" not in found.metrics
    assert found.metrics["fits"] == 4
    again = study.evaluate(p, directory, lambda line: None).metrics
    assert again["w1_mean"] == pytest.approx(found.metrics["w1_mean"])
    history = (directory.path / "history.csv").read_text()
    assert "velocity_error" in history


@pytest.mark.slow
def test_hold_outs_by_rollouts(cells, tmp_path):
    found, directory, study, p = ran(
        tmp_path / "run", "leave_one_out_emt_3d", NETWORK, *ROLLOUTS, data=cells
    )
    # Two snapshots, each from both sides, by laws with inertia.
    assert found.metrics["fits"] == 4
    assert found.metrics["friction"] > 0
    again = study.evaluate(p, directory, lambda line: None).metrics
    assert again["w1_mean"] == pytest.approx(found.metrics["w1_mean"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["objective=null"], "inertia: expected true without an objective"),
        (["fit={steps: 2, batch: 8}"], "fit.batch: expected no option of Roll"),
        (
            ["objective={kind: FlowMatching, path: {kind: StraightPath}}"],
            "inertia: expected true or false beside a path",
        ),
        (["objective={kind: Sinkhorn}"], "objective.kind: expected"),
    ],
)
def test_objectives_that_do_not_fit_are_refused(cells, settings, words):
    with pytest.raises(ValueError, match=words):
        read("leave_one_out_emt_3d", *settings, data=cells)


def test_a_snapshot_between_two_is_needed(tmp_path):
    np.savez(tmp_path / "two.npz", x=np.ones((4, 3)), t=[0, 0, 1, 1])
    study, p = read("leave_one_out_emt_3d", data=tmp_path / "two.npz")
    with pytest.raises(ValueError, match="here: data: .* at least three snapshots"):
        study.check(p, "here")


def test_a_win_is_one_by_the_median_over_seeds():
    # Each seed wins at one of two hold-outs; by medians the model wins at both.
    def outcome(row):
        midpoint, still = [2.0, 2.0], [3.0, 0.5]
        rows = {"model": row, _hold_out_scores.MIDPOINT: midpoint}
        table = ScoreTable("", ("a", "b"), {**rows, "nothing moves": still})
        return Outcome({"wins_over_ot_midpoint": 0.5}, [table, table])

    rows = ([1.0, 3.0], [3.0, 1.0], [1.0, 1.0])
    pooled = load("population_leave_one_out").pooled([outcome(row) for row in rows])
    for suffix in ("", "_standardized"):
        assert pooled.metrics[f"wins_over_ot_midpoint{suffix}"] == 1.0
        assert pooled.metrics[f"wins_over_nothing_moves{suffix}"] == 0.5


def test_numbers_of_several_fits():
    fits = {
        (k, 0): SimpleNamespace(
            friction=0.1 * k,
            compile_seconds=float(k > 1),
            seconds_per_step=0.5 * k,
            history={"step": np.arange(2), "loss": np.ones(2), "validation": [1.0]},
        )
        for k in (1, 2, 3)
    }
    written = {}
    directory = SimpleNamespace(write_history=written.update)
    trainings = Trainings(None, directory, 5, False, fits)
    numbers = trainings.metrics
    assert numbers["fits"] == 3
    assert numbers["friction"] == pytest.approx(0.2)
    assert numbers["seconds_per_step"] == pytest.approx(1.25)
    assert numbers["compile_seconds"] == 2
    trainings.write_history()
    assert list(written) == ["held_out", "backwards", "step", "loss"]
    np.testing.assert_array_equal(written["held_out"], [1, 1, 2, 2, 3, 3])


@pytest.mark.parametrize(
    ("name", "setting", "words"),
    [
        ("gapminder", "split.time=2010", "split: .* times 1952 to 2007"),
        ("gapminder_ensemble", "ensemble.resample=rows", "data.shuffle is false"),
        ("gapminder_ensemble", "ensemble.backtest=[9]", "numbers below 9"),
        ("readable_gapminder", "selection.held_out=0", "held_out: .* found 0"),
        ("readable_gapminder", "selection.held_out=20", "held_out: .* found 20"),
        ("readable_gapminder", "split.time=1957", "leave two snapshots to train"),
    ],
)
def test_what_the_snapshots_do_not_allow(name, setting, words):
    study, p = read(name, setting)
    with pytest.raises(ValueError, match=words):
        study.check(p, "here")


def test_a_friction_in_several_potentials_is_read_in_the_time_of_the_data():
    _, p = read("gradient_flow_sde", "potentials=[poly, wavy_plateau]")
    own = p.forecast("wavy_plateau")
    assert own.task == "population_forecast"
    assert own.data.simulate["potential"] == "wavy_plateau"
    assert own.data.time.unit == 0.1
    assert SDE.config is type(p)


@pytest.mark.slow
def test_a_run_with_bands(tmp_path):
    run = run_config("gapminder_ensemble", tmp_path)
    (directory, metrics, said), (study, p) = run, run.task
    assert metrics["ensemble_members"] == 2
    # Mean, deviation and five quantiles of two coordinates in three years.
    assert metrics["band_count"] == 42
    for kind in ("", "members_", "persistence_", "trend_"):
        assert 0 <= metrics[f"{kind}coverage_50"] <= metrics[f"{kind}coverage_90"] <= 1
        narrow, wide = (metrics[f"{kind}band_width_{p}"] for p in (50, 90))
        score = metrics[f"{kind}interval_score_90"]
        # Equal where all are within, but for the order of two sums.
        assert 0 < narrow < wide <= score * (1 + 1e-12)
    assert metrics["model_error_rate"] > 0
    rows = _rows(directory.bands)
    assert len(rows) == 42
    inside = [
        float(row["low_90"]) <= float(row["observed"]) <= float(row["high_90"])
        for row in rows
    ]
    np.testing.assert_allclose(np.mean(inside), metrics["coverage_90"])
    # Everything is kept: scored again, and drawn again.
    again = study.evaluate(p, directory, lambda line: None)
    assert again.remarks
    assert all(remark in said for remark in again.remarks)
    assert all(metrics[name] == value for name, value in again.metrics.items())
    assert "bands" in {path.stem for path in study.plot(p, directory)}
    # A forecast comes with its bands.
    times, future = [1997.0, 2012.0], tmp_path / "future.csv"
    study.forecast(p, directory, times, future, "last_snapshot")
    bands = _rows(tmp_path / "future.bands.csv")
    assert {row["time"] for row in bands} == {"1997.0", "2012.0"}
    for key in ("center", "low_90", "high_50"):
        np.testing.assert_allclose(float(bands[0][key]), float(rows[0][key]))


def _rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(
    drifting, tmp_path, monkeypatch
):
    settings = [*TINY, NETWORK, "split.count=2", "data.axes={}"]
    options = {"data": drifting}
    whole = ran(tmp_path / "whole", "ocean_forecast", *settings, **options)
    write, count = RunDirectory.write_history, iter(range(9))

    def stopped(directory, history):
        write(directory, history)
        if next(count) == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "write_history", stopped)
    with pytest.raises(KeyboardInterrupt):
        ran(tmp_path / "part", "ocean_forecast", *settings, **options)
    assert len(_rows(tmp_path / "part" / "history.csv")) == 2
    again = ran(tmp_path / "part", "ocean_forecast", *settings, **options, resume=True)
    for name in ("model.eqx", "history.csv"):
        bits = [(each[1].path / name).read_bytes() for each in (whole, again)]
        assert bits[0] == bits[1]
    timings = ("seconds_per_step", "compile_seconds")
    a, b = (
        {k: v for k, v in each[0].metrics.items() if k not in timings}
        for each in (whole, again)
    )
    assert a == b


@pytest.mark.slow
def test_a_run_that_grows(tmp_path):
    run = run_config("unbalanced_gene_2d", tmp_path)
    (directory, metrics, _), (study, p) = run, run.task
    assert directory.balanced.model.is_file()
    assert directory.fresh.model.is_file()
    assert metrics["max_relative_mass_error"] > 0
    # The draw on others is nearer than what a few steps have learned.
    assert metrics["fresh_truth_w1_mean"] < metrics["fresh_w1_mean"]
    assert -1 <= metrics["growth_correlation"] <= 1
    assert "friction" not in metrics
    again = study.evaluate(p, directory, lambda line: None).metrics
    for name in ("w1_mean", "fresh_w1_mean", "growth_correlation"):
        assert again[name] == pytest.approx(metrics[name])
    # Weights in a file sum to the mass: at the start that of the last snapshot.
    with pytest.warns(match="stays as it was"):
        study.forecast(p, directory, [2.0, 3.0], tmp_path / "f.npz", "last_snapshot")
    with np.load(tmp_path / "f.npz") as file:
        np.testing.assert_allclose(file["weights"][:14].sum(), 14 / 8)
        assert file["weights"][14:].sum() != pytest.approx(14 / 8)


@pytest.mark.slow
def test_a_run_that_chooses(tmp_path):
    directory, metrics, _ = run_config("readable_gapminder", tmp_path)
    scores = {name: metrics[f"selection_w1_{name}"] for name in ("bowl", "warm")}
    winner = min(scores, key=scores.get)
    assert [metrics[f"chosen_{n}"] for n in scores] == [n == winner for n in scores]
    assert metrics["selection_persistence_w1"] > 0
    # The forecast is a run of its own, without the candidates.
    part = directory.part("chosen")
    raw = read_yaml(part.config)
    assert raw["task"] == "population_forecast"
    assert "candidates" not in raw
    assert (part.figures / "scores.png").exists()


@pytest.mark.slow
def test_a_run_of_several_potentials(tmp_path):
    directory, metrics, _ = run_config("gradient_flow_sde", tmp_path)
    pair = [metrics[f"forecast_w1_{name}"] for name in ("poly", "wavy_plateau")]
    np.testing.assert_allclose(metrics["forecast_w1_mean"], np.mean(pair))
    for start in ("first", "last"):
        assert metrics[f"forecast_w1_from_{start}_mean"] > 0
        assert metrics[f"persistence_w1_from_{start}_mean"] > 0
    assert metrics["noise_floor_w1_poly"] > 0
    frictions = [metrics[f"friction_{name}"] for name in ("poly", "wavy_plateau")]
    assert metrics["friction_min"] == min(frictions)
    # Ten per unit of the data's time at the start: one per 0.1.
    assert 5 < metrics["friction_min"] < 20
    for name in ("scores", "scores_from_last", "friction"):
        assert (directory.figures / f"{name}.png").exists()
    assert directory.part("poly").model.is_file()


@pytest.mark.slow
def test_a_run_that_holds_out(tmp_path):
    directory, metrics, _ = run_config("leave_one_out_emt_3d", tmp_path)
    assert metrics["w1_mean"] < metrics["nothing_moves_w1_mean"]
    # Two snapshots, each from both sides.
    assert metrics["fits"] == 4
    names = {path.name for path in directory.models.iterdir()}
    sides = ("forwards", "backwards")
    assert names == {f"{k}-{side}.eqx" for k in (1, 2) for side in sides}
    assert len(_rows(directory.history)) == 4 * 4
