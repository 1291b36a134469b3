"""A page of one file: HTML from the blocks of a report, with all that it needs."""

import base64
import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from .blocks import Block, Chart, Facts, Motion, Picture, Section, Table, Words
from .moving import frames, note


# In bytes: pictures that would make a page larger are named in their place.
LARGEST = 7_500_000


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: of the page.
        lead: what it is, below the title.
        sections: from the most to the least important.
    """

    title: str
    lead: str
    sections: Sequence[Section]


def rendered(page: Page) -> str:
    """The page as HTML; it loads nothing, and scripts are in it only where it draws."""
    template = Template(_resource("page.html"))
    blocks = [block for section in page.sections for block in section.blocks]
    charts = any(isinstance(block, Chart | Motion) for block in blocks)
    scripts = ""
    if charts:
        plotly = files("plotly").joinpath("package_data", "plotly.min.js")
        library = plotly.read_text(encoding="utf-8")
        scripts = f"<script>{library}</script>\n<script>{_resource('page.js')}</script>"
    # Pictures come last: what they may take is what all else leaves.
    room = LARGEST - len(scripts.encode()) - 20_000
    parts = [[] for _ in page.sections]
    keys = iter(range(len(blocks)))
    order = sorted(
        (
            (k, i, block)
            for k, section in enumerate(page.sections)
            for i, block in enumerate(section.blocks)
        ),
        key=lambda found: isinstance(found[2], Picture),
    )
    for k, i, block in order:
        text = _block(block, next(keys))
        if isinstance(block, Picture) and len(text.encode()) > room:
            text = _paragraph(f"{block.name} is left out: the page would be too large.")
        room -= len(text.encode())
        parts[k].append((i, text))
    body = "\n".join(
        f"<section><h2>{html.escape(section.title)}</h2>\n"
        + "\n".join(text for _, text in sorted(texts))
        + "</section>"
        for section, texts in zip(page.sections, parts, strict=True)
        if texts
    )
    return template.substitute(
        title=html.escape(page.title),
        lead=html.escape(page.lead),
        body=body,
        scripts=scripts,
    )


def _resource(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _block(block: Block, key: int) -> str:
    match block:
        case Words():
            return _words(block)
        case Facts():
            return _facts(block)
        case Table():
            return _table(block)
        case Chart():
            return _chart(block, key)
        case Motion():
            return _motion(block, key)
        case Picture():
            return _picture(block)


def _paragraph(text: str, tone: str = "plain") -> str:
    return f'<p class="{tone}">{html.escape(text)}</p>'


def _words(words: Words) -> str:
    if words.tone == "command":
        text = html.escape("\n".join(words.lines))
        return f"<pre><code>{text}</code></pre>"
    return "\n".join(_paragraph(line, words.tone) for line in words.lines)


def _wide(table: str) -> str:
    return f'<div class="wide" tabindex="0">{table}</div>'


def _facts(facts: Facts) -> str:
    reasons = any(why for _, _, why in facts.rows)
    count = 3 if reasons else 2
    head = ""
    if any(facts.heads):
        cells = "".join(f"<th>{html.escape(text)}</th>" for text in facts.heads[:count])
        head = f"<thead><tr>{cells}</tr></thead>"
    rows = "".join(
        f'<tr><th scope="row">{html.escape(row[0])}</th>'
        + "".join(f"<td>{html.escape(text)}</td>" for text in row[1:count])
        + "</tr>"
        for row in facts.rows
    )
    return f'<table class="facts">{head}<tbody>{rows}</tbody></table>'


def _table(table: Table) -> str:
    columns = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    best = [
        min((v for v in column if _known(v)), default=None)
        for column in zip(*table.rows.values(), strict=True)
    ]
    rows = []
    for name, row in table.rows.items():
        ends = table.spread.get(name) or [None] * len(row)
        cells = "".join(
            _cell(value, pair, table.ranked and value == least)
            for value, pair, least in zip(row, ends, best, strict=True)
        )
        kind = ' class="model"' if name in table.models else ""
        rows.append(f'<tr{kind}><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    if table.floor is not None and any(map(_known, table.floor)):
        cells = "".join(_cell(value, None, False) for value in table.floor)
        name = html.escape(f"noise: {table.noise_of}")
        rows.append(f'<tr class="noise"><th scope="row">{name}</th>{cells}</tr>')
    return f"<h3>{html.escape(table.title)}</h3>" + _wide(
        f"<table><thead><tr><th></th>{columns}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _known(value: float | None) -> bool:
    return value is not None and bool(np.isfinite(value))


def _cell(value: float | None, ends: tuple[float, float] | None, best: bool) -> str:
    text = f"{value:.4g}" if value is not None and np.isfinite(value) else "-"
    if best and text != "-":
        text = f"<b>{text}</b>"
    if ends is not None and all(map(np.isfinite, ends)):
        text += f"<small>{ends[0]:.3g} to {ends[1]:.3g}</small>"
    return f"<td>{text}</td>"


def _json(content: Any) -> str:
    """For a script element: nothing in it ends the element."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _chart(chart: Chart, key: int) -> str:
    data = _json({"data": list(chart.traces), "layout": dict(chart.layout)})
    return "".join(_framed(chart.title, key, chart.height, "chart", "", chart.note)) + (
        f'<script type="application/json" id="data-{key}">{data}</script>'
    )


def _framed(
    title: str, key: int, height: int, kind: str, controls: str, below: str
) -> Iterator[str]:
    if title:
        yield f"<h3>{html.escape(title)}</h3>"
    yield f'<figure><div class="{kind}" data-key="{key}" style="height:{height}px"'
    yield f' role="img" aria-label="{html.escape(title or kind)}"></div>{controls}'
    if below:
        yield f"<figcaption>{html.escape(below)}</figcaption>"
    yield "</figure>"


def _motion(motion: Motion, key: int) -> str:
    content = frames(motion)
    last = len(content["times"]) - 1
    controls = (
        f'<div class="controls"><button type="button" data-play="{key}">Play</button>'
        f'<input type="range" min="0" max="{last}" value="0" data-slide="{key}" '
        f'aria-label="{html.escape(motion.time_label)}">'
        f'<output data-said="{key}"></output></div>'
    )
    parts = _framed("", key, 480, "motion", controls, note(motion))
    data = f'<script type="application/json" id="data-{key}">{_json(content)}</script>'
    return "".join(parts) + data


def _picture(picture: Picture) -> str:
    name = html.escape(picture.name)
    data = base64.b64encode(picture.png).decode()
    return (
        f'<figure><img alt="{name}" src="data:image/png;base64,{data}">'
        f"<figcaption>{name}</figcaption></figure>"
    )
