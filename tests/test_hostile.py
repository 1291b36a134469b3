"""Every public name is called with every argument spoiled: right, or refused."""

import pytest

from tests.hostile.engine import attack
from tests.hostile.rooms import files, load, missing, public, table


# Sentences of other libraries, or without the argument's name: one case in twenty.
MOST_WORDS = 0.05
# Files whose healthy calls compile little.
QUICK = {
    "filtering_transport",
    "flows",
    "geometries",
    "io",
    "networks",
    "parameters",
    "regression_laws",
    "sampling_flows",
}


def _case(file):
    return pytest.param(file, marks=() if file in QUICK else pytest.mark.slow)


def test_every_public_name_has_an_entry():
    assert missing() == []


def test_every_entry_is_of_a_public_name():
    names = public()
    unknown = [
        f"{room}.{key}"
        for room, entries in load().items()
        for key in entries
        if f"{room}.{key.partition('.')[0]}" not in names
    ]
    assert unknown == []


@pytest.mark.parametrize("file", [_case(file) for file in files()])
def test_spoiled_arguments_are_right_or_refused(file):
    outcomes = [
        outcome
        for name, entry in table(file)[1].items()
        if not isinstance(entry, str)
        for outcome in attack(name, entry)
    ]
    assert [outcome for outcome in outcomes if outcome.bad] == []
    words = [outcome for outcome in outcomes if outcome.kind == "words"]
    assert len(words) <= MOST_WORDS * len(outcomes), words
