"""Trainings on sampled prompts, their baselines, and the curves of the figures."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from wflow.cli.networks.attention_schema import AttentionConfig, Setting


if TYPE_CHECKING:
    import jax
    from jax import Array

    from wflow.networks.attention import AbstractHead


def recovered(
    config: AttentionConfig, setting: Setting, key: "jax.Array"
) -> dict[str, np.ndarray]:
    """Squared cosines and norms of heads and baselines, one for each repeat.

    Heads, ``pooled`` and ``oja`` of a repeat see the same prompts.
    """
    import jax
    import jax.numpy as jnp

    from wflow.networks.attention import spiked_covariance, square_root

    of_spike, *keys = jax.random.split(key, 1 + config.repeats)
    v = jax.random.normal(of_spike, (config.dimension,))
    root = square_root(spiked_covariance(setting.theta, v))
    run = jax.jit(jax.vmap(partial(_one, config, setting), in_axes=(None, None, 0)))
    found = run(root, v / jnp.linalg.norm(v), jnp.stack(keys))
    return {name: np.asarray(value) for name, value in found.items()}


def _one(
    config: AttentionConfig, setting: Setting, root: "Array", v: "Array", key: "Array"
) -> dict[str, "Array"]:
    """Heads and baselines of one repeat."""
    import jax

    from wflow.networks.attention import initial_mu, power_layers, prompt_pca

    of_start, of_prompts, of_tests = jax.random.split(key, 3)
    draw = _prompts_of(setting, root)
    start = initial_mu(of_start, config.dimension, scale=config.scale)
    batch = lambda key: draw(key, config.batch)
    found = _heads(config, config.steps, start, batch, v, of_prompts)
    pooled, oja = _streamed(
        config, start, lambda i: batch(jax.random.fold_in(of_prompts, i))
    )
    found |= {"pooled": cos2(pooled, v), "oja": cos2(oja, v)}
    prompts = draw(of_tests, config.prompts)
    # From a token of the prompt, as a head would.
    layered = jax.vmap(lambda x: power_layers(x, x[0], config.layers))(prompts)
    found["power_layers"] = _mean_cos2(layered, v)
    found["prompt_pca"] = _mean_cos2(prompt_pca(prompts)[..., 0], v)
    return found


def _prompts_of(setting: Setting, root: "Array") -> Callable[["Array", int], "Array"]:
    from wflow.networks.attention import gaussian_prompts

    return lambda key, batch: gaussian_prompts(
        key, root, setting.prompt_length, batch, setting.degrees
    )


def _heads(
    config: AttentionConfig,
    steps: int,
    start: "Array",
    batch: Callable[["Array"], "Array"],
    v: "Array",
    key: "Array",
) -> dict[str, "Array"]:
    """Squared cosine and norm of a trained head of each kind."""
    import jax.numpy as jnp

    from wflow.networks.attention import train_head

    found = {}
    for kind in config.heads:
        head, optimizer = head_of(kind, start), _optimizer(config, steps)
        trained = train_head(head, batch, key, steps=steps, optimizer=optimizer)
        found[kind] = cos2(trained.head.mu, v)
        found[f"norm_{kind}"] = jnp.linalg.norm(trained.head.mu)
    return found


def _streamed(
    config: AttentionConfig, start: "Array", prompts: Callable[["Array"], "Array"]
) -> tuple["Array", "Array"]:
    """Leading direction of the pooled second moment, and that of Oja's iteration."""
    import jax
    import jax.numpy as jnp

    def step(carry: tuple["Array", "Array"], i: "Array") -> tuple[Any, None]:
        pooled, u = carry
        tokens = prompts(i).reshape(-1, config.dimension)
        moment = tokens.T @ tokens / len(tokens)
        u = u + config.oja_rate / (i + 10 * config.dimension) * (moment @ u)
        return (pooled + moment, u / jnp.linalg.norm(u)), None

    zero = jnp.zeros((config.dimension, config.dimension), start.dtype)
    begin = (zero, start / jnp.linalg.norm(start))
    (pooled, u), _ = jax.lax.scan(step, begin, jnp.arange(config.steps))
    return jnp.linalg.eigh(pooled)[1][:, -1], u


def recovery_curves(config: AttentionConfig, key: "jax.Array") -> dict[str, np.ndarray]:
    """Squared cosines against theta, of trained heads and of one prompt's PCA."""
    import jax
    import jax.numpy as jnp

    from wflow.networks.attention import (
        bbp_overlap,
        initial_mu,
        prompt_pca,
        spiked_covariance,
        square_root,
    )

    thetas = jnp.asarray(config.recovery.thetas)
    length, d = config.recovery.prompt_length, config.dimension
    setting, v = Setting(theta=1.0, prompt_length=length), jnp.eye(d)[0]

    def at(theta: "Array", key: "Array") -> dict[str, "Array"]:
        of_start, of_prompts, of_tests = jax.random.split(key, 3)
        draw = _prompts_of(setting, square_root(spiked_covariance(theta, v)))
        start = initial_mu(of_start, d, scale=config.scale)
        batch = lambda key: draw(key, config.batch)
        steps = config.recovery.steps
        found = _heads(config, steps, start, batch, v, of_prompts)
        prompts = draw(of_tests, config.recovery.prompts)
        return {**found, "prompt_pca": _mean_cos2(prompt_pca(prompts)[..., 0], v)}

    found = jax.jit(jax.vmap(at))(thetas, jax.random.split(key, len(thetas)))
    return {
        "theta": np.asarray(thetas),
        **{name: np.asarray(value) for name, value in found.items()},
        "bbp": np.asarray(bbp_overlap(thetas, d / length)),
    }


