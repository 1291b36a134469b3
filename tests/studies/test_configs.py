"""The configs that come with wflow, found by path or by name."""

import re
from pathlib import Path

import pytest

from wflow.studies import names
from wflow.studies._configs import (
    config_folder,
    config_names,
    find_config,
    override,
    read_yaml,
)


CONFIGS = Path(__file__).resolve().parents[2] / "configs"


def test_the_names_are_those_of_the_files():
    assert config_folder() == CONFIGS
    assert config_names() == sorted(path.stem for path in CONFIGS.glob("*.yaml"))


@pytest.mark.parametrize("name", config_names())
def test_every_config_is_yaml_and_names_a_task(name):
    data = read_yaml(find_config(Path(name)))
    assert data["task"] in names()
    assert data["title"]
    assert data.get("seed", 0) == 0
    assert data.get("precision", "float32") in ("float32", "float64")


def test_a_config_is_found_by_its_name_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find_config(Path("gapminder")) == CONFIGS / "gapminder.yaml"
    assert find_config(Path("gapminder.yaml")) == CONFIGS / "gapminder.yaml"


def test_a_file_goes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path("gapminder.yaml")
    own.write_text("task: mine\n")
    assert find_config(own) == own
    assert find_config(tmp_path / "gapminder.yaml") == tmp_path / "gapminder.yaml"
    # The name alone is still that of wflow's own.
    assert find_config(Path("gapminder")) == CONFIGS / "gapminder.yaml"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("gapmindr", "gapmindr: there is no such config; did you mean gapminder?"),
        (
            "filter_bimodel.yaml",
            "filter_bimodel.yaml: there is no such config; did you mean "
            "filter_bimodal?",
        ),
        ("zzz", "zzz: there is no such config; wflow list shows them."),
        # A folder means this one and no other.
        (
            "mine/gapminder",
            "mine/gapminder: there is no such config; did you mean "
            "mine/gapminder2.yaml?",
        ),
        ("mine", "mine: there is no such config; "),
        (".", ".: there is no such config; "),
    ],
)
def test_a_config_that_there_is_not(tmp_path, monkeypatch, name, sentence):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gapminder2.yaml").write_text("task: mine\n")
    with pytest.raises(ValueError, match=re.escape(sentence)) as caught:
        find_config(Path(name))
    assert "\n" not in str(caught.value)


def test_a_key_may_be_set_below_one_that_is_missing():
    assert override({}, ["a.b=[1e-3]"]) == {"a": {"b": [1e-3]}}
    with pytest.raises(ValueError, match=r"^--set a\.b=1: a is 3, which has no keys"):
        override({"a": 3}, ["a.b=1"])
