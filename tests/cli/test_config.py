"""Configs: what is wrong is named, with its place and the nearest name."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.config import override, parse_yaml, read_yaml, validate
from wflow.cli.errors import CommandError
from wflow.cli.population.schema import ForecastConfig
from wflow.cli.tasks import load_task, task_names


ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
GAPMINDER = ROOT / "configs" / "gapminder.yaml"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_valid(path):
    raw = read_yaml(path)
    task = load_task(raw["task"], path.name)
    config = validate(task.config, raw, path.name)
    assert config.title
    assert config.seed == 0
    # The resolved config is a config, and the same one.
    resolved = config.model_dump(mode="json")
    assert validate(task.config, resolved, "resolved") == config


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fit.stepz=3", ["fit.stepz is not a key", "Did you mean fit.steps?"]),
        ("sead=3", ["sead is not a key at the top", "Did you mean seed?"]),
        ("energy.widht=3", ["energy.widht is not a key", "energy.width?"]),
        ("fit.optimizer.lr=1", ["fit.optimizer.lr", "Valid: learning_rate"]),
        ("fit.steps=many", ["fit.steps: expected an integer, found 'many'"]),
        ("fit.steps=1.5", ["fit.steps: expected an integer, found 1.5"]),
        ("fit.steps=true", ["fit.steps: expected an integer, found True"]),
        ("fit.steps=0", ["fit.steps: expected greater than or equal to 1, found 0"]),
        ("energy.kind=attn", ["energy.kind", "'attn'", "Did you mean attention?"]),
        ("energy={}", ["energy.kind is missing", "attention, mlp, pair, sum"]),
        ("split={kind: until}", ["split.time is missing"]),
        ("fit=3", ["fit: expected keys and values, found 3"]),
        ("fit.loss.blur=mean", ["fit.loss.blur: expected 'median' or a number"]),
        ("precision=float16", ["precision: expected 'float32' or 'float64'"]),
        ("seeds=[1, 1]", ["seeds: expected distinct seeds"]),
        ("seed=-1", ["seed: expected greater than or equal to 0"]),
        (
            "energy={kind: sum, terms: [{kind: mlp}, {kind: pair, wdth: 1}]}",
            ["energy.terms.1.wdth", "Did you mean energy.terms.1.width?"],
        ),
        ("task=population_forcast", ["task:", "Did you mean population_forecast?"]),
        ("fit.steps.more=1", ["fit.steps is 400, which has no keys"]),
        ("fit.steps", ["expected key=value"]),
        ("fit={", ["--set fit={, line 1"]),
    ],
)
def test_wrong_keys_end_with_code_2_and_a_sentence(setting, words):
    arguments = ["run", str(GAPMINDER), "--set", "fit.steps=400", "--set", setting]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr


def test_every_wrong_key_is_named_at_once():
    raw = override(read_yaml(GAPMINDER), ["fit.a=1", "energy.b=2", "c=3"])
    with pytest.raises(CommandError) as caught:
        validate(ForecastConfig, raw, "x.yaml")
    lines = str(caught.value).splitlines()
    assert [re.match(r"x\.yaml: (\S+) is not", line)[1] for line in lines] == [
        "energy.b",
        "fit.a",
        "c",
    ]


def test_a_seed_alone_takes_the_place_of_all_seeds():
    data = {"seeds": [0, 1, 2]}
    assert override(data, ["seed=7"])["seeds"] == [7]
    assert override(data, ["seed=7", "seeds=[3]"])["seeds"] == [3]
    assert override(data, ["seed=7", "seeds=null"]) == {"seed": 7, "seeds": None}
    assert override({}, ["seed=7"]) == {"seed": 7}


def test_override_makes_what_is_missing_and_leaves_the_rest():
    data = {"a": {"b": 1, "c": 2}}
    changed = override(data, ["a.b=1e-3", "d.e=[1, 2]", "a.c=null"])
    assert changed == {"a": {"b": 1e-3, "c": None}, "d": {"e": [1, 2]}}
    assert data == {"a": {"b": 1, "c": 2}}


def test_numbers_in_yaml():
    found = parse_yaml("[1e-3, 1.5E+2, -2e5, 10, 1.0, abc1e3]", "x")
    assert found == [1e-3, 150.0, -2e5, 10, 1.0, "abc1e3"]


def test_a_missing_config_and_one_that_is_no_mapping(tmp_path):
    result = CliRunner().invoke(app, ["run", str(GAPMINDER.with_name("gapmindr.yaml"))])
    assert result.exit_code == 2
    assert "did you mean" in result.stderr
    assert "gapminder.yaml" in result.stderr
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    with pytest.raises(CommandError, match="expected keys and values, found"):
        read_yaml(path)
    path.write_text("a: [1\nb: 2\n")
    with pytest.raises(CommandError, match=r"list\.yaml, line 2"):
        read_yaml(path)


@pytest.mark.parametrize("name", ["ocean_interpolation", "ocean_forecast"])
def test_a_config_without_its_file_says_which_one(name):
    result = CliRunner().invoke(app, ["run", str(ROOT / "configs" / f"{name}.yaml")])
    assert result.exit_code == 2
    for word in ("needs --data FILE", "positions (", "velocities ("):
        assert word in result.stderr


def test_help_and_list(monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = CliRunner().invoke(app, ["--help"]).output
    for command in ("run", "forecast", "evaluate", "plot", "list", "--version"):
        assert command in shown
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    for name in (*task_names(), *(f"configs/{path.name}" for path in CONFIGS)):
        assert name in result.output
    version = CliRunner().invoke(app, ["--version"])
    assert re.fullmatch(r"wflow \d+\.\d+\.\d+\S*\n", version.output)
