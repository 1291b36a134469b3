"""The code in the documentation runs, page by page."""

import re
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    "CONTRIBUTING.md",
    "docs/index.md",
    pytest.param("README.md", marks=pytest.mark.slow),
    pytest.param("docs/getting-started.md", marks=pytest.mark.slow),
    pytest.param("docs/learning.md", marks=pytest.mark.slow),
    pytest.param("docs/sampling.md", marks=pytest.mark.slow),
    pytest.param("docs/regression.md", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page):
    text = (ROOT / page).read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    namespace = {"__name__": page}
    for block in blocks:
        exec(compile(block, page, "exec"), namespace)
    assert blocks
