"""Timing of the same work by several peers, in one process."""

import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax


RESULTS = Path(__file__).resolve().parent / "results"
# Ratio to the time before from which on a case is said to have become slower.
SLOWER = 1.5


def measure(
    peers: dict[str, Callable[[], Any]], repeats: int = 7
) -> dict[str, dict[str, float]]:
    """First call (with compiling) and median of later ones, interleaved, in seconds."""
    first, later = {}, {name: [] for name in peers}
    for name, run in peers.items():
        begin = time.perf_counter()
        jax.block_until_ready(run())
        first[name] = time.perf_counter() - begin
    for _ in range(repeats):
        for name, run in peers.items():
            begin = time.perf_counter()
            jax.block_until_ready(run())
            later[name].append(time.perf_counter() - begin)
    return {
        name: {
            "first_s": first[name],
            "median_s": statistics.median(seconds),
            "spread_s": max(seconds) - min(seconds),
        }
        for name, seconds in later.items()
    }


TIMES = "Medians after a first call that compiles; ratio to the first row of a case."


def report(
    title: str,
    rows: list[dict[str, Any]],
    missing: list[str],
    note: str = TIMES,
    remarks: Sequence[str] = (),
) -> None:
    """Print a table and what is said above and below; write it as JSON and Markdown."""
    machine = f"{platform.processor() or platform.machine()}, {jax.devices()[0]}"
    remarks = [*remarks, *_remembered(title, machine, rows)]
    columns = list(rows[0])
    lines = [
        f"# {title}",
        "",
        f"Python {platform.python_version()}, jax {jax.__version__}, {machine}.",
        note,
        "",
        "| " + " | ".join(columns) + " |",
        "|" + "---|" * len(columns),
        *("| " + " | ".join(_shown(row[c]) for c in columns) + " |" for row in rows),
        "",
        *(f"- {remark}" for remark in remarks),
        "",
        *(f"Not installed here, so not measured: {name}." for name in missing),
    ]
    text = "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"
    print(text)
    RESULTS.mkdir(exist_ok=True)
    name = title.lower().replace(" ", "_")
    (RESULTS / f"{name}.md").write_text(text)
    data = {"machine": machine, "rows": rows, "missing": missing}
    (RESULTS / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")


def _remembered(title: str, machine: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Append the medians to the history, and say what is slower than before."""
    history, before = RESULTS / "history.jsonl", {}
    medians = {
        f"{row.get('case')}, {row.get('peer')}": row["median_s"]
        for row in rows
        if "median_s" in row
    }
    if not medians:
        return []
    if history.exists():
        for line in history.read_text().splitlines():
            entry = json.loads(line)
            if (entry["title"], entry["machine"]) == (title, machine):
                before = entry["medians"]
    now = time.strftime("%Y-%m-%dT%H:%M:%S")
    entry = {"time": now, "title": title, "machine": machine, "medians": medians}
    RESULTS.mkdir(exist_ok=True)
    with history.open("a") as file:
        file.write(json.dumps(entry) + "\n")
    return [
        f"Slower than last time: {name}, {before[name]:.3g} s then, {median:.3g} s now."
        for name, median in medians.items()
        if name in before and median > SLOWER * before[name]
    ]


def rows_of(case: str, timings: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """One row a peer, with its ratio to the first."""
    base = next(iter(timings.values()))["median_s"]
    return [
        {"case": case, "peer": name, **row, "ratio": row["median_s"] / base}
        for name, row in timings.items()
    ]


def _shown(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
