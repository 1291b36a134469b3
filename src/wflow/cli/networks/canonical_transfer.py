"""Fine-tuning on packaged data: a network learns one task, then another from little."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from wflow.energies import Supervised

from .canonical_finetuning import Task, descend
from .canonical_schema import DigitsData, PackagedData, TransferConfig, TumoursData


# Of confidences, in the expected calibration error.
BINS = 10


class Layer(eqx.Module):
    """W x + b."""

    w: Float[Array, "k d"]
    b: Float[Array, " k"]

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, " k"]:
        return self.w @ x + self.b


class Network(eqx.Module):
    """Hidden tanh layers, and a head; one output is a number."""

    hidden: tuple[Layer, ...]
    head: Layer

    def features(self, x: Float[Array, " d"]) -> Float[Array, " width"]:
        """What the head sees."""
        for layer in self.hidden:
            x = jnp.tanh(layer(x))
        return x

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, "..."]:
        out = self.head(self.features(x))
        return out[0] if out.shape == (1,) else out


class Rows(NamedTuple):
    """Inputs ``(n, d)`` with targets, labels 0, 1, ... or numbers of unit variance."""

    x: np.ndarray
    y: np.ndarray


class Problem(NamedTuple):
    """Both tasks.

    Attributes:
        old: of the pretraining.
        new: of the fine-tuning.
        classes: how many labels; None where targets are numbers.
        fresh: whether fine-tuning begins with a head of zeros.
        noise: share of random labels, or the variance of what is added to numbers.
    """

    old: Rows
    new: Rows
    classes: int | None
    fresh: bool
    noise: float


class Held(NamedTuple):
    """Clean data that no training sees: of the new task and of the old."""

    new: Supervised
    old: Supervised
    old_head: Layer


def problem(data: PackagedData) -> Problem:
    """The data of a config; they come with scikit-learn."""
    from sklearn import datasets

    if isinstance(data, DigitsData):
        x, y = _loaded(datasets.load_digits)
        # Pixels from 0 to 16.
        old, new = (
            Rows(x[of] / 16, np.searchsorted(np.sort(digits), y[of]))
            for digits in (data.old, data.new)
            for of in [np.isin(y, digits)]
        )
        return Problem(old, new, len(data.new), True, data.label_noise)
    if isinstance(data, TumoursData):
        x, y = _loaded(datasets.load_breast_cancer)
        # By mean smoothness, which says little about the label.
        later, classes, noise = x[:, 4] > np.median(x[:, 4]), 2, data.label_noise
    else:
        x, y = _loaded(datasets.load_diabetes, scaled=False)
        # By age.
        later, classes, noise = x[:, 0] > np.median(x[:, 0]), None, data.noise_variance
        y = (y - y.mean()) / y.std()
    x = (x - x.mean(0)) / x.std(0)
    old, new = (Rows(x[of], y[of]) for of in (~later, later))
    return Problem(old, new, classes, False, noise)


def _loaded(load: Callable[..., Any], **options: Any) -> Rows:
    x, y = load(return_X_y=True, **options)
    return Rows(np.asarray(x), np.asarray(y))


def transfers(config: TransferConfig) -> tuple[Task, Held]:
    """Pretrained networks of every repeat with what they are tuned and tested on."""
    given = problem(config.data)
    rng = np.random.default_rng(config.seed)
    repeats = [_split(given, config, rng) for _ in range(config.repeats)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *repeats)
    as_energy = _energy(given.classes)
    pretraining, train, validation, new, old = (
        Supervised(rows.x.astype(config.precision), _typed(rows.y, config), as_energy)
        for rows in stacked
    )
    keys = jax.random.split(jax.random.key(config.seed), config.repeats)
    outputs = 1 if given.classes is None else int(stacked[0].y.max()) + 1

    @eqx.filter_jit
    @eqx.filter_vmap
    def pretrained(key: Any, energy: Supervised) -> Network:
        start = _initial(key, energy.x.shape[-1], config.width, outputs)
        before = config.pretraining
        return descend(energy, start, before.rate, before.steps)

    first = pretrained(keys, pretraining)
    start = first
    if given.fresh:
        width = config.width
        head = Layer(
            jnp.zeros((config.repeats, given.classes, width), first.head.w.dtype),
            jnp.zeros((config.repeats, given.classes), first.head.w.dtype),
        )
        start = eqx.tree_at(lambda model: model.head, first, head)
    old_head = first.head if given.fresh else None
    return Task(start, train, validation), Held(new, old, old_head)


def _typed(y: np.ndarray, config: TransferConfig) -> np.ndarray:
    return y if np.issubdtype(y.dtype, np.integer) else y.astype(config.precision)


def _energy(classes: int | None) -> str:
    return "mean_square" if classes is None else "cross_entropy"


def _split(
    given: Problem, config: TransferConfig, rng: np.random.Generator
) -> tuple[Rows, ...]:
    """Pretraining, fine-tuning and validation, and the held-out new and old."""
    old = _shuffled(given.old, rng)
    new = _shuffled(given.new, rng)
    few = config.points + config.validation
    noisy = _noisy(Rows(new.x[:few], new.y[:few]), given, rng)
    return (
        Rows(old.x[config.held_out :], old.y[config.held_out :]),
        Rows(noisy.x[: config.points], noisy.y[: config.points]),
        Rows(noisy.x[config.points :], noisy.y[config.points :]),
        Rows(new.x[few:], new.y[few:]),
        Rows(old.x[: config.held_out], old.y[: config.held_out]),
    )


def _shuffled(rows: Rows, rng: np.random.Generator) -> Rows:
    order = rng.permutation(len(rows.y))
    return Rows(rows.x[order], rows.y[order])


def _noisy(rows: Rows, given: Problem, rng: np.random.Generator) -> Rows:
    if given.classes is None:
        noise = given.noise**0.5 * rng.normal(size=len(rows.y))
        return Rows(rows.x, rows.y + noise)
    random = rng.integers(given.classes, size=len(rows.y))
    flipped = rng.random(len(rows.y)) < given.noise
    return Rows(rows.x, np.where(flipped, random, rows.y))


def _initial(key: Any, inputs: int, width: int, outputs: int) -> Network:
    """Weights of variance 1 / inputs of their layer."""
    shapes = ((width, inputs), (width, width), (outputs, width))
    layers = [
        Layer(jax.random.normal(k, shape) / shape[1] ** 0.5, jnp.zeros(shape[0]))
        for k, shape in zip(jax.random.split(key, 3), shapes, strict=True)
    ]
    return Network(tuple(layers[:2]), layers[2])


def scores(classes: int | None) -> dict[str, Callable[..., Array]]:
    """By name, functions of a model, its pretrained one and the held-out data."""

    def error(model: Network, before: Network, held: Held) -> Array:
        del before
        return _error(model, held.new)

    def forgetting(model: Network, before: Network, held: Held) -> Array:
        """Error on the old task, with the old head where the new one is fresh."""
        del before
        if held.old_head is not None:
            model = Network(model.hidden, held.old_head)
        return _error(model, held.old)

    def drift(model: Network, before: Network, held: Held) -> Array:
        """One minus the linear CKA of the last features, before and after."""
        x = held.new.x
        return 1 - cka(jax.vmap(before.features)(x), jax.vmap(model.features)(x))

    def calibration(model: Network, before: Network, held: Held) -> Array:
        del before
        probabilities = jax.nn.softmax(jax.vmap(model)(held.new.x))
        return calibration_error(probabilities, held.new.y)

    functions = {"error": error, "old_error": forgetting, "drift": drift}
    return functions if classes is None else {**functions, "ece": calibration}


def _error(model: Network, data: Supervised) -> Array:
    """Share of wrong labels, or the mean square error of numbers."""
    outputs = jax.vmap(model)(data.x)
    if outputs.ndim == 1:
        return jnp.mean((outputs - data.y) ** 2)
    return jnp.mean(jnp.argmax(outputs, -1) != data.y).astype(outputs.dtype)


def cka(a: Float[Array, "n p"], b: Float[Array, "n q"]) -> Float[Array, ""]:
    r"""Linear CKA $|B^TA|^2 / (|A^TA|\,|B^TB|)$ of centred features, in [0, 1].

    Features that a penalty has made constant have nothing in common with any: 0.

    Reference: Kornblith et al., ICML 2019, section 3.
    """
    a, b = a - a.mean(0), b - b.mean(0)
    size = jnp.linalg.norm(a.T @ a) * jnp.linalg.norm(b.T @ b)
    alive = size > 0
    return jnp.where(
        alive, jnp.linalg.norm(b.T @ a) ** 2 / jnp.where(alive, size, 1), 0
    )


def calibration_error(
    probabilities: Float[Array, "n k"], labels: Int[Array, " n"]
) -> Float[Array, ""]:
    """Expected gap of accuracy and confidence over ten bins of equal width.

    Reference: Guo et al., ICML 2017, equation (3).
    """
    confidence = probabilities.max(-1)
    right = (probabilities.argmax(-1) == labels).astype(confidence.dtype)
    bins = jnp.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = jax.ops.segment_sum(right - confidence, bins, BINS)
    return jnp.sum(jnp.abs(gaps)) / labels.size
