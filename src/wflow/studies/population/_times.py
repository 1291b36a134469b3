"""Times as a reader writes them: 1997, 0.25, 20240104."""

from collections.abc import Iterable


# Digits after the point: a time of which more matter is told apart by more.
_DECIMALS = 5
# What rounding between units leaves, as a share of the time.
_ROUNDING = 1e-12


def time_text(time: float, others: Iterable[float] = ()) -> str:
    """``time`` in as few digits as tell it from ``others``, no fewer than six."""
    time = float(time)
    apart = [
        float(other)
        for other in others
        if abs(other - time) > _ROUNDING * max(abs(other), abs(time))
    ]
    whole = len(str(int(abs(time)))) if abs(time) < 1e12 else 0
    for digits in (max(6, whole + _DECIMALS), 12, 15):
        text = f"{time:.{digits}g}"
        if all(text != f"{other:.{digits}g}" for other in apart):
            return text
    return repr(time)
