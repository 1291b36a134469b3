"""What a config gets wrong is a sentence with its dotted key."""

import re
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, model_validator

from wflow import kernels
from wflow.studies import (
    HERE,
    Count,
    Name,
    Part,
    Positive,
    Share,
    Spec,
    Strict,
    StudyParams,
)
from wflow.studies._params import closest, shown, unknown_key, validate


class Case(Strict):
    members: Count
    share: Share = 0.5
    kernel: Annotated[Spec, Part(kernels)] = {"kind": "EnergyDistance"}

    @model_validator(mode="after")
    def _even(self) -> "Case":
        if self.members == 13:
            raise ValueError("expected another number of members.")
        if self.members == 14:
            raise ValueError(f"{HERE}.members: expected another number.")
        return self


class Until(Strict):
    kind: Literal["until"]
    time: float


class Last(Strict):
    kind: Literal["last"]
    snapshots: Count = 1


class Params(StudyParams):
    task: Literal["x"]
    case: Case = Case(members=1)
    maybe: Case | None = None
    cases: dict[Name, Case] = {}
    several: Annotated[list[Case], Field(max_length=2)] = []
    nested: dict[str, list[Case]] = {}
    pair: Annotated[list[float], Field(min_length=2, max_length=2)] = [0.0, 1.0]
    rate: Positive | Literal["median"] = "median"
    rates: dict[str, Positive | None] = {}
    steps: list[int] | int = 1
    widths: Annotated[list[Count], Field(min_length=1)] = [1]
    start: Literal["zero", "one"] = "zero"
    text: str = ""
    flag: bool = False
    split: Annotated[Until | Last, Field(discriminator="kind")] = Last(kind="last")
    splits: list[Annotated[Until | Last, Field(discriminator="kind")]] = []
    either: Until | list[Last] | None = None

    @model_validator(mode="after")
    def _increasing(self) -> "Params":
        if self.pair[1] <= self.pair[0]:
            raise ValueError("pair: expected two numbers in order.")
        return self


GOOD: dict[str, Any] = {"task": "x"}