def courses(
    config: AttentionConfig, key: "jax.Array"
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """1 - cos2 along gradient flows from one start, and rates predicted of it."""
    import jax
    import jax.numpy as jnp

    from wflow.flows import GradientFlow
    from wflow.geometries import Euclidean
    from wflow.measures import Point
    from wflow.networks.attention import (
        AttentionRisk,
        PromptRisk,
        critical_point,
        initial_mu,
        spiked_wishart,
    )
    from wflow.solve import solve

    of_start, of_prompts = jax.random.split(key)
    d, course = config.dimension, config.course
    spectrum = jnp.ones(d).at[0].add(course.theta)
    start = initial_mu(of_start, d, scale=config.scale)
    length = course.prompt_length
    prompts = spiked_wishart(of_prompts, d, course.theta, length, course.prompts)
    closed = {
        "infinite": AttentionRisk(spectrum),
        f"closed_L{length}": AttentionRisk(spectrum, length),
    }
    stored = {kind: PromptRisk(head_of(kind, start), prompts) for kind in config.heads}
    times = jnp.linspace(0, course.end, course.times)
    columns, rates = {"time": np.asarray(times)}, {}
    for name, risk in {**closed, **stored}.items():
        flow = GradientFlow(risk, Euclidean())
        path = solve(flow, Point(start), 0.0, course.end, times=times)
        mus = np.asarray(path.measures.value)
        # Not from cos2, which loses the digits near one.
        others = np.sum(mus[:, 1:] ** 2, axis=1)
        columns[name] = others / (others + mus[:, 0] ** 2)
        if name in closed:
            rest = critical_point(flow, Point(closed[name].minimum))
            rates[name] = 2 * rest.rate
    return columns, rates


def gap_curves(config: AttentionConfig, key: "jax.Array") -> dict[str, np.ndarray]:
    r"""$R - (T - \lambda_1)$ against L: least risks, and heads at the limit's."""
    import jax
    import jax.numpy as jnp

    from wflow.measures import Point
    from wflow.networks.attention import AttentionRisk, PromptRisk, spiked_wishart

    d, theta = config.dimension, config.gap.theta
    spectrum = jnp.ones(d).at[0].add(theta)
    limit = float(jnp.sum(spectrum) - spectrum[0])
    mu = AttentionRisk(spectrum).minimum
    columns: dict[str, list[float]] = {}
    for i, length in enumerate(config.gap.lengths):
        own = AttentionRisk(spectrum, length)
        other = AttentionRisk(spectrum, length, self_token=False)
        batch = max(2, config.gap.tokens // length)
        prompts = spiked_wishart(jax.random.fold_in(key, i), d, theta, length, batch)
        risk = PromptRisk(head_of("softmax", mu), prompts[:1])
        at = lambda x, risk=risk: PromptRisk(risk.head, x[None]).value(Point(mu))
        draws = np.asarray(jax.lax.map(jax.jit(at), prompts, batch_size=64))
        row = {
            "length": length,
            "least": own.value(Point(own.minimum)) - limit,
            "least_other": other.value(Point(other.minimum)) - limit,
            "linear": own.value(Point(mu)) - limit,
            "softmax": draws.mean() - limit,
            "softmax_se": draws.std(ddof=1) / np.sqrt(batch),
        }
        for name, value in row.items():
            columns.setdefault(name, []).append(float(value))
    return {name: np.asarray(column) for name, column in columns.items()}


def predicted_norms(config: AttentionConfig) -> Mapping[str, float]:
    """Norms of the linear head's mu at the minimum of its closed risk, by setting."""
    import jax.numpy as jnp

    from wflow.networks.attention import AttentionRisk

    found = {}
    for name, setting in config.settings.items():
        spectrum = jnp.ones(config.dimension).at[0].add(setting.theta)
        degrees = jnp.inf if setting.degrees is None else setting.degrees
        risk = AttentionRisk(spectrum, setting.prompt_length, degrees)
        found[name] = float(jnp.linalg.norm(risk.minimum))
    return found


def head_of(kind: str, mu: "Array") -> "AbstractHead":
    """An untrained head."""
    from wflow.networks.attention import LinearAttention, SoftmaxAttention

    return {"linear": LinearAttention, "softmax": SoftmaxAttention}[kind](mu)


def cos2(mu: "Array", v: "Array") -> "Array":
    """Squared cosine with the unit vector v."""
    return (mu @ v) ** 2 / (mu @ mu)


def _mean_cos2(directions: "Array", v: "Array") -> "Array":
    import jax
    import jax.numpy as jnp

    return jnp.mean(jax.vmap(cos2, (0, None))(directions, v))


def _optimizer(config: AttentionConfig, steps: int) -> Any:
    import optax

    rate = optax.cosine_decay_schedule(config.learning_rate, steps)
    if config.clip is None:
        return optax.adam(rate)
    return optax.chain(optax.clip_by_global_norm(config.clip), optax.adam(rate))
