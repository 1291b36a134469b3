"""``python -m tests.hostile [room ...]``: spoil all arguments, and count."""

import sys
from collections import Counter

from tests import conftest  # noqa: F401  (sets JAX up as for the tests, so it is first)

from .engine import attack
from .rooms import load


OTHER = ("words", "accepted", "nan", "crash", "hang")


def main(chosen: list[str]) -> None:
    """Print the cases that fall short, then a table of counts by room."""
    total: Counter[str] = Counter()
    rows = []
    for room, table in sorted(load().items()):
        short = room.removeprefix("wflow.")
        if chosen and short not in chosen:
            continue
        counts: Counter[str] = Counter()
        for name, entry in table.items():
            if isinstance(entry, str):
                continue
            for outcome in attack(name, entry):
                counts[outcome.kind] += 1
                if outcome.kind in OTHER:
                    print(f"{short}.{outcome.case}: {outcome.kind}: {outcome.text}")
        if counts:
            rows.append((short, counts))
        total += counts
    print("\n| room | tried | right | refused in a sentence | other words | else |")
    print("|---|---|---|---|---|---|")
    for short, counts in [*rows, ("all", total)]:
        bad = sum(counts[kind] for kind in OTHER[1:])
        print(
            f"| {short} | {counts.total()} | {counts['right']} | {counts['sentence']} "
            f"| {counts['words']} | {bad} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
