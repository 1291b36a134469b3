"""Floor 0: refusals, each in one sentence, and the casts that go with them.

A check looks at values that are known, and lets pass what is traced, yet to be learned
or a template. A sentence names the owner and the argument, what was expected and what
was found.
"""

from .arrays import at_least_single, cast, known, real_field, to_numpy, to_real
from .parts import function, instance, one_of, random_key
from .ranges import (
    count,
    covariance,
    finite,
    increasing,
    named,
    non_negative,
    positive,
    shape,
    weights,
    within,
)
from .results import one_number, returned
from .runtime import plain_errors, require


__all__ = [
    "at_least_single",
    "cast",
    "count",
    "covariance",
    "finite",
    "function",
    "increasing",
    "instance",
    "known",
    "named",
    "non_negative",
    "one_number",
    "one_of",
    "plain_errors",
    "positive",
    "random_key",
    "real_field",
    "require",
    "returned",
    "shape",
    "to_numpy",
    "to_real",
    "weights",
    "within",
]
