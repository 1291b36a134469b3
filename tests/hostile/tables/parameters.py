"""Numbers that may be learned."""

from wflow.parameters import Learnable

from ..engine import array, entry, given


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
}
