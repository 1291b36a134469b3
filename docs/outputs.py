"""The outputs of the tutorials, under their code.

    python docs/outputs.py [PAGE ...]

The python blocks of a page run in order, as cells of a notebook. What they say and the
value of its last expression come into a text block below it; values that are figures
become ``docs/images/PAGE-1.webp`` and so on, which the page shows.
"""

import ast
import contextlib
import io
import re
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure


ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *("getting-started", "write-a-flow", "learning"),
    *("sampling", "regression", "filtering"),
)
CELL = re.compile(
    r"^```python\n(.*?)^```\n(?:\n```\{ \.text \.output \}\n(.*?)^```\n)?", re.M | re.S
)
NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


def run(code, namespace):
    """What a cell says, and its figure where its last expression is one."""
    tree, value = ast.parse(code), None
    said = io.StringIO()
    precision = np.printoptions(precision=3, suppress=True)
    with contextlib.redirect_stdout(said), precision:
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "<cell>", "exec"), namespace)
        if last is not None:
            last = compile(ast.Expression(last.value), "<cell>", "eval")
            value = eval(last, namespace)
        figure = value if isinstance(value, Figure) else None
        if value is not None and figure is None:
            print(shown(value))
    return said.getvalue().strip("\n"), figure


def shown(value):
    """A value as text, with few digits."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(shown, value)) + ")"
    if not isinstance(value, float) and not hasattr(value, "__array__"):
        return repr(value)
    array = np.asarray(value)  # as numpy writes it, of jax too
    number = array.ndim == 0 and np.issubdtype(array.dtype, np.floating)
    return f"{float(array):.4g}" if number else str(array)


def alike(found, written):
    """Whether two outputs agree, in words exactly and in numbers nearly."""
    if NUMBER.sub("#", found).split() != NUMBER.sub("#", written).split():
        return False
    numbers = (list(map(float, NUMBER.findall(text))) for text in (found, written))
    return np.allclose(*numbers, rtol=0.05, atol=0.02)


def main(names):
    """Run the pages that are named, or all, and write what they say into them."""
    from figures import IMAGES, small
    from PIL import Image

    mpl.use("Agg")
    for name in names or PAGES:
        page = ROOT / "docs" / f"{name}.md"
        text, namespace, count = page.read_text(), {"__name__": name}, 0
        for cell in CELL.finditer(text):
            code, head = cell[1], f"```python\n{cell[1]}```\n"
            said, figure = run(code, namespace)
            below = f"\n```{{ .text .output }}\n{said}\n```\n" if said else ""
            text = text.replace(cell[0], head + below)
            if figure is not None:
                count += 1
                drawn = io.BytesIO()
                figure.savefig(drawn, dpi=150)
                small(Image.open(drawn), IMAGES / f"{name}-{count}.webp")
                assert f"images/{name}-{count}.webp" in text, f"{page} shows it not"
        page.write_text(text)


if __name__ == "__main__":
    main(sys.argv[1:])
