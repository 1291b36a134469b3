"""The config of heads that learn a principal direction from prompts."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from wflow.studies._params import Strict, StudyParams


Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
Kind = Literal["linear", "softmax"]


class Setting(Strict):
    """A law of prompts.

    Attributes:
        theta: strength of the spike, Sigma = I + theta v v'.
        prompt_length: tokens of a prompt.
        degrees: of the Wishart covariance of each prompt; all share Sigma if left out.
    """

    theta: Positive
    prompt_length: Count
    degrees: Count | None = None


class Recovery(Strict):
    """Squared cosines against theta, all prompts with one covariance.

    Attributes:
        thetas: strengths of the spike, each with heads of its own.
        prompt_length: tokens of a prompt.
        steps: of each training.
        prompts: over which PCA of one prompt is averaged.
    """

    thetas: Annotated[list[Positive], Field(min_length=2)]
    prompt_length: Count
    steps: Count = 2000
    prompts: Count = 1000


class Course(Strict):
    """The gradient flow from one start: risks in closed form and on stored prompts.

    Attributes:
        theta: strength of the spike.
        prompt_length: tokens of a prompt.
        prompts: that are stored.
        end: of the time.
        times: that are saved.
    """

    theta: Positive
    prompt_length: Count
    prompts: Count
    end: Positive
    times: Annotated[int, Field(ge=8)] = 61


class Gap(Strict):
    """The risk above that of the infinite prompt, against the length.

    Attributes:
        theta: strength of the spike.
        lengths: of the curves, at least 2; the softmax head is sampled at the same.
        tokens: of all sampled prompts of one length together.
    """

    theta: Positive
    lengths: Annotated[list[Annotated[int, Field(ge=2)]], Field(min_length=2)]
    tokens: Count


class AttentionConfig(StudyParams):
    """Heads trained on fresh prompts, beside what knows more and what knows less.

    Attributes:
        dimension: of a token.
        settings: laws of prompts by name.
        heads: that are trained in each.
        repeats: trainings of each, from keys of their own.
        steps: of Adam.
        batch: fresh prompts of a step.
        learning_rate: of Adam, falling to 0 by a cosine.
        scale: of the start, mu ~ scale N(0, I/d).
        clip: largest norm of a gradient; clipping biases the norm of mu.
        prompts: over which per-prompt baselines are averaged.
        layers: of power iteration on a prompt, untrained heads.
        oja_rate: c of Oja's steps c / (t + 10 d) on batches.
        recovery: figure against theta.
        course: figure against time.
        gap: figure against the length.
    """

    task: Literal["attention_pca"]
    dimension: Annotated[int, Field(ge=2)] = 20
    settings: Annotated[dict[str, Setting], Field(min_length=1)]
    heads: Annotated[list[Kind], Field(min_length=1)] = ["linear", "softmax"]
    repeats: Count = 2
    steps: Count = 4000
    batch: Count = 64
    learning_rate: Positive = 0.01
    scale: Positive = 0.3
    clip: Positive | None = None
    prompts: Count = 4000
    layers: Count = 16
    oja_rate: Positive = 2.0
    recovery: Recovery
    course: Course
    gap: Gap

    @model_validator(mode="after")
    def _distinct(self) -> "AttentionConfig":
        if len(set(self.heads)) < len(self.heads):
            raise ValueError("heads: expected each kind once.")
        return self
