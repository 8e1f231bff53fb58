"""The command line is what the tables and dataclasses say, and nothing else."""

from __future__ import annotations

import importlib.util
import inspect
import shlex
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from konterfei.cli import main
from konterfei.cli.app import build
from konterfei.cli.options import choices, parameters
from konterfei.stages import HEADINGS, STAGES, Stage

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = [
    "swap --src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml",
    "swap --src a.mp4 --dst b.mp4 -o out.mp4 --consent anna.toml --preset quick --train-minutes 10 --project film",
    "extract a.mp4 -o src_faces",
    "train --src src_faces --dst dst_faces -o run",
    "train --src src_faces --dst dst_faces -o run --preset quick --minutes 10",
    "merge b.mp4 --faces dst_faces --model run --consent anna.toml -o out.mp4",
    "verify out.mp4",
    "import dfl-model workspace/model -o run --name anna_SAEHD",
    "export run -o anna.dfm",
    "consent new -o anna.toml",
    "demo",
]


def parse(line: str) -> tuple[Stage, Any]:
    """Stage and config that a command line leads to, without running it."""
    caught: list[tuple[Stage, Any]] = []
    words = shlex.split(line, comments=True)
    app = build(words, lambda stage, config: caught.append((stage, config)))
    app(words, exit_on_error=False, print_error=False, result_action="return_value")
    (found,) = caught
    return found


@pytest.mark.parametrize("line", CONTRACT)
def test_promised_command_lines_are_understood(line: str):
    stage, config = parse(line)
    assert isinstance(config, stage.load_config())
    words = line.split()
    if "-o" in words:
        assert config.output == Path(words[words.index("-o") + 1])


def test_flags_reach_the_config():
    _, config = parse(CONTRACT[1])
    assert (config.src, config.dst, config.consent) == (Path("a.mp4"), Path("b.mp4"), Path("anna.toml"))
    assert (config.preset, config.train_minutes, config.project) == ("quick", 10, Path("film"))


@pytest.mark.parametrize("name", STAGES)
def test_every_command_has_examples_that_work(name: str):
    assert STAGES[name].examples
    for example in STAGES[name].examples:
        assert example.startswith(f"konterfei {name}")
        stage, _ = parse(example.removeprefix("konterfei "))
        assert stage is STAGES[name]


@pytest.mark.parametrize("name", STAGES)
def test_help_teaches_every_flag_and_shows_an_example(name: str, capsys: pytest.CaptureFixture[str]):
    assert main([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert STAGES[name].examples[0][:40] in shown
    for field in fields(STAGES[name].load_config()):
        flag = field.name.upper() if field.name in STAGES[name].positional else field.name
        assert flag.replace("_", "-").strip("-")[:24] in shown.replace("_", "-")


@pytest.mark.parametrize("name", STAGES)
def test_choices_of_the_command_line_are_the_tables(name: str):
    """A flag whose type names a table offers exactly that table's names."""
    stage = STAGES[name]
    hints = get_type_hints(stage.load_config(), include_extras=True)
    offered = {p.name: p.annotation for p in parameters(stage, stage.load_config())}
    for field, hint in hints.items():
        if names := choices(hint):
            assert choices(offered[field]) == names


@pytest.mark.parametrize("name", STAGES)
def test_the_command_has_one_parameter_per_field(name: str):
    stage = STAGES[name]
    config = stage.load_config()
    given = parameters(stage, config)
    assert {p.name for p in given} == {field.name for field in fields(config) if field.init}
    assert all(get_args(p.annotation)[1].help for p in given)
    assert [p.name for p in given if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD] == list(stage.positional)


@pytest.mark.parametrize("name", STAGES)
def test_every_command_is_documented_as_it_is(name: str):
    spec = importlib.util.spec_from_file_location("stage_docs", ROOT / "tools" / "stage_docs.py")
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = tool.page_of(name)
    assert page.exists(), f"write {page.relative_to(ROOT)} (make docs begins one)"
    text = page.read_text(encoding="utf-8")
    assert f"konterfei {name}" in text.splitlines()[0]
    assert tool.updated(name, text) == text, "run make docs"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("swop", "swap"),
        ("extract a.mp4 -o faces --persom 1", "--person"),
        ("swap --src a.mp4 --dst b.mp4 -o o.mp4 --consent c.toml --preset quik", "quick"),
        ("merge b.mp4 --faces f --model m --consent c.toml -o o.mp4 --label cornet", "corner"),
    ],
)
def test_a_mistyped_word_is_answered_with_the_nearest(line: str, hint: str, capsys: pytest.CaptureFixture[str]):
    assert main(shlex.split(line)) == 2
    said = capsys.readouterr().err
    assert hint in said
    assert "Traceback" not in said


@pytest.mark.parametrize("line", ["extract", "swap --src a.mp4", "extract a.mp4 -o f --size many"])
def test_what_is_missing_or_not_a_number_exits_with_2(line: str, capsys: pytest.CaptureFixture[str]):
    assert main(shlex.split(line)) == 2
    assert "--help" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], *([*name.split(), "--help"] for name in STAGES)], ids=" ".join)
def test_help_does_not_import_torch(words: list[str]):
    code = f"import sys; from konterfei.cli import main; main({words!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_python_dash_m_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "konterfei", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"


def test_every_command_is_under_one_heading():
    headed = [word for words in HEADINGS.values() for word in words]
    assert sorted(headed) == sorted({name.split()[0] for name in STAGES})
