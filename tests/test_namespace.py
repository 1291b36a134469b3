"""What `import wflow` gives: names that are loaded when used, and rooms."""

import ast
import importlib
import pkgutil
import subprocess
import sys
import types
from pathlib import Path

import wflow


STUB = Path(wflow.__file__).with_suffix(".pyi")


def _modules(package):
    for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not found.name.endswith("__main__"):
            yield (module := importlib.import_module(found.name))
            if found.ispkg:
                yield from _modules(module)


def test_the_stub_lists_what_the_package_gives():
    tree = ast.parse(STUB.read_text())
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    listed = next(
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    assert sorted(listed) == listed
    assert set(listed) == imported == set(wflow.__all__)
    for name in listed:
        getattr(wflow, name)


def test_verbs_are_functions_and_rooms_are_modules():
    for verb in (wflow.solve, wflow.fit, wflow.sample):
        assert isinstance(verb, types.FunctionType)
    for room in (wflow.solvers, wflow.filtering, wflow.studies):
        assert isinstance(room, types.ModuleType)


def test_no_module_is_hidden_by_what_has_its_name():
    for module in _modules(wflow):
        parent, _, leaf = module.__name__.rpartition(".")
        assert getattr(sys.modules[parent], leaf) is module


def test_importing_loads_nothing_before_it_is_used():
    code = "import sys, wflow; sys.exit('jax' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
