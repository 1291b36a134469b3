"""Data that come with scikit-learn, cut in two tasks to learn one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wflow.checks import count, non_negative, shape, within


__all__ = ["BreastCancer", "Diabetes", "Digits"]


class Rows(NamedTuple):
    """Inputs ``(n, d)`` with targets, labels 0, 1, ... or numbers of unit variance."""

    x: np.ndarray
    y: np.ndarray


class Tasks(NamedTuple):
    """Both tasks.

    Attributes:
        old: of the pretraining.
        new: of the fine-tuning.
        classes: how many labels; None where targets are numbers.
        fresh: whether fine-tuning begins with a head of zeros.
    """

    old: Rows
    new: Rows
    classes: int | None
    fresh: bool


@dataclass(frozen=True)
class Digits:
    """Images of 8 x 8 pixels: some digits to learn from, others to move on to.

    Attributes:
        old: digits of the pretraining.
        new: digits of the fine-tuning.
        label_noise: share of the new labels, validation included, drawn at random.
    """

    old: Sequence[int]
    new: Sequence[int]
    label_noise: float = 0.2

    def __post_init__(self) -> None:
        for name in ("old", "new"):
            digits = getattr(self, name)
            shape("Digits", name, digits, ("n",))
            within("Digits", name, digits, 0, 9)
            for digit in digits:
                count("Digits", name, digit, least=0)
            if len(set(digits)) < max(2, len(digits)):
                raise ValueError(
                    f"Digits: expected {name} of two distinct digits or more, found "
                    f"{list(digits)}."
                )
        _check_share(self)

    def tasks(self) -> Tasks:
        """Of images, with pixels from 0 to 1."""
        x, y = _loaded("digits", "load_digits")
        old, new = (
            # Pixels from 0 to 16.
            Rows(x[of] / 16, np.searchsorted(np.sort(digits), y[of]))
            for digits in (self.old, self.new)
            for of in [np.isin(y, digits)]
        )
        return Tasks(old, new, len(self.new), True)

    def noisy(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Labels of which some are random."""
        return _some_random(y, len(self.new), self.label_noise, rng)


@dataclass(frozen=True)
class BreastCancer:
    """Breast tumors, benign or malignant: the smooth half first, then the other.

    Attributes:
        label_noise: share of the new labels, validation included, drawn at random.
    """

    label_noise: float = 0.2

    def __post_init__(self) -> None:
        _check_share(self)

    def tasks(self) -> Tasks:
        """By mean smoothness, which says little about the label."""
        x, y = _loaded("breast tumors", "load_breast_cancer")
        return Tasks(*_halves(x, y, 4), 2, False)

    def noisy(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Labels of which some are random."""
        return _some_random(y, 2, self.label_noise, rng)


@dataclass(frozen=True)
class Diabetes:
    """Progress of diabetes: the younger half first, then the older.

    Attributes:
        noise_variance: added to the new targets, of unit variance, validation included.
    """

    noise_variance: float = 0.25

    def __post_init__(self) -> None:
        shape("Diabetes", "noise_variance", self.noise_variance, ())
        non_negative("Diabetes", "noise_variance", self.noise_variance)

    def tasks(self) -> Tasks:
        """By age."""
        x, y = _loaded("patients with diabetes", "load_diabetes", scaled=False)
        return Tasks(*_halves(x, (y - y.mean()) / y.std(), 0), None, False)

    def noisy(self, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Numbers with noise."""
        return y + self.noise_variance**0.5 * rng.normal(size=len(y))


Packaged = Digits | BreastCancer | Diabetes


def _check_share(data: Digits | BreastCancer) -> None:
    shape(data, "label_noise", data.label_noise, ())
    within(data, "label_noise", data.label_noise, 0, 1)


def _loaded(what: str, load: str, **options: Any) -> Rows:
    try:
        from sklearn import datasets
    except ModuleNotFoundError:
        raise ValueError(
            f"data: the {what} come with scikit-learn, which is not installed: pip "
            "install scikit-learn."
        ) from None
    function: Callable[..., Any] = getattr(datasets, load)
    x, y = function(return_X_y=True, **options)
    return Rows(np.asarray(x), np.asarray(y))


def _halves(x: np.ndarray, y: np.ndarray, column: int) -> tuple[Rows, Rows]:
    """The rows up to the median of a column, and beyond, of standardized inputs."""
    later = x[:, column] > np.median(x[:, column])
    x = (x - x.mean(0)) / x.std(0)
    return Rows(x[~later], y[~later]), Rows(x[later], y[later])


def _some_random(
    y: np.ndarray, classes: int, share: float, rng: np.random.Generator
) -> np.ndarray:
    random = rng.integers(classes, size=len(y))
    return np.where(rng.random(len(y)) < share, random, y)
