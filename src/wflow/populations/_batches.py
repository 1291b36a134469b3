"""A law of all batches but one, scored on the cells of that one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import PRNGKeyArray

from wflow.learning import Fit, Snapshots
from wflow.learning.paired import (
    Chances,
    Difference,
    Drawn,
    Traced,
    Truth,
    difference,
)

from ._answers import Scene
from ._best_fit import BestFit, matched_again
from ._laws import carried, restarted


# Fewest cells that a cloud is scored by or a law is matched to.
FEWEST = 10


class BatchScores(NamedTuple):
    """Steps from snapshot to snapshot of batches that the law has not seen.

    Attributes:
        names: of the batches that were left out, in turn.
        law: mean exact $W_1$ of each, in the coordinates that move, by the law of the
            other batches.
        seen: the same by the law of all batches.
        still: the same where nothing moves.
        difference: of the law of the others and of nothing that moves, over all.
    """

    names: tuple[str, ...]
    law: tuple[float, ...]
    seen: tuple[float, ...]
    still: tuple[float, ...]
    difference: Difference


def leave_batches_out(
    best: BestFit, batches: Sequence[Sequence[str]], most: int, *, key: PRNGKeyArray
) -> BatchScores | None:
    """Match the law of ``best.fit`` without each batch in turn, and follow its cells.

    The cells of the batch at one snapshot are carried to the next one and scored
    against its cells there. Distances are in the units of the law.

    Args:
        best: what was chosen.
        batches: the batch of every cell of every snapshot.
        most: batches that are left out at most, the largest ones.
        key: random key.

    Returns:
        None where no law was trained, or where no batch has ten cells at two snapshots
        that follow each other and leaves ten at all of them.
    """
    if not best.fits:
        return None
    fitted = next(iter(best.fits.values()))
    inner = best.units.to_model(best.snapshots)
    found = [np.asarray(column).astype(str) for column in batches]
    labels, counts = np.unique(np.concatenate(found), return_counts=True)
    rows: list[tuple[str, float, float, float]] = []
    told: tuple[list, list] = ([], [])
    for name in labels[np.argsort(-counts, kind="stable")]:
        own = [column == name for column in found]
        steps = _steps(own)
        if not steps or min((~mask).sum() for mask in own) < FEWEST:
            continue
        if len(rows) == most:
            break
        others = _picked(inner, [~mask for mask in own])
        rates = best._rates and [
            rate[~mask] for rate, mask in zip(best._rates, own, strict=True)
        ]
        scene = Scene(others, tuple(range(len(inner))), best.components, rates)
        unseen = matched_again(best, scene, key).fit
        scores = _followed(best, inner, own, steps, (unseen, fitted), len(rows))
        for kept, part in zip(told, (scores[0], scores[2]), strict=True):
            kept.extend(part)
        means = (Drawn.mean([one.w1 for one in part]).value for part in scores)
        rows.append((str(name), *means))
    if not rows:
        return None
    names, law, seen, still = zip(*rows, strict=True)
    return BatchScores(names, law, seen, still, difference(*told))


def _steps(own: list[np.ndarray]) -> list[int]:
    """Snapshots that a batch has cells at, and at the next one too."""
    enough = [mask.sum() >= FEWEST for mask in own]
    return [k for k in range(len(own) - 1) if enough[k] and enough[k + 1]]


def _picked(snapshots: Snapshots, masks: list[np.ndarray]) -> Snapshots:
    """Some rows of every snapshot."""
    given = snapshots.velocities
    weights = [snapshots.weight(k)[mask] for k, mask in enumerate(masks)]
    return Snapshots(
        snapshots.times,
        [x[mask] for x, mask in zip(snapshots, masks, strict=True)],
        given
        and [
            None if v is None else v[mask] for v, mask in zip(given, masks, strict=True)
        ],
        None if snapshots.weights is None else weights,
        snapshots.masses,
    )


def _followed(
    best: BestFit,
    inner: Snapshots,
    own: list[np.ndarray],
    steps: list[int],
    laws: tuple[Fit, Fit],
    batch: int,
) -> tuple[list, list, list]:
    """Scores of both laws and of nothing that moves, one for each step."""
    lead, chances = best.components, Chances()
    gap = float(np.median(np.diff(inner.times)))
    starts = [k for k, mask in enumerate(own) if mask.any()]
    few = _picked(inner.take(starts), [own[k] for k in starts])
    leading = Scene(few, tuple(starts), lead).leading
    moving = [restarted(law, leading) for law in laws]
    scores: tuple[list, list, list] = ([], [], [])
    for k in steps:
        at, end = starts.index(k), starts.index(k + 1)
        # Cells of another batch are others, though their rows have the same numbers.
        source = batch * len(inner) + k
        truth = Traced.of(leading[end], leading.weight(end), source + 1)
        time = float(inner.times[k + 1])
        seen = Truth(truth, chances)
        for kept, law in zip(scores, moving, strict=False):
            x, w, _ = carried(law, at, time, gap)
            kept.append(seen.scores(Traced.of(x, w, source)))
        still = Traced.of(leading[at], leading.weight(at), source)
        scores[2].append(seen.scores(still))
    return scores
