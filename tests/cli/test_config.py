"""Configs: what is wrong is named, with its place and the nearest name."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wflow.cli.app import app
from wflow.cli.errors import CommandError
from wflow.studies import load, names
from wflow.studies._configs import override, read_yaml
from wflow.studies._params import validate
from wflow.studies._yamls import parse_yaml


ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
GAPMINDER = ROOT / "configs" / "gapminder.yaml"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_config_is_valid(path):
    raw = read_yaml(path)
    task = load(raw["task"])
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
        ("fit.steps=many", ["fit: expected steps to be a whole number, found 'many'"]),
        ("fit.steps=1.5", ["fit: expected steps to be a whole number, found 1.5"]),
        ("fit.steps=true", ["fit: expected steps to be a whole number, found True"]),
        ("fit.steps=0", ["fit: expected steps >= 1, found 0"]),
        ("energy.kind=attention", ["energy.kind", "mean AttentionPotential?"]),
        ("energy={}", ["energy.kind is missing", "AttentionPotential, "]),
        ("split={kind: until}", ["split.time is missing"]),
        ("fit=3", ["fit: expected keys and values, found 3"]),
        ("fit.loss.blur=mean", ["fit.loss: Sinkhorn: expected blur > 0 or 'median'"]),
        ("precision=float16", ["precision: expected 'float32' or 'float64'"]),
        ("seeds=[1, 1]", ["seeds: expected distinct seeds"]),
        ("seed=4294967296", ["seed: expected less than 4294967296"]),
        ("seeds=[0, 4294967296]", ["seeds.1: expected less than 4294967296"]),
        ("seed=-1", ["seed: expected greater than or equal to 0"]),
        (
            "energy=[{kind: MLPPotential}, {kind: PairPotential, wdth: 1}]",
            ["energy.1.wdth", "Did you mean energy.1.width?"],
        ),
        ("task=population_forcast", ["task:", "Did you mean population_forecast?"]),
        ("fit.steps.more=1", ["fit.steps is 400, which has no keys"]),
        ("fit.steps", ["expected key=value"]),
        ("fit={", ["--set fit={, line 1"]),
        ("fit.optimizer.learning_rate=.inf", ["learning_rate", "finite"]),
        ("fit.optimizer.learning_rate=.nan", ["learning_rate", "found nan"]),
        ("data.time.unit=.inf", ["data.time.unit: expected a finite number"]),
        ("split={kind: until, time: .nan}", ["split.time: expected a finite"]),
        (
            "energy=[{kind: MLPPotential}, {kind: Entropy, temperature: .inf}]",
            ["energy.1: Entropy: expected temperature", "finite"],
        ),
        (f"seed={10**30}", ["--set seed=1000", "between -2^63 and 2^63"]),
        ("fit.steps=" + "1" * 5001, ["between -2^63 and 2^63", "5001 characters"]),
        ("fit=&a {steps: *a}", ["an alias stands inside what it repeats"]),
        ("fit={steps: 1, steps: 2}", ["steps is given twice"]),
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
    with pytest.raises(ValueError, match=r"\S") as caught:
        validate(load("population_forecast").config, raw, "x.yaml")
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


BOMB = "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10) if before else '1, 2'}]\n"
    for before, name in zip(["", *"abcdef"], "abcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed: 1\nseed: 2", "the key seed is given twice, in lines 1 and 2"),
        ("fit:\n  steps: 1\n  steps: 1", "steps is given twice, in lines 2 and 3"),
        (f"{BOMB}task: *g", "expected at most 200,000 values"),
        ("task: &t [*t]", "line 1: an alias stands inside what it repeats"),
        ("[" * 5000, "expected at most 50 levels"),
        ("[" * 60 + "]" * 60, "expected at most 50 levels"),
        ("seed: " + "9" * 5000, "between -2^63 and 2^63, found one of 5000 characters"),
        ("seed: 0x" + "f" * 20, "between -2^63 and 2^63"),
        ("title: 2024-13-45", "a value cannot be read: month must be"),
        ("title: !!python/name:os.system", "could not determine a constructor"),
        ("a: " + "x" * 1_000_001, "expected at most 1,000,000 bytes"),
        (b"a: \xff", "expected text in UTF-8"),
        (b"\xff\xfe\x00", "expected text in UTF-8"),
        ("a: \x07", "is not valid YAML"),
        ("? [1]\n: 2", "unhashable key"),
    ],
)
def test_yaml_that_is_refused(text, words):
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        parse_yaml(text, "x.yaml")
    assert str(caught.value).startswith("x.yaml")
    assert len(str(caught.value)) < 300


def test_yaml_that_is_read(tmp_path):
    text = "base: &b {x: 1}\nother: {<<: *b, x: 2}\ntimes: [*b, *b]\ngrösse: 0777\n"
    expected = {
        "base": {"x": 1},
        "other": {"x": 2},
        "times": [{"x": 1}, {"x": 1}],
        "grösse": 511,
    }
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le"):
        mark = b"\xff\xfe" if encoding == "utf-16-le" else b""
        path = tmp_path / "x.yaml"
        path.write_bytes(mark + text.encode(encoding))
        assert read_yaml(path) == expected
    assert parse_yaml("", "x") is None


def test_a_missing_config_and_one_that_is_no_mapping(tmp_path):
    result = CliRunner().invoke(app, ["run", str(GAPMINDER.with_name("gapmindr.yaml"))])
    assert result.exit_code == 2
    assert "did you mean" in result.stderr
    assert "gapminder.yaml" in result.stderr
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    with pytest.raises(
        (CommandError, ValueError), match="expected keys and values, found"
    ):
        read_yaml(path)
    path.write_text("a: [1\nb: 2\n")
    with pytest.raises(ValueError, match=r"list\.yaml, line 2"):
        read_yaml(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ocean_interpolation", "ocean_forecast"])
def test_a_config_without_its_file_says_which_one(name):
    result = CliRunner().invoke(app, ["run", str(ROOT / "configs" / f"{name}.yaml")])
    assert result.exit_code == 2
    for word in ("needs --data FILE", "positions (", "velocities ("):
        assert word in result.stderr


@pytest.mark.slow
def test_help_and_list(monkeypatch, tmp_path):
    # Wherever one is, and however wide the terminal.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["--help"]).output
    for command in ("run", "forecast", "evaluate", "plot", "list", "show", "--version"):
        assert command in shown
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    for name in (*names(), *(path.stem for path in CONFIGS)):
        assert f" {name} " in result.output
    shown = CliRunner().invoke(app, ["show", "gapminder"])
    assert shown.output == GAPMINDER.read_text()
    missing = CliRunner().invoke(app, ["run", "gapmindr"])
    assert missing.exit_code == 2
    assert "did you mean gapminder?" in missing.stderr
    version = CliRunner().invoke(app, ["--version"])
    assert re.fullmatch(r"wflow \d+\.\d+\.\d+\S*\n", version.output)
