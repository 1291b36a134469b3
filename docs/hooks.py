"""What the site takes from the repository: a page for each room, and formulas.

Formulas, ``$...$`` in pages and docstrings, become MathML here, so that a page needs
nothing from elsewhere to show them.
"""

import ast
import html
import re
from pathlib import Path

from latex2mathml.converter import convert_to_element
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files


ROOT = Path(__file__).resolve().parents[1]
# From the lowest floor to the highest; rooms that are not listed come last.
ORDER = (
    *("parameters", "measures", "kernels", "transport", "metrics", "energies"),
    *("geometries", "flows", "solve", "learning", "populations", "sampling"),
    *("sampling.privacy", "regression", "networks", "networks.canonical"),
    *("networks.chaos", "networks.saddle", "networks.attention", "networks.scale"),
    *("filtering", "filtering.transport"),
    *("io", "plotting", "studies", "cli"),
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
    """Name of every room and the first line of its docstring."""
    found = {}
    source = ROOT / "src" / "wflow"
    # A part of a room with names of its own has a page of its own.
    for path in (
        *source.glob("*/__init__.py"),
        source / "sampling/privacy/__init__.py",
        *source.glob("networks/*/__init__.py"),
        source / "filtering/transport/__init__.py",
    ):
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        name = ".".join(path.parent.relative_to(source).parts)
        found[name] = docstring.partition("\n")[0]
    known = [name for name in ORDER if name in found]
    return [(name, found[name]) for name in known + sorted(found.keys() - set(ORDER))]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the formulas, and the rooms to the navigation."""
    config.markdown_extensions.append(Formulas())
    pages = ["api/index.md", *(f"api/{name}.md" for name, _ in _rooms())]
    config.nav = [
        {"API": pages} if entry == {"API": "api/"} else entry for entry in config.nav
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not written by hand."""
    rooms = _rooms()
    rows = [f"| [`wflow.{name}`]({name}.md) | {line} |" for name, line in rooms]
    pages = {"api/index.md": "\n".join(["# API", "", "| room | |", "|---|---|", *rows])}
    for name, _ in rooms:
        pages[f"api/{name}.md"] = f"# wflow.{name}\n\n::: wflow.{name}\n"
    pages["contributing.md"] = (ROOT / "CONTRIBUTING.md").read_text()
    pages["changelog.md"] = (ROOT / "CHANGELOG.md").read_text()
    for uri, content in pages.items():
        files.append(File.generated(config, uri, content=content))
    return files
