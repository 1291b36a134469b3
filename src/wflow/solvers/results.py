"""How a solve can end."""

from typing import Any

import diffrax


class RESULTS(diffrax.RESULTS):  # pyright: ignore[reportGeneralTypeIssues]
    """How a solve ended.

    Diffrax's results, the end of a fixed-step solve in nan or infinity, that of an
    adaptive one which never began, and a density that is nan.
    """

    nonfinite_state = "The state became nan or infinite."
    no_first_step = (
        "No first step was accepted, however short: the velocity at the start is nan "
        "or infinite, or dt0 or the tolerances do not fit."
    )


# To a checker this one is of Diffrax's enumeration.
SUCCESSFUL: Any = RESULTS.successful


class SolveError(RuntimeError):
    """A solve did not reach its end; the sentence says when and how."""
