"""Snapshots out of an AnnData in memory."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from .clock import days


Masses = str | Sequence[float] | Float[np.ndarray, " T"] | None


def parts_of(
    adata: Any, time: str, representation: str, masses: Masses | Literal["counts"]
) -> dict[str, Any]:
    """The arguments of ``Snapshots`` that an AnnData holds."""
    owner = "from_anndata"
    obs, obsm = getattr(adata, "obs", None), getattr(adata, "obsm", None)
    if obs is None or obsm is None:
        raise TypeError(
            f"{owner}: expected an AnnData, found an object of type "
            f"{type(adata).__name__}."
        )
    t = _column(owner, obs, "time", time)
    if representation not in obsm:
        raise ValueError(
            f"{owner}: expected representation {representation!r} in .obsm, found "
            f"{', '.join(map(str, obsm)) or 'none'}."
        )
    x = obsm[representation]
    x = np.asarray(x.toarray() if hasattr(x, "toarray") else x)
    times, row_time = np.unique(t, return_inverse=True)
    rows = [np.flatnonzero(row_time == k) for k in range(len(times))]
    found = {"times": times, "clouds": [x[r] for r in rows]}
    if masses is None:
        return found
    if isinstance(masses, str) and masses == "counts":
        return {**found, "masses": [float(len(r)) for r in rows]}
    if not isinstance(masses, str):
        return {**found, "masses": masses}
    column = _column(owner, obs, "masses", masses)
    if any(np.ptp(column[r]) for r in rows):
        raise ValueError(
            f"{owner}: expected masses {masses!r} to be the same in all cells of a "
            "time, found several."
        )
    return {**found, "masses": [column[r[0]] for r in rows]}


def _column(owner: str, obs: Any, name: str, wanted: Any) -> np.ndarray:
    """A column of numbers, dates or durations; categories count as what they are."""
    if wanted not in obs:
        raise ValueError(
            f"{owner}: expected {name} {wanted!r} in .obs, found "
            f"{', '.join(map(str, obs.columns))}."
        )
    column = np.asarray(obs[wanted])
    try:
        found = np.asarray(days(column)).astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{owner}: expected {name} {wanted!r} to hold numbers, found "
            f"{column[0]!r}; write numbers into a column of .obs."
        ) from error
    if not np.isfinite(found).all():
        raise ValueError(f"{owner}: expected {name} {wanted!r} to be finite.")
    return found
