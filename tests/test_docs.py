"""The code in the documentation runs, page by page."""

import re
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/**/*.md"),
    ]
    if "\n```python\n" in page.read_text()
)
TRAINING = re.compile(r"\bfit(_ensemble|_best)?\(")


def test_every_example_has_its_picture():
    scripts = [*ROOT.glob("examples/*.py"), *ROOT.glob("examples/*/*.py")]
    for script in scripts:
        picture = ROOT / "docs" / "images" / f"{script.stem}.webp"
        assert 2_000 < picture.stat().st_size < 80_000, f"make figures: {picture}"


def short(block):
    """The block with trainings of a few steps: whether they run is what is asked."""
    if TRAINING.search(block):
        return re.sub(r"(?<=\bsteps=)\d+", "5", block)
    return block


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page):
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    namespace = {"__name__": page}
    for block in blocks:
        exec(compile(short(block), page, "exec"), namespace)
    assert blocks
