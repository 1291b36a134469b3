"""The checks themselves: what they refuse is tested beside them."""

from wflow import checks


ROOM = "wflow.checks"

TABLE = {name: "a check of other arguments; tests/checks" for name in checks.__all__}
