"""The schema of configs: every key that a config has is in it, and explained."""

import json
from pathlib import Path

import pytest
import yaml

from wflow.studies import load
from wflow.studies._reference import reference
from wflow.studies._schema import arguments, schema


CONFIGS = Path(__file__).resolve().parents[2] / "configs"
POPULATION = ("gapminder", "leave_one_out_emt_3d", "unbalanced_gene_2d", "boids")


def _known(made, models, value, place=""):
    """Every key of ``value`` is one that the schema has, wherever it says which."""
    while "$ref" in made:
        made = models[made["$ref"].rpartition("/")[2]]
    options = [*made.get("anyOf", []), *made.get("oneOf", [])]
    if options:
        assert any(_fits(option, models, value) for option in options), place
        return
    if isinstance(value, dict) and "properties" in made:
        for key, inner in value.items():
            assert key in made["properties"], f"{place}.{key}"
            _known(made["properties"][key], models, inner, f"{place}.{key}")


def _fits(made, models, value):
    try:
        while "$ref" in made:
            made = models[made["$ref"].rpartition("/")[2]]
        kind = made.get("properties", {}).get("kind", {}).get("const")
        if isinstance(value, dict) and kind is not None:
            assert value.get("kind", kind) == kind
        types = {"object": dict, "array": list, "string": str, "null": type(None)}
        if made.get("type") in types:
            assert isinstance(value, types[made["type"]])
        _known(made, models, value)
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", POPULATION)
def test_configs_have_keys_of_the_schema_alone(name):
    config = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    made = schema(config["task"])
    _known(made, made["$defs"], config)
    with pytest.raises(AssertionError):
        _known(made, made["$defs"], {**config, "sead": 1})
    json.dumps(made)


def test_keys_are_explained_by_docstrings():
    made = schema("population_auto")
    assert "seconds" in made["properties"]["budget"]["description"]
    assert made["properties"]["seed"]["description"].startswith("every random number")
    assert made["properties"]["budget"]["default"] == 300
    data = made["$defs"]["FileData"]["properties"]
    assert data["keys"]["$ref"] == "#/$defs/Keys"
    assert "$defs" in made
    keys = made["$defs"]["Keys"]["anyOf"][0]["properties"]
    assert (
        "sizes" in keys["masses"]["description"]
        or "size" in keys["masses"]["description"]
    )


def test_arguments_are_read_from_a_docstring():
    def function(a, b, c):
        """Do something.

        Args:
            a: the first, which
                goes on.
            b, c: both.

        Returns:
            nothing: at all.
        """

    assert arguments(function) == {
        "a": "the first, which goes on.",
        "b": "both.",
        "c": "both.",
    }


@pytest.mark.slow
def test_the_reference_names_every_study_and_component():
    page = reference()
    for word in ("### population_auto", "`data.keys`", "**MLPPotential**", "`budget`"):
        assert word in page
    assert load("population_auto").config.model_fields.keys() >= {"budget", "steps"}
