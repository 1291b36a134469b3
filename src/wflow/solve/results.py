"""How a solve can end."""

import diffrax


class RESULTS(diffrax.RESULTS):  # pyright: ignore[reportGeneralTypeIssues]
    """Diffrax's results, and the end of a fixed-step solve in nan or infinity."""

    nonfinite_state = "The state became nan or infinite."


class SolveError(RuntimeError):
    """A solve did not reach its end; the sentence says when and how."""
