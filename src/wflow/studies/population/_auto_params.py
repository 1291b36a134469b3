"""What a choice without tuning is asked."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.learning import Snapshots
from wflow.populations._members import FEWEST
from wflow.studies import Count, Positive, StudyParams

from ._data import individuals, rearranged
from ._params import FileData, GapminderData, SimulatedData
from ._prior import GeneSets
from ._splits import All, Fraction, Holdout, Last, Until


class Params(StudyParams):
    """Choose by held-out snapshots how the population moves; see ``wflow.fit_best``.

    Attributes:
        data: the snapshots.
        split: what is kept from the choice, to be scored at the end.
        model: how it is chosen.
        budget: seconds that the choice may take.
        steps: of each training.
        components: how many leading coordinates move; chosen if not given.
        annotation: the column that says what a row is.
        batch: the column that says which batch or donor a row is of: the law of all
            others is scored on the rows of each.
        growth: what is known of the growth of single rows: a column of rates per time,
            or sets of genes.
        members: laws of resampled rows that say how sure the chosen one is, in bands
            and the column ``uncertainty``; 0 for none.
    """

    task: Literal["population_auto"]
    data: Annotated[
        GapminderData | FileData | SimulatedData, Field(discriminator="kind")
    ]
    split: Annotated[
        All | Until | Last | Fraction | Holdout, Field(discriminator="kind")
    ] = All(kind="all")
    model: Literal["auto"] = "auto"
    budget: Positive = 300.0
    steps: Count = 1000
    components: Count | None = None
    annotation: str | None = None
    batch: str | None = None
    growth: str | GeneSets | None = None
    members: Annotated[int, Field(ge=0)] = 8

    @model_validator(mode="after")
    def _chosen(self) -> "Params":
        clock = self.data.time
        if (clock.origin, clock.unit) != (None, 1) and not isinstance(
            self.data, GapminderData
        ):
            raise ValueError(
                "data.time: expected a label alone; units of the model are chosen."
            )
        if 0 < self.members < FEWEST:
            raise ValueError(
                f"members: expected 0 or at least {FEWEST}, found {self.members}."
            )
        return self

    @property
    def columns(self) -> dict[str, str]:
        """Names of columns that are asked for, by key."""
        asked = {key: getattr(self, key) for key in ("annotation", "batch", "growth")}
        return {key: name for key, name in asked.items() if isinstance(name, str)}

    def parts(self, snapshots: Snapshots) -> tuple[Snapshots, Snapshots | None]:
        """What the choice sees, and what is kept back; tracked rows in one order."""
        if self.data.tracked:
            snapshots = rearranged(snapshots, individuals(self, snapshots.sizes))
        if isinstance(self.split, All):
            return snapshots, None
        train, test, _ = self.split.of(snapshots)
        return train, test
