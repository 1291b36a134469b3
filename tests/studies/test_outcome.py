"""Verdicts over baselines, by intervals and over seeds."""

from wflow.studies import Outcome, ScoreTable, median_outcome


def _table(model, other):
    rows = {"model": model, "nothing moves": other}
    return ScoreTable("W1", ("a", "b"), rows)


def test_verdicts():
    rows = {"model": [0.2], "nothing moves": [0.3], "mean shift": [0.1], "none": [None]}
    table = ScoreTable("W1", ("1",), rows)
    assert table.verdict("model") == (
        "The model (0.2000) beats nothing moves (0.3000), loses to mean shift (0.1000)."
    )
    assert table.mean("none") is None
    worse = ScoreTable("W1", ("1",), {"model": [1], "a": [0.5], "b": [1]})
    assert worse.verdict("model") == (
        "The model (1.0000) loses to every baseline: a (0.5000) and b (1.0000)."
    )
    better = ScoreTable("W1", ("1",), {"model": [0], "a": [0.5], "b": [1], "c": [2]})
    assert better.verdict("model") == (
        "The model (0.0000) beats every baseline: a (0.5000), b (1.0000) and c "
        "(2.0000)."
    )


def test_there_is_no_verdict_without_a_score_or_a_baseline():
    assert ScoreTable("W1", ("1",), {"model": [1]}).verdict("model") == ""
    assert _table([1, None], [1, 2]).verdict("model") == ""
    assert _table([1, 2], [1, None]).verdict("model") == ""
    # Learned models are no baselines of each other.
    models = ScoreTable("W1", ("1",), {"a": [1], "b": [2]}, models=("a", "b"))
    assert models.verdict("a") == ""


def test_a_mean_needs_every_case():
    assert _table([1, 2], [1, None]).mean("model") == 1.5
    assert _table([1, 2], [1, None]).mean("nothing moves") is None


def test_intervals_decide_where_they_are_known():
    rows = {"model": [0.1], "near": [0.2], "far": [9.0], "best": [0.3]}
    told = {"near": 0, "far": -1, "best": 1}
    verdict = ScoreTable("W1", ("1",), rows, told=told).verdict("model")
    assert verdict == (
        "The model (0.1000) beats far (9.0000), cannot be told from near (0.2000), "
        "loses to best (0.3000)."
    )
    unknown = {name: [1.0] for name in ("model", "a", "b")}
    nothing = ScoreTable("W1", ("1",), unknown, told={"a": 0, "b": 0})
    assert nothing.verdict("model") == (
        "The model (1.0000) cannot be told from a (1.0000) or b (1.0000)."
    )


def test_seeds_are_told_apart_by_the_median_of_what_they_say():
    tables = [
        ScoreTable("W1", ("a",), {"m": [0.1], "b": [0.2]}, ("m",), told={"b": sign})
        for sign in (-1, 0, 0)
    ]
    (table,) = median_outcome([Outcome({}, [table]) for table in tables]).tables
    assert "cannot be told from b" in table.verdict("m")


def test_medians_over_seeds():
    outcomes = [
        Outcome({"w1": w, "odd": 1}, [ScoreTable("W1", ("a",), {"model": [w]})])
        for w in (3.0, 1.0, 2.0)
    ]
    # A number that one seed lacks has no median.
    outcomes[0] = Outcome({"w1": 3.0}, outcomes[0].tables)
    median = median_outcome(outcomes)
    assert median.metrics == {"w1": 2.0, "w1_median": 2.0, "w1_min": 1.0, "w1_max": 3.0}
    (table,) = median.tables
    assert table.rows["model"] == [2.0]
    assert table.mean("model") == 2.0


def test_a_score_that_one_seed_lacks_has_no_median():
    outcomes = [Outcome({}, [_table([1.0, 2.0], [3.0, x])]) for x in (4.0, None)]
    (table,) = median_outcome(outcomes).tables
    assert table.rows == {"model": [1.0, 2.0], "nothing moves": [3.0, None]}


def test_the_mean_over_cases_is_the_median_of_the_seeds_means():
    rows = ([0.0, 3.0], [2.0, 2.0], [4.0, 0.0])
    tables = [ScoreTable("W1", ("a", "b"), {"model": r, "base": [9, 9]}) for r in rows]
    (table,) = median_outcome([Outcome({}, [table]) for table in tables]).tables
    assert table.rows["model"] == [2.0, 2.0]
    assert table.mean("model") == 2.0
    assert "mean 2.0000, 1.5000 to 2.0000 over seeds" in table.verdict("model")


def test_a_mean_of_zero_counts():
    tables = [ScoreTable("W1", ("a",), {"m": [w], "b": [9.0]}) for w in (0.0, 0.0, 1.0)]
    (table,) = median_outcome([Outcome({}, [table]) for table in tables]).tables
    assert table.mean("m") == 0.0


def test_two_outcomes_joined():
    one = Outcome({"a": 1, "b": 2}, [_table([1, 2], [3, 4])], ["First."])
    both = one.joined(Outcome({"b": 3}, remarks=["Second."]))
    assert both.metrics == {"a": 1, "b": 3}
    assert both.remarks == ["First.", "Second."]
    assert both.tables == [*one.tables]
