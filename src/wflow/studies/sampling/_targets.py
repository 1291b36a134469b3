"""Targets in closed form, and where particles start."""

from typing import Annotated, Any

from pydantic import model_validator

from wflow import measures, sampling
from wflow.measures import AbstractDensity, GaussianMixture
from wflow.sampling import Joker
from wflow.sampling.methods.base import AbstractMethod
from wflow.studies import Part, Spec, StudyParams, build

from ._methods import Methods, build_method
from ._nodes import Target, law_of


_KINDS = (GaussianMixture, Joker)


class TargetParams(StudyParams):
    """Methods for a target in closed form.

    Attributes:
        target: what they sample.
        initial: where particles start.
        methods: by name.
    """

    target: Annotated[Spec, Part(measures, sampling, of=_KINDS)]
    initial: Annotated[Spec, Part(measures, of=AbstractDensity)]
    methods: Methods

    @property
    def law(self) -> Target:
        """The target."""
        return build(self.target, (measures, sampling), _KINDS, "target")

    @property
    def start(self) -> Any:
        """The law of the particles at the start."""
        return build(self.initial, measures, AbstractDensity, "initial")

    def built(self) -> dict[str, AbstractMethod]:
        """The methods by name."""
        target = self.law
        return {
            name: build_method(
                spec, f"methods.{name}", target.log_density, law_of(target)
            )
            for name, spec in self.methods.items()
        }

    @model_validator(mode="after")
    def _one_space(self) -> "TargetParams":
        d, found = self.law.mean.size, self.start.mean.size
        if d != found:
            raise ValueError(
                f"initial: expected a law in {d} dimensions, as the target has, found "
                f"{found}."
            )
        self.built()
        return self
