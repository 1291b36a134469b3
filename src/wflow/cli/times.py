"""Times as they are given to the command."""

import math

from .errors import CommandError


def parse_times(texts: list[str]) -> list[float]:
    """Times from ``--times 1,2 --times 3``."""
    times = []
    for text in (part for given in texts for part in given.replace(",", " ").split()):
        try:
            times.append(float(text))
        except ValueError:
            raise CommandError(f"--times: expected numbers, found {text!r}.") from None
        if not math.isfinite(times[-1]):
            raise CommandError(f"--times: expected finite numbers, found {text!r}.")
    if not times:
        raise CommandError("--times: expected at least one time.")
    return sorted(set(times))
