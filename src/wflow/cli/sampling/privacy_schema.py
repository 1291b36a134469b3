"""The config of a privacy study."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import StudyParams

from .stability_schema import NonNegative, Positive


class PrivacyConfig(StudyParams):
    """The exponential mechanism for a loss on the torus, run for a while only.

    Attributes:
        people: data in the set, each a point of the torus.
        spread: of the points about their centre, in radians.
        epsilon: level of the exponential mechanism, to which a long run tends.
        alpha: strength of the transport.
        beta: strength of the reaction.
        pairs: neighbouring data sets that are solved exactly, each with one other
            person moved to the opposite point.
        cells: of the grid, along each of the two axes.
        times: at which the guarantee is compared with the exact privacy loss.
    """

    task: Literal["sampling_privacy"]
    people: Annotated[int, Field(ge=1)]
    spread: NonNegative = 0.8
    epsilon: Positive
    alpha: NonNegative = 1.0
    beta: NonNegative = 1.0
    pairs: Annotated[int, Field(ge=1)] = 1
    cells: Annotated[int, Field(ge=8)] = 64
    times: Annotated[list[Positive], Field(min_length=1)]

    @model_validator(mode="after")
    def _checked(self) -> "PrivacyConfig":
        if self.alpha == 0 and self.beta == 0:
            raise ValueError("alpha and beta: expected at least one above zero.")
        if self.pairs > self.people:
            raise ValueError(
                f"pairs: expected at most one for each of {self.people} people, found "
                f"{self.pairs}."
            )
        if sorted(set(self.times)) != self.times:
            raise ValueError("times: expected increasing times.")
        return self
