"""Numbers that may be learned."""

from wflow.parameters import Learnable, unwrap

from ..engine import array, entry, given, positive


ROOM = "wflow.parameters"

TABLE = {
    "Learnable": entry(
        Learnable,
        value=array([1.0, 2.0], fine=("short", "shape", "zero")),
        positive=given(True, text="yes", none=None, number=2),
    ),
    "Learnable.value": entry(
        lambda value: Learnable(value, positive=False).value,
        value=array([1.0, -2.0], fine=("short", "shape")),
    ),
    "unwrap": entry(
        lambda value: unwrap({"a": Learnable(value), "b": 1}),
        value=positive(1.0, fine=("zero", "shape")),
    ),
}
