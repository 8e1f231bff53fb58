"""`--settings FILE`: a person's own defaults, for any command; what the line says counts more."""

import shlex
from pathlib import Path

import pytest

from konterfei.cli import main
from konterfei.cli.app import build
from konterfei.cli.settings_file import taken_out

MINE = """
[train]
preset = "standard"
batch = 6
eyes_mouth = true
hsv-power = 0.05

[consent.new]
person = "Anna Muster"
"""


def config_of(line):
    asked = []
    words, files = taken_out(shlex.split(line))
    app = build(words, lambda stage, config: asked.append(config), files)
    app(words, exit_on_error=False, print_error=False, result_action="return_value")
    return asked[0]


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(MINE, "utf-8")
    return path


@pytest.mark.parametrize("line", ["--settings {} train", "train --settings {}", "train --settings={}"])
def test_settings_come_from_the_file_wherever_it_is_named(mine, line):
    config = config_of(f"{line.format(mine)} --src a --dst b -o c")
    assert (config.preset, config.batch, config.eyes_mouth, config.hsv_power) == ("standard", 6, True, 0.05)
    assert (config.src, config.seed) == (Path("a"), 1)


def test_the_line_counts_more(mine):
    config = config_of(f"train --src a --dst b -o c --settings {mine} --batch 3 --no-eyes-mouth --preset tiny")
    assert (config.preset, config.batch, config.eyes_mouth, config.hsv_power) == ("tiny", 3, False, 0.05)


def test_of_two_files_the_first_counts_more(mine, tmp_path):
    film = tmp_path / "film.toml"
    film.write_text("[train]\nbatch = 2\nseed = 9\n", "utf-8")
    config = config_of(f"train --src a --dst b -o c --settings {film} --settings {mine}")
    assert (config.batch, config.seed, config.preset) == (2, 9, "standard")


def test_commands_of_two_words_and_commands_without_a_table(mine):
    assert config_of(f"consent new -o anna.toml --settings {mine}").person == "Anna Muster"
    assert config_of(f"verify out.mp4 --settings {mine}").video == Path("out.mp4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[train]\nbatsh = 3\n", ["batsh", "mine.toml"]),
        ('[train]\nbatch = "many"\n', ["batch", "many", "mine.toml"]),
        ('[train]\npreset = "quik"\n', ["quik", "Did you mean", "quick"]),
        ("[train]\nbatch = -1\n", ["--batch is -1"]),
        ("[trian]\nbatch = 3\n", ["trian", "Did you mean train"]),
        ("batch = 3\n", ["no command named 'batch'"]),
        ("train = 3\n", ["must be a table"]),
        ("[train\n", ["mine.toml' cannot be read"]),
        (None, ["there is no such file", "[train]"]),
    ],
)
def test_nonsense_is_answered_with_the_name_and_exit_code_2(tmp_path, capsys, text, said):
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_text(text, "utf-8")
    assert main(["train", "--src", "a", "--dst", "b", "-o", str(tmp_path / "run"), "--settings", str(path)]) == 2
    error = capsys.readouterr().err
    assert all(part in error for part in said), error
    assert "Traceback" not in error
