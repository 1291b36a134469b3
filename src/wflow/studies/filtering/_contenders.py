"""Filters that a study compares, each with its number of members."""

import dataclasses
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from wflow import filtering
from wflow.filtering import Domain, GridFilter, KalmanFilter
from wflow.filtering.base import AbstractMethod
from wflow.studies import HERE, Name, NonNegative, Part, Positive, Spec, Strict, build


class Local(Strict):
    """Localization on the ring of components.

    Attributes:
        radius: at which an observation counts about e^{-1/2}.
        patch_radius: components within it are moved together.
    """

    radius: Positive
    patch_radius: NonNegative = 0.0


class Contender(Strict):
    """A filter and its ensemble.

    Attributes:
        members: of the ensemble.
        filter: a class of ``wflow.filtering`` with its arguments.
        local: the domain of a filter that has one.
    """

    members: Annotated[int, Field(ge=2)]
    filter: Annotated[Spec, Part(filtering, of=AbstractMethod, needs=["domain"])]
    local: Local | None = None

    @model_validator(mode="after")
    def _whole(self) -> "Contender":
        kind = self.filter["kind"]
        if issubclass(getattr(filtering, kind), GridFilter | KalmanFilter):
            raise ValueError(
                f"{HERE}.filter: expected a filter with an ensemble, found {kind}."
            )
        if self._has_domain and self.local is None:
            raise ValueError(f"{HERE}.local is missing: {kind} is told how near is.")
        if self.local is not None and not self._has_domain:
            raise ValueError(f"{HERE}.local: {kind} is not local; leave local out.")
        # A ring of any size shows what the class refuses.
        self.build(4, 1)
        return self

    @property
    def _has_domain(self) -> bool:
        fields = dataclasses.fields(getattr(filtering, self.filter["kind"]))
        return any(field.name == "domain" for field in fields)

    def build(self, ring: int | None = None, every: int = 1) -> AbstractMethod:
        """The filter; on a ring of so many components one of ``every`` is observed."""
        given: dict[str, Any] = {}
        if self.local is not None and ring is not None:
            seen = np.arange(0, ring, every)
            radius, patch = self.local.radius, self.local.patch_radius
            given["domain"] = Domain.ring(radius, ring, seen, patch)
        return build(self.filter, filtering, AbstractMethod, f"{HERE}.filter", **given)

    def refuse_local(self, name: str, where: str) -> None:
        """Refuse localization where components have no distances."""
        if self.local is not None:
            raise ValueError(
                f"methods.{name}.local: the components of {where} have no distances; "
                "leave local out."
            )


Contenders = Annotated[dict[Name, Contender], Field(min_length=1)]


def mean_of(values: np.ndarray) -> float:
    """Mean over the runs that did not fail; nan if none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def error_of(values: np.ndarray) -> float:
    """Standard error of ``mean_of``; nan with fewer than two runs."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return float("nan")
    return float(known.std(ddof=1) / known.size**0.5)
