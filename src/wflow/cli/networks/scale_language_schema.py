"""The config of the language model with scale vectors."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


if TYPE_CHECKING:
    from wflow.networks.scale.training import Recipe

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")]


class Variant(Strict):
    """A way to scale, and the roles that weight decay acts on.

    ``rates`` are peak learning rates to try in place of those of all variants.
    """

    scaling: Literal["none", "shared", "branch", "two-sided", "unified", "weight-norm"]
    decayed: list[Literal["matrix", "scale_in", "scale_out"]]
    rates: Annotated[list[Positive], Field(min_length=1)] | None = None


class Model(Strict):
    """Sizes of the transformer; ``deviation`` is of all initial matrices."""

    size: Count = 64
    heads: Count = 4
    layers: Count = 2
    hidden: Count = 172
    deviation: Positive = 0.02

    @model_validator(mode="after")
    def _checked(self) -> "Model":
        if self.size % (2 * self.heads):
            raise ValueError("size: expected a multiple of twice the heads.")
        return self


class Training(Strict):
    """AdamW with warm-up and cosine; the fields are those of ``Recipe``."""

    steps: Count = 400
    batch: Count = 16
    context: Count = 64
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.05
    final: Annotated[float, Field(gt=0, le=1)] = 0.1
    b2: Annotated[float, Field(gt=0, lt=1)] = 0.95
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    clip: Positive = 1.0
    every: Count = 50

    def recipe(self) -> "Recipe":
        """As the library takes it."""
        from wflow.networks.scale.training import Recipe

        return Recipe(**self.model_dump())


class LanguageModelConfig(StudyParams):
    """Variants of one model on one text, at the learning rate that suits each.

    Attributes:
        variants: what is compared, by name; the first is the baseline.
        rates: peak learning rates, of which the first seed picks one per variant; a
            variant may have its own.
        more_seeds: at that rate, after the first.
        held_out: share of the text, at its end, for validation.
        model: sizes.
        training: the optimiser.
    """

    task: Literal["scale_language_model"]
    variants: Annotated[dict[Name, Variant], Field(min_length=1)]
    rates: Annotated[list[Positive], Field(min_length=1)]
    more_seeds: Annotated[int, Field(ge=0)] = 2
    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.05
    model: Model = Model()
    training: Training = Training()

    @model_validator(mode="after")
    def _checked(self) -> "LanguageModelConfig":
        if self.seeds is not None:
            raise ValueError("seeds: expected none; more_seeds says how many follow.")
        for rates in map(self.rates_of, self.variants):
            if len(set(rates)) < len(rates):
                raise ValueError("rates: expected distinct learning rates.")
        return self

    def rates_of(self, name: str) -> list[float]:
        """The learning rates that a variant tries."""
        return self.variants[name].rates or self.rates
