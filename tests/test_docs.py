"""The code in the documentation runs, page by page, and says what stands below it."""

import importlib.util
import re
from pathlib import Path

import jax
import matplotlib.pyplot as plt
import pytest
from typer.testing import CliRunner

from wflow.cli.app import app


ROOT = Path(__file__).resolve().parents[1]
SPEC = importlib.util.spec_from_file_location("outputs", ROOT / "docs/outputs.py")
outputs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(outputs)
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/**/*.md"),
    ]
    if "\n```python\n" in page.read_text()
)
BRITISH = re.compile(
    "colour|centre|centring|neighbour|behaviour|favour|travell(?:ed|ing)|labell(?:ed|ing)"
    "|(?:standard|normal|regular|penal|linear|initial|local|optim|minim|maxim|summar"
    "|general)is(?:e|ing|ation)"
)
SAID = re.compile(r"^```\{ \.text \.output \}\n(.*?)^```\n", re.M | re.S)
TRAINING = re.compile(r"\bfit(_ensemble|_best)?\(")


def test_every_example_has_its_picture():
    scripts = [*ROOT.glob("examples/*.py"), *ROOT.glob("examples/*/*.py")]
    for script in scripts:
        picture = ROOT / "docs" / "images" / f"{script.stem}.webp"
        assert 2_000 < picture.stat().st_size < 80_000, f"make figures: {picture}"


def test_every_system_has_a_small_picture_that_moves():
    for page in ROOT.glob("docs/systems/*.md"):
        (name,) = re.findall(r"images/(\w+-moving\.webp)", page.read_text())
        assert (ROOT / "docs" / "images" / name).stat().st_size < 300_000


def test_spelling_is_american():
    folders = ("src", "docs", "tests", "configs", "examples", "benchmarks")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.*")]
    for path in files:
        if path.suffix in (".py", ".pyi", ".md", ".yaml") and path != Path(__file__):
            text = path.read_text().lower()
            # A name of Optimistix, and a title.
            for word in ("optx.minimise", "*canonical regularisation"):
                text = text.replace(word, "")
            assert not BRITISH.findall(text), path


def short(block):
    """The block with trainings of a few steps: whether they run is what is asked."""
    if TRAINING.search(block):
        return re.sub(r"(?<=\bsteps=)\d+", "5", block)
    return block


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cells = outputs.CELL.findall((ROOT / page).read_text())
    namespace, whole = {"__name__": page}, True
    shown = any(written for _, written in cells)
    for code, written in cells:
        # Outputs are those that readers have, in single precision.
        with jax.enable_x64(not shown):
            said, _ = outputs.run(short(code), namespace)
        # Trainings that were cut say less, and so may everything after them.
        whole = whole and short(code) == code
        if written and whole:
            assert outputs.alike(said, written), said
        elif written:
            assert said
        plt.close("all")
    assert cells


def test_what_the_command_says_of_the_countries(tmp_path, monkeypatch):
    """The page on own data shows what a reader sees who makes its file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    page = (ROOT / "docs" / "own-data.md").read_text()
    ((code, _),) = outputs.CELL.findall(page)
    outputs.run(code, {})
    said = CliRunner().invoke(app, ["new", "countries.csv", "-o", "my.yaml"]).output
    assert said.split()
    assert said.split() in [text.split() for text in SAID.findall(page)]


def test_outputs_are_compared_by_words_and_numbers():
    assert outputs.alike("mean 1.001 of 20", "mean 1.002 of 20\n")
    assert not outputs.alike("mean 1.001 of 20", "mean 1.2 of 20")
    assert not outputs.alike("mean 1.001", "median 1.001")
