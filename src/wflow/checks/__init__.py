"""Refusals, each in one sentence, and the casts that go with them.

A check looks at values that are known, and lets pass what is traced, yet to be learned
or a template. A sentence names the owner and the argument, what was expected and what
was found.
"""

from .arrays import at_least_single as at_least_single
from .arrays import cast as cast
from .arrays import known as known
from .arrays import real_field as real_field
from .arrays import to_numpy as to_numpy
from .arrays import to_real as to_real
from .parts import function as function
from .parts import instance as instance
from .parts import one_of as one_of
from .parts import random_key as random_key
from .ranges import count as count
from .ranges import covariance as covariance
from .ranges import finite as finite
from .ranges import increasing as increasing
from .ranges import named as named
from .ranges import non_negative as non_negative
from .ranges import positive as positive
from .ranges import shape as shape
from .ranges import weights as weights
from .ranges import within as within
from .results import one_number as one_number
from .results import returned as returned
from .runtime import plain_errors as plain_errors
from .runtime import require as require