def test_a_good_config_is_read():
    found = validate(
        Params,
        {
            **GOOD,
            "cases": {"a": {"members": 2}},
            "several": [{"members": 3, "share": 1}],
            "nested": {"b": [{"members": 4}]},
            "rate": 2,
            "steps": [1, 2],
            "maybe": {"members": 5},
        },
        "x.yaml",
    )
    assert found.cases["a"].members == 2
    assert found.several[0].share == 1.0
    assert found.rate == 2.0
    # What was resolved is a config again, and the same.
    assert validate(Params, found.model_dump(mode="json"), "again") == found


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        # At the top.
        ({"sead": 3}, "sead is not a key at the top. Did you mean seed? Valid: task, "),
        ({"seed": -1}, "seed: expected greater than or equal to 0, found -1."),
        ({"seed": 2**32}, "seed: expected less than 4294967296, found 4294967296."),
        ({"seed": True}, "seed: expected an integer, found True."),
        ({"seed": 1.0}, "seed: expected an integer, found 1.0."),
        ({"seeds": []}, "seeds: expected at least 1 item, found []."),
        ({"pair": [1.0]}, "pair: expected at least 2 items, found [1.0]."),
        ({"pair": [1.0, 2.0, 3.0]}, "pair: expected at most 2 items, found [1.0, 2"),
        ({"seeds": [1, 1]}, "seeds: expected distinct seeds."),
        ({"seeds": [0, -1]}, "seeds.1: expected greater than or equal to 0, found -1."),
        ({"precision": "float16"}, "precision: expected 'float32' or 'float64', found"),
        ({"task": "y"}, "task: expected 'x', found 'y'."),
        ({"start": None}, "start: expected 'zero' or 'one', found nothing."),
        ({"text": 3}, "text: expected a string, found 3."),
        ({"flag": "yes"}, "flag: expected a boolean, found 'yes'."),
        ({"flag": 1}, "flag: expected a boolean, found 1."),
        ({"pair": [1.0, 0.0]}, "pair: expected two numbers in order."),
        # Nested models, such that may be left out, lists and mappings of them.
        ({"case": 3}, "case: expected keys and values, found 3."),
        ({"case": None}, "case: expected keys and values, found nothing."),
        ({"case": {}}, "case.members is missing."),
        (
            {"case": {"members": 1, "shere": 1}},
            "case.shere is not a key under case. Did you mean case.share? Valid: "
            "members, share, kernel.",
        ),
        (
            {"case": {"members": 0}},
            "case.members: expected greater than or equal to 1, found 0.",
        ),
        (
            {"case": {"members": 1, "share": float("nan")}},
            "case.share: expected a finite number, found nan.",
        ),
        ({"case": {"members": 13}}, "case: expected another number of members."),
        ({"case": {"members": 14}}, "case.members: expected another number."),
        ({"maybe": 3}, "maybe: expected keys and values, found 3."),
        ({"maybe": {}}, "maybe.members is missing."),
        ({"maybe": {"members": 1, "a": 1}}, "maybe.a is not a key under maybe. Valid:"),
        ({"maybe": {"members": 14}}, "maybe.members: expected another number."),
        ({"cases": {"a": {}}}, "cases.a.members is missing."),
        (
            # A name like the key of a model.
            {"cases": {"members": {"members": 1, "b": 1}}},
            "cases.members.b is not a key under cases.members. Valid: members, ",
        ),
        (
            {"cases": {"a": {"members": 1, "kernel": {"kind": "LaplaceKernel"}}}},
            "cases.a.kernel.bandwidth is missing.",
        ),
        (
            {"cases": {"a": {"members": 14}}},
            "cases.a.members: expected another number.",
        ),
        (
            {"cases": {"a b": {"members": 1}}},
            r"cases.a b: expected a text that matches ^[A-Za-z0-9][\w+-]*$, found",
        ),
        ({"cases": [1]}, "cases: expected a dictionary, found [1]."),
        ({"several": {"a": 1}}, "several: expected a list, found {'a': 1}."),
        ({"several": [{"members": 1}, {}]}, "several.1.members is missing."),
        ({"several": [{"members": 13}]}, "several.0: expected another number of mem"),
        ({"nested": {"a": [{}]}}, "nested.a.0.members is missing."),
        ({"nested": {"a": {}}}, "nested.a: expected a list, found {}."),
        # Unions of plain types are one sentence.
        (
            {"rate": "mean"},
            "rate: expected a number or 'median', found 'mean'.",
        ),
        ({"rates": {"a": "b"}}, "rates.a: expected a number, found 'b'."),
        ({"rates": {"a": 0}}, "rates.a: expected greater than 0, found 0."),
        ({"steps": "a"}, "steps: expected a list or an integer, found 'a'."),
        # Models told apart by their kind.
        ({"split": {}}, "split.kind is missing: expected one of until, last."),
        (
            {"split": {"kind": "lst"}},
            "split.kind: expected one of until, last, found 'lst'. Did you mean last?",
        ),
        ({"split": {"kind": "until"}}, "split.time is missing."),
        (
            {"splits": [{"kind": "last", "snapshot": 1}]},
            "splits.0.snapshot is not a key under splits.0. Did you mean "
            "splits.0.snapshots? Valid: kind, snapshots.",
        ),
        ({"widths": [1, "a"]}, "widths.1: expected an integer, found 'a'."),
    ],
)
def test_what_is_wrong_is_named_in_its_place(keys, sentence):
    with pytest.raises(ValueError, match=re.escape(f"x.yaml: {sentence}")) as caught:
        validate(Params, GOOD | keys, "x.yaml")
    (line,) = str(caught.value).splitlines()
    assert line.startswith("x.yaml: ")
    assert line.endswith((".", "?"))
    assert HERE not in line


def test_of_a_union_every_member_says_what_it_lacks():
    with pytest.raises(ValueError, match="x") as caught:
        validate(Params, GOOD | {"either": {"kind": "until", "tim": 1.0}}, "x")
    assert str(caught.value).splitlines() == [
        "x: either.time is missing.",
        "x: either.tim is not a key under either. Did you mean either.time? Valid: "
        "kind, time.",
        "x: either: expected a list, found {'kind': 'until', 'tim': 1.0}.",
    ]
    with pytest.raises(ValueError, match="x") as caught:
        validate(Params, GOOD | {"either": [{"kind": "last", "snapshot": 1}]}, "x")
    assert str(caught.value).splitlines()[1] == (
        "x: either.0.snapshot is not a key under either.0. Did you mean "
        "either.0.snapshots? Valid: kind, snapshots."
    )


def test_every_wrong_key_has_a_line():
    keys = {"a": 1, "case": {"members": 0, "b": 1}, "several": [{}], "text": 1}
    with pytest.raises(ValueError, match="x") as caught:
        validate(Params, keys, "x")
    found = [
        re.match(r"x: (\S+?):? ", line)[1] for line in str(caught.value).split("\n")
    ]
    assert sorted(found) == [
        "a",
        "case.b",
        "case.members",
        "several.0.members",
        "task",
        "text",
    ]


def test_params_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Params(task="x").seed = 1  # pyright: ignore


def test_names_that_are_alike():
    assert closest("steps", ["step", "width"]) == "step"
    assert closest("q", ["step", "width"]) is None
    assert unknown_key("a.b.c", ["d"]) == "a.b.c is not a key under a.b. Valid: d."


def test_long_values_are_cut():
    assert shown(None) == "nothing"
    assert len(shown("x" * 100)) == 60
