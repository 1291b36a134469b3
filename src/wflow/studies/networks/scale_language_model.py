"""A byte-level transformer with scale vectors: nats per byte, pair by pair."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import jax
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from wflow.networks.scale.corpus import python_topics
from wflow.plotting.panels import Curve, Level, Panel, plot_panels, shades
from wflow.studies import (
    Arrays,
    Keep,
    Log,
    Name,
    Outcome,
    ScoreTable,
    Study,
    StudyParams,
    standard_error,
)

from ._language_model import LanguageModel, Rates, Variant


# Beside every variant minus the first: pairs that the theory speaks of.
_PAIRS = (
    ("shared_decay", "shared"),
    ("branch", "shared"),
    ("two_sided", "shared"),
    ("unified", "shared_decay"),
    ("unified", "two_sided"),
    ("unified", "weight_norm"),
)


class Params(StudyParams, LanguageModel):
    """Variants of one model on one text, at the learning rate that suits each.

    Attributes:
        variants: what is compared, by name; the first is the baseline.
        rates: peak learning rates, of which the first seed picks one per variant; a
            variant may have its own.
        more_seeds: at that rate, after the first.
    """

    task: Literal["scale_language_model"]
    variants: Annotated[dict[Name, Variant], Field(min_length=1)]
    rates: Rates
    more_seeds: Annotated[int, Field(ge=0)] = 2

    @model_validator(mode="after")
    def _whole(self) -> "Params":
        if self.seeds is not None:
            raise ValueError("seeds: expected none; more_seeds says how many follow.")
        for rates in map(self.rates_of, self.variants):
            if len(set(rates)) < len(rates):
                raise ValueError("rates: expected distinct learning rates.")
        return self

    def rates_of(self, name: str) -> list[float]:
        """The learning rates that a variant tries."""
        return self.variants[name].rates or self.rates


def run(p: Params, key: jax.Array, log: Log, keep: Keep) -> dict[str, Any]:
    """Each variant at each learning rate, then more seeds at the best."""
    del key
    corpus = python_topics(p.held_out)
    arrays: dict[str, Any] = {
        "characters": corpus.characters,
        "sha256": np.frombuffer(bytes.fromhex(corpus.sha256), np.uint8),
    }

    def trained(name: str, rate: float, seed: int) -> Mapping[str, np.ndarray]:
        train = lambda: p.train(corpus, p.variants[name], rate, seed)
        done = keep(f"{name}-rate{rate:g}-seed{seed}", train)
        nats, time = done["validation"][-1], done["seconds"] + done["compiling"]
        start = f"{name}, rate {rate:g}, seed {seed}"
        log(f"{start}: {nats:.4f} nats per byte in {time:.0f} s with compiling")
        return done

    first, *more = (p.seed + k for k in range(1 + p.more_seeds))
    for name in p.variants:
        rates = p.rates_of(name)
        tried = [trained(name, rate, first) for rate in rates]
        arrays[f"tried_{name}"] = np.stack([done["validation"] for done in tried])
        best = _best(arrays, name)
        runs = [tried[best], *(trained(name, rates[best], seed) for seed in more)]
        arrays["step"] = runs[0]["steps"]
        for what in ("validation", "losses", "seconds"):
            arrays[f"{what}_{name}"] = np.stack([done[what] for done in runs])
    return arrays


def _best(arrays: Mapping[str, np.ndarray], name: str) -> int:
    """Which of its learning rates the first seed ended lowest at."""
    return int(np.argmin(arrays[f"tried_{name}"][:, -1]))


def report(p: Params, arrays: Arrays) -> Outcome:
    """Ends of every variant, and differences of pairs with their standard errors."""
    metrics: dict[str, float] = {"characters": int(arrays["characters"])}
    ends = {name: arrays[f"validation_{name}"][:, -1] for name in p.variants}
    for name, nats in ends.items():
        rates = p.rates_of(name)
        metrics[f"nats_{name}"] = float(nats.mean())
        metrics[f"nats_{name}_se"] = standard_error(nats)
        metrics[f"rate_{name}"] = rates[_best(arrays, name)]
        for rate, tried in zip(rates, arrays[f"tried_{name}"][:, -1], strict=True):
            metrics[f"nats_{name}_rate{rate:g}_seed{p.seed}"] = float(tried)
    seconds = np.concatenate([arrays[f"seconds_{name}"] for name in p.variants])
    metrics["max_training_seconds"] = float(seconds.max())
    remarks = [
        f"Text: {arrays['characters']} characters, sha256 "
        f"{arrays['sha256'].tobytes().hex()}.",
        f"A training of {arrays['step'][-1]} steps took {np.median(seconds):.0f} s "
        f"(median), {seconds.max():.0f} s at most, without compiling.",
    ]
    first, *others = p.variants
    pairs = [(name, first) for name in others]
    pairs += [x for x in _PAIRS if set(x) <= set(p.variants) and x not in pairs]
    for left, right in pairs:
        gap = ends[left] - ends[right]
        mean, error = float(gap.mean()), standard_error(gap)
        key = f"paired_{left}_minus_{right}"
        metrics[key], metrics[f"{key}_se"] = mean, error
        remarks.append(
            f"{left} - {right}: {mean:+.4f} +- {error:.4f} nats per byte over "
            f"{len(gap)} seeds, {int((gap < 0).sum())} of them below zero."
        )
    columns = tuple(f"seed {p.seed + k}" for k in range(1 + p.more_seeds))
    rows = {name: nats.tolist() for name, nats in ends.items()}
    title = "Validation nats per byte, each at its learning rate"
    table = ScoreTable(title, columns, rows, tuple(others))
    return Outcome(metrics, [table], remarks)


def figures(p: Params, arrays: Arrays) -> dict[str, Figure]:
    """Validation against steps, and the paired differences at the end."""
    inks = shades(len(p.variants), "categories")
    first, *others = p.variants
    means, gaps = [], []
    for name, ink in zip(p.variants, inks, strict=True):
        mean = arrays[f"validation_{name}"].mean(0)
        means.append(Curve(arrays["step"], mean, name.replace("_", " "), color=ink))
    baseline = arrays[f"validation_{first}"][:, -1]
    for k, (name, ink) in enumerate(zip(others, inks[1:], strict=True)):
        gap = arrays[f"validation_{name}"][:, -1] - baseline
        x = k + 0.08 * (np.arange(len(gap)) - (len(gap) - 1) / 2)
        mean, error = gap.mean(), standard_error(gap)
        bar = {"low": [mean - error], "high": [mean + error]}
        gaps.append(Curve(x, gap, style="o", color=ink))
        gaps.append(Curve([k], [mean], style="x", color="0.15", **bar))
    label = "validation, nats per byte"
    panels = [Panel(means, "step", label, title="Mean over seeds")]
    if others:
        ticks = (range(len(others)), [name.replace("_", "\n") for name in others])
        title = "Pair by pair, with the standard error of the mean"
        label = f"difference from {first}, nats per byte"
        zero = [Level(y=0, color="0.3")]
        panels.append(Panel(gaps, "", label, title=title, levels=zero, xticks=ticks))
    title = "A byte-level transformer on Python's help texts"
    return {"validation": plot_panels(panels, width=5.25, height=3.8, title=title)}


STUDY = Study(Params, run, report, figures, parts=True)
