"""Gradient flows on risks of attention heads, and risks against the prompt's length."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from pydantic import Field

from wflow.flows import GradientFlow
from wflow.geometries import Euclidean
from wflow.measures import Point
from wflow.networks.attention import AttentionRisk, critical_point
from wflow.networks.attention.heads import initial_mu
from wflow.networks.attention.prompts import spiked_wishart
from wflow.networks.attention.risks import PromptRisk
from wflow.solvers import solve
from wflow.studies import Count, Positive, Strict

from ._prompt_heads import HeadsParams, head_of


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

    @property
    def closed(self) -> tuple[str, str]:
        """Names of the risks in closed form, of the infinite prompt and of this one."""
        return "infinite", f"closed_L{self.prompt_length}"


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


def courses(p: HeadsParams, course: Course, key: PRNGKeyArray) -> dict[str, np.ndarray]:
    """``time``; 1 - cos2 by name along flows from one start; ``rate_<name>`` if known.

    Names are those of ``course.closed`` and of the heads, on stored prompts.
    """
    of_start, of_prompts = jax.random.split(key)
    d, length = p.dimension, course.prompt_length
    spectrum = jnp.ones(d).at[0].add(course.theta)
    start = initial_mu(of_start, d, scale=p.scale)
    prompts = spiked_wishart(of_prompts, d, course.theta, length, course.prompts)
    risks = AttentionRisk(spectrum), AttentionRisk(spectrum, length)
    closed = dict(zip(course.closed, risks, strict=True))
    stored = {
        name: PromptRisk(head_of(kind, start), prompts)
        for name, kind in p.names.items()
    }
    times = jnp.linspace(0, course.end, course.times)
    found = {"time": np.asarray(times)}
    for name, risk in {**closed, **stored}.items():
        flow = GradientFlow(risk, Euclidean())
        path = solve(flow, Point(start), 0.0, course.end, times=times)
        mus = np.asarray(path.measures.value)
        # Not from cos2, which loses the digits near one.
        others = np.sum(mus[:, 1:] ** 2, axis=1)
        found[name] = others / (others + mus[:, 0] ** 2)
        if name in closed:
            rest = critical_point(flow, Point(closed[name].minimum))
            found[f"rate_{name}"] = np.asarray(2 * rest.rate)
    return found


def gap_curves(d: int, gap: Gap, key: PRNGKeyArray) -> dict[str, np.ndarray]:
    r"""Excess risks $R - (T - \lambda_1)$ against L: least, and the limit's."""
    spectrum = jnp.ones(d).at[0].add(gap.theta)
    limit = float(jnp.sum(spectrum) - spectrum[0])
    mu = AttentionRisk(spectrum).minimum
    rows = []
    for i, length in enumerate(gap.lengths):
        own = AttentionRisk(spectrum, length)
        other = AttentionRisk(spectrum, length, self_token=False)
        batch = max(2, gap.tokens // length)
        of_prompts = jax.random.fold_in(key, i)
        prompts = spiked_wishart(of_prompts, d, gap.theta, length, batch)
        head = head_of("SoftmaxAttention", mu)

        def at(x: Array, head=head) -> Array:
            return PromptRisk(head, x[None]).value(Point(mu))

        draws = np.asarray(jax.lax.map(jax.jit(at), prompts, batch_size=64))
        rows.append(
            {
                "least": own.value(Point(own.minimum)) - limit,
                "least_other": other.value(Point(other.minimum)) - limit,
                "linear": own.value(Point(mu)) - limit,
                "softmax": draws.mean() - limit,
                "softmax_se": draws.std(ddof=1) / np.sqrt(batch),
            }
        )
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
