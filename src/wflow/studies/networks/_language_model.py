"""A small language model: how it scales, and one training of it."""

from typing import Annotated, Any, Literal

import equinox as eqx
import jax
from pydantic import Field, model_validator

from wflow.networks import scale
from wflow.networks.scale import ByteTransformer, Recipe
from wflow.networks.scale.corpus import Corpus
from wflow.networks.scale.transformer import Scaling
from wflow.studies import Part, Positive, Spec, Strict, build


Rates = Annotated[list[Positive], Field(min_length=1)]
_MODEL = Part(scale, of=ByteTransformer, needs=["key", "scaling"])


class Variant(Strict):
    """A way to scale, and the roles that weight decay acts on.

    ``rates`` are peak learning rates to try in place of those of all variants.
    """

    scaling: Scaling
    decayed: list[Literal["matrix", "scale_in", "scale_out"]]
    rates: Rates | None = None


class LanguageModel(Strict):
    """Sizes, text and optimizer.

    Attributes:
        held_out: share of the text, at its end, for validation.
        model: a ``ByteTransformer`` with its sizes.
        training: a ``Recipe`` of the optimizer.
    """

    held_out: Annotated[float, Field(gt=0, lt=1)] = 0.05
    model: Annotated[Spec, _MODEL] = {"kind": "ByteTransformer"}
    training: Annotated[Spec, Part(scale, of=Recipe)] = {"kind": "Recipe"}

    @model_validator(mode="after")
    def _built(self) -> "LanguageModel":
        # What the class refuses shows without drawing a weight.
        eqx.filter_eval_shape(self.transformer, "none", jax.random.key(0))
        return self

    def transformer(self, scaling: Scaling, key: jax.Array) -> ByteTransformer:
        """The model at its start."""
        given = {"scaling": scaling, "key": key}
        return build(self.model, scale, ByteTransformer, "model", **given)

    def train(
        self, corpus: Corpus, variant: Variant, rate: float, seed: int
    ) -> dict[str, Any]:
        """The course of one training; weights and batches come from its seed alone."""
        weights, batches = jax.random.split(jax.random.key(seed))
        model = self.transformer(variant.scaling, weights)
        recipe = build(self.training, scale, Recipe, "training")
        mask = scale.decay_mask(model, variant.decayed)
        done = scale.train(model, corpus, mask, rate, recipe, key=batches)
        return {name: v for name, v in done._asdict().items() if name != "model"}
