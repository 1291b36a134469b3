"""What the site takes from the repository: pages for rooms and papers, and formulas.

Formulas, ``$...$`` in pages and docstrings, become MathML here, so that a page needs
nothing from elsewhere to show them.
"""

import ast
import html
import re
from pathlib import Path

import jupytext
from latex2mathml.converter import convert_to_element
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pybtex.database import parse_file
from pybtex.plugin import find_plugin

from wflow.studies._reference import reference


ROOT = Path(__file__).resolve().parents[1]
# From the lowest floor to the highest; rooms that are not listed come last.
ORDER = (
    *("parameters", "measures", "kernels", "transport", "energies", "geometries"),
    *("flows", "solvers", "learning", "sharding", "populations"),
    *("populations.simulators",),
    *("sampling", "sampling.privacy", "regression", "networks", "networks.canonical"),
    *("networks.chaos", "networks.saddle", "networks.attention", "networks.scale"),
    *("filtering", "io", "plotting", "studies", "cli"),
)


class _Formula(InlineProcessor):
    def handleMatch(self, m: re.Match, data: str) -> tuple:
        del data
        display = "block" if m.group(1) == "$$" else "inline"
        element = convert_to_element(html.unescape(m.group(2)), display=display)
        return element, m.start(0), m.end(0)


class Formulas(Extension):
    """``$...$`` and ``$$...$$`` as MathML."""

    def extendMarkdown(self, md: Markdown) -> None:
        """Register before emphasis and escapes, after code."""
        pattern = r"(?<![\\$])(\$\$?)(?=\S)(.+?)(?<=\S)\1(?!\d)"
        md.inlinePatterns.register(_Formula(pattern, md), "formula", 185)


def _rooms() -> list[tuple[str, str]]:
    """Name of every room that has public names, and the first line of its docstring."""
    found = {}
    source = ROOT / "src" / "wflow"
    for path in source.rglob("__init__.py"):
        tree, stub = ast.parse(path.read_text()), path.with_suffix(".pyi")
        # What is loaded when it is used is listed in a stub.
        listed = ast.parse(stub.read_text()) if stub.is_file() else tree
        name = ".".join(path.parent.relative_to(source).parts)
        if name and any(_is_list(node) for node in listed.body):
            found[name] = (ast.get_docstring(tree) or "").partition("\n")[0]
    known = [name for name in ORDER if name in found]
    return [(name, found[name]) for name in known + sorted(found.keys() - set(ORDER))]


def _is_list(node: ast.stmt) -> bool:
    """Whether a statement says which names of a module are public."""
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _bibliography() -> str:
    """All entries of the BibTeX file, each under its key as an anchor."""
    style = find_plugin("pybtex.style.formatting", "plain")()
    backend = find_plugin("pybtex.backends", "html")()
    papers = parse_file(str(ROOT / "docs" / "references.bib"))
    head = (
        "# Bibliography\n\nWhat is cited here, as [BibTeX](references.bib). "
        "What was read of it, and what is a derivation, says "
        "[the note on sources](notes/sources.md)."
    )
    entries = [
        f'<p id="{entry.key}">{entry.text.render(backend)}</p>'
        for entry in style.format_bibliography(papers)
    ]
    return "\n\n".join([head, *entries])


def _words(script: Path) -> tuple[str, str, str]:
    """Title, description and code of an example."""
    text = script.read_text()
    tree = ast.parse(text)
    title, _, words = (ast.get_docstring(tree) or "").partition("\n\n")
    code = text.splitlines()[tree.body[0].end_lineno :]
    return title.rstrip("."), words, "\n".join(code).strip()


def _notebook(script: Path) -> str:
    """An example as a notebook: a cell for each paragraph of its code."""
    title, words, code = _words(script)
    head = [f"# # {title}", "#", *(f"# {line}" for line in words.splitlines())]
    notebook = jupytext.reads("\n".join([*head, "", code, ""]), fmt="py:light")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["kernelspec"] = kernel
    return jupytext.writes(notebook, fmt="ipynb")


def _examples(folder: str) -> list[Path]:
    return sorted((ROOT / folder).glob("*.py"))


def _gallery() -> str:
    """Every example with its picture, its words and its code."""
    parts = [
        "# Gallery",
        "Each picture is drawn by a script of less than 60 lines, which checks its "
        "numbers against what is known; the tests run all of them. The notebooks are "
        "the same scripts, cell by cell.",
    ]
    for folder, title, words in (
        ("examples/compositions", "Compositions", "Laws that are put together."),
        ("examples", "Examples", "One for each kind of system."),
    ):
        scripts = _examples(folder)
        thumbnails = "".join(
            f'<a href="#{script.stem}">'
            f'<img src="../images/{script.stem}.webp" alt="{script.stem}">'
            f"{_words(script)[0].partition(':')[0]}</a>"
            for script in scripts
        )
        parts += [f"## {title}", words, f'<div class="thumbnails">{thumbnails}</div>']
        for script in scripts:
            name = script.stem
            head, more, _ = _words(script)
            code = "\n".join(f"    {line}" for line in script.read_text().splitlines())
            # Of these what moves is the figure itself.
            moving = "-moving" if name in ("plane", "streams") else ""
            parts += [
                f"### {head} {{ #{name} }}",
                f"![{head}](images/{name}{moving}.webp)",
                more,
                f"[As a notebook](notebooks/{name}.ipynb){{ download }}",
                f'??? example "{folder}/{script.name}"\n    ```py\n{code}\n    ```',
            ]
    return "\n\n".join(parts)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the formulas, the version, and the rooms to the navigation."""
    config.markdown_extensions.append(Formulas())
    source = (ROOT / "src/wflow/__init__.py").read_text()
    version = re.search(r'^__version__ = "(.+)"', source, re.MULTILINE)
    config.copyright = f"wflow {version[1]}" if version else "wflow"
    pages = ["api/index.md", *(f"api/{name}.md" for name, _ in _rooms())]
    config.nav = [
        {"API": pages} if entry == {"API": "api/"} else entry for entry in config.nav
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not written by hand."""
    rooms = _rooms()
    rows = [f"| [`wflow.{name}`]({name}.md) | {line} |" for name, line in rooms]
    pages = {
        "api/index.md": "\n".join(["# API", "", "| room | |", "|---|---|", *rows]),
        "bibliography.md": _bibliography(),
        "gallery.md": _gallery(),
        "configs.md": reference(),
    }
    for name, _ in rooms:
        pages[f"api/{name}.md"] = f"# wflow.{name}\n\n::: wflow.{name}\n"
    for name in ("contributing", "changelog"):
        text = (ROOT / f"{name.upper()}.md").read_text()
        # Links of the repository, as links of the site.
        pages[f"{name}.md"] = text.replace("](docs/", "](")
    for folder in ("examples", "examples/compositions"):
        for script in _examples(folder):
            pages[f"notebooks/{script.stem}.ipynb"] = _notebook(script)
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files
