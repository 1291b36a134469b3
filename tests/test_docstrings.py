"""Every name of ``wflow`` is shown at work, and its example gives what it says."""

import doctest
import inspect
import types

import pytest

import wflow


NAMES = sorted(
    name
    for name in wflow.__all__
    if not isinstance(getattr(wflow, name), types.ModuleType)
)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_example(name):
    text = inspect.getdoc(getattr(wflow, name))
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert example.examples
    said = []
    doctest.DocTestRunner(verbose=False).run(example, out=said.append)
    assert not said, "".join(said)
