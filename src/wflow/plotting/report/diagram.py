"""A diagram of what becomes what: mass between kinds, from stage to stage."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from wflow.plotting.style import OTHERS, QUIET

from .blocks import Chart
from .charts import shown


# Shares of the mass of a stage: the least that is drawn, and the opacity of a stream.
_LEAST, _OPACITY = 0.005, 0.45
# Places of nodes, of which Plotly takes none at the edges.
_EDGE = 0.001


class Stream(NamedTuple):
    """Mass of one kind that becomes another.

    Attributes:
        stage: the index of the stage that it leaves for the next one.
        start: the kind there.
        end: the kind at the next stage.
        mass: how much.
    """

    stage: int
    start: str
    end: str
    mass: float


def flow_chart(
    stages: Sequence[str],
    streams: Sequence[Stream],
    inks: Mapping[str, str],
    note: str = "",
) -> Chart:
    """Kinds at each stage, one above the other, and streams as wide as their masses.

    Args:
        stages: names, of two at least.
        streams: in any order; what is less than half a percent of its stage is left
            out.
        inks: colors of kinds, of others that of ``OTHERS``.
        note: below it.
    """
    total = np.zeros(len(stages) - 1)
    for stream in streams:
        total[stream.stage] += stream.mass
    streams = [s for s in streams if s.mass >= _LEAST * total[s.stage]]
    out: dict[tuple[int, str], float] = {}
    into: dict[tuple[int, str], float] = {}
    for stage, start, end, mass in streams:
        out[stage, start] = out.get((stage, start), 0.0) + mass
        into[stage + 1, end] = into.get((stage + 1, end), 0.0) + mass
    size = {
        node: max(out.get(node, 0.0), into.get(node, 0.0)) for node in {**out, **into}
    }
    # Kinds stand in one order at all stages, the largest of all on top.
    sums: dict[str, float] = {}
    for (_, kind), mass in size.items():
        sums[kind] = sums.get(kind, 0.0) + mass
    order = sorted(sums, key=lambda kind: (-sums[kind], kind))
    rank = {kind: k for k, kind in enumerate(order)}
    nodes = sorted(size, key=lambda node: (node[0], rank[node[1]]))
    place = {node: k for k, node in enumerate(nodes)}
    color = [inks.get(kind, inks.get(OTHERS, QUIET)) for _, kind in nodes]
    trace: dict[str, Any] = {
        "type": "sankey",
        "arrangement": "fixed",
        "node": {
            "label": [shown(kind) for _, kind in nodes],
            "color": color,
            "x": [_within(k / (len(stages) - 1)) for k, _ in nodes],
            "y": [_within(y) for y in _heights(nodes, size, len(stages))],
            "pad": 6,
            "thickness": 12,
            "hovertemplate": "%{label}: %{value:.4g}<extra></extra>",
        },
        "link": {
            "source": [place[s.stage, s.start] for s in streams],
            "target": [place[s.stage + 1, s.end] for s in streams],
            "value": [float(s.mass) for s in streams],
            "color": [_faint(color[place[s.stage, s.start]]) for s in streams],
            "hovertemplate": "%{source.label} to %{target.label}: %{value:.4g}"
            "<extra></extra>",
        },
    }
    heads = [
        {
            "text": shown(name),
            "x": k / (len(stages) - 1),
            "xref": "paper",
            "xanchor": ("left", "center", "right")[
                0 if k == 0 else 2 if k == len(stages) - 1 else 1
            ],
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "showarrow": False,
        }
        for k, name in enumerate(stages)
    ]
    layout = {"annotations": heads, "margin": {"l": 12, "r": 12, "t": 32, "b": 12}}
    return Chart([trace], layout, "", note, 440)


def _heights(
    nodes: Sequence[tuple[int, str]], size: dict[tuple[int, str], float], count: int
) -> list[float]:
    """The middle of every node, from the top, as shares of the largest stage."""
    whole = [sum(size[n] for n in nodes if n[0] == k) for k in range(count)]
    below, found = [0.0] * count, []
    for node in nodes:
        found.append((below[node[0]] + size[node] / 2) / max(whole))
        below[node[0]] += size[node]
    return found


def _within(value: float) -> float:
    return float(np.clip(value, _EDGE, 1 - _EDGE))


def _faint(color: str) -> str:
    """A color in hexadecimal digits that what lies behind it shines through."""
    parts = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
    return f"rgba({','.join(map(str, parts))},{_OPACITY})"
