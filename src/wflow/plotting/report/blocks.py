"""What a report is made of: texts, tables, charts, pictures, and moving points."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import numpy as np
from jaxtyping import Float


Tone = Literal["plain", "verdict", "warning", "command"]


@dataclass(frozen=True)
class Words:
    """Sentences, each a paragraph; what files say is shown as it is written."""

    lines: Sequence[str]
    tone: Tone = "plain"


@dataclass(frozen=True)
class Facts:
    """Names with what belongs to each, and why, where that is known.

    Attributes:
        rows: of a name, a value and a reason, which may be empty.
        heads: of the three columns.
    """

    rows: Sequence[tuple[str, str, str]]
    heads: tuple[str, str, str] = ("", "", "")


@dataclass(frozen=True)
class Table:
    """Scores: a row for each method, a column for each case; lower is better.

    Attributes:
        title: what the numbers are, with their unit.
        columns: names of the cases.
        rows: for every method one number per case, None where it has none.
        models: the methods that stand out.
        floor: for every case what noise alone scores.
        noise_of: what has it.
        spread: for some of the methods the ends of an interval around each number.
        ranked: whether the least number of a column stands out.
    """

    title: str
    columns: Sequence[str]
    rows: Mapping[str, Sequence[float | None]]
    _: KW_ONLY
    models: Sequence[str] = ()
    floor: Sequence[float | None] | None = None
    noise_of: str = "two halves of the snapshot"
    spread: Mapping[str, Sequence[tuple[float, float] | None]] = field(
        default_factory=dict
    )
    ranked: bool = True


@dataclass(frozen=True)
class Chart:
    """A figure of Plotly, as it is written in JSON.

    Attributes:
        traces: of the figure.
        layout: of the figure, beside that of every chart.
        title: above it.
        note: below it.
        height: in pixels.
    """

    traces: Sequence[Mapping[str, Any]]
    layout: Mapping[str, Any]
    title: str = ""
    note: str = ""
    height: int = 380


@dataclass(frozen=True)
class Picture:
    """An image in PNG, with its name."""

    name: str
    png: bytes


@dataclass(frozen=True)
class Motion:
    """A population over time, drawn with a slider that moves its points.

    Attributes:
        times: increasing.
        clouds: the points at each time; the first two coordinates are drawn, a single
            one over time. Where they are as many at all times they are paths.
        observed_times: of the snapshots.
        observed: the clouds of the snapshots.
        held_out: which of the snapshots were kept from training.
        labels: names of the coordinates, with units; made up by default.
        time_label: name of the time, with unit.
        equal: one length for both axes: where positions are physical.
        groups: of the points at each time the names of their groups, which color them.
        weights: of the points at each time; areas are in proportion.
        velocities: of the points at each time; by default those of the paths.
        note: where the points start, and by which law.
    """

    times: Float[np.ndarray, " K"]
    clouds: Sequence[Float[np.ndarray, "n d"]]
    _: KW_ONLY
    observed_times: Sequence[float] = ()
    observed: Sequence[Float[np.ndarray, "m d"]] = ()
    held_out: Sequence[float] = ()
    labels: Sequence[str] | None = None
    time_label: str = "time"
    equal: bool = False
    groups: Sequence[Sequence[str]] | None = None
    weights: Sequence[Float[np.ndarray, " n"]] | None = None
    velocities: Sequence[Float[np.ndarray, "n d"]] | None = None
    note: str = ""


Block = Words | Facts | Table | Chart | Picture | Motion


@dataclass(frozen=True)
class Section:
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block]
