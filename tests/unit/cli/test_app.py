"""From what a stage raises or gives back to message, exit code and files."""

from __future__ import annotations

import os
import re
import signal
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from konterfei.cli import app, main
from konterfei.cli.options import choices, field_docs
from konterfei.cli.stopping import stop_requests
from konterfei.errors import Cancelled, ConfigError, ConsentError, EncodeError, UnknownNameError
from konterfei.registry import Entry, Registry
from konterfei.reporting import check
from konterfei.stages import STAGES, Stage

TOOLS = Registry("tool", {"hammer": Entry("nowhere:hammer", "hits"), "saw": Entry("nowhere:saw", "cuts")})


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Does nothing, twice."""

    video: Path
    """What to look at."""
    output: Path = Path("there")
    """Where the result
    goes."""
    tool: Annotated[str, TOOLS] = "saw"
    """Which tool."""
    level: Literal["low", "high"] | None = None
    """How much."""

    def __post_init__(self) -> None:
        if self.video == self.output:
            raise ConfigError("--output is the video itself")


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """toy(function) makes `konterfei toy` run it."""

    def install(run: Callable[..., Any]) -> None:
        module = types.ModuleType("toy_stage")
        module.run, module.Config = run, ToyConfig  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "toy_stage", module)
        stage = Stage(
            run="toy_stage:run",
            config="toy_stage:Config",
            about="Toys.",
            examples=("konterfei toy a",),
            positional=("video",),
        )
        monkeypatch.setattr(app, "STAGES", {**STAGES, "toy": stage})

    return install


def raising(error: BaseException) -> Callable[..., None]:
    def run(config: ToyConfig, reporter: Any) -> None:
        raise error

    return run


def test_the_config_comes_from_the_flags_and_the_result_goes_to_stdout(toy, capsys):
    @dataclass(frozen=True)
    class Result:
        video: Path
        num_faces: int

    toy(lambda config, reporter: Result(config.video, 3))
    assert main(["toy", "a.mp4"]) == 0
    assert capsys.readouterr().out.splitlines() == ["video      a.mp4", "num faces  3"]


def test_a_result_may_tell_itself_and_choose_its_exit_code(toy, capsys):
    class Result:
        exit_code = 1

        def summary(self) -> list[str]:
            return ["altered", "since"]

    toy(lambda config, reporter: Result())
    assert main(["toy", "a.mp4"]) == 1
    assert capsys.readouterr().out == "altered\nsince\n"


def test_names_of_strangers_files_are_printed_harmless(toy, capsys):
    class Result:
        def summary(self) -> list[str]:
            return ["\x1b]0;title\x07 \udcff.jpg grün 顔"]

    toy(lambda config, reporter: Result())
    assert main(["toy", "a.mp4"]) == 0
    assert capsys.readouterr().out == "?]0;title? ?.jpg grün 顔\n"
    toy(raising(EncodeError("'a\x1b[2J' is damaged")))
    assert main(["toy", "a.mp4"]) == EncodeError.exit_code
    assert capsys.readouterr().err == "error: 'a?[2J' is damaged\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConsentError("no consent record. Write one."), 2),
        (UnknownNameError("tool", "sow", ["saw"]), 2),
        (EncodeError("the disk is gone"), 1),
        (Cancelled("Stopped on request."), 130),
        (KeyboardInterrupt(), 130),
    ],
)
def test_errors_become_one_message_and_a_code(toy, capsys, error, code):
    toy(raising(error))
    assert main(["toy", "a.mp4"]) == code
    said = capsys.readouterr().err
    assert str(error) in said
    assert "Traceback" not in said


def test_a_config_that_refuses_itself_exits_with_2(toy, capsys):
    toy(lambda config, reporter: None)
    assert main(["toy", "a.mp4", "-o", "a.mp4"]) == 2
    assert "--output is the video itself" in capsys.readouterr().err


def test_a_name_that_no_table_holds_is_answered_with_the_nearest(toy, capsys):
    toy(lambda config, reporter: None)
    assert main(["toy", "a.mp4", "--tool", "hamer"]) == 2
    said = capsys.readouterr().err
    assert 'Did you mean "hammer"' in said


def test_a_setting_that_is_missing_is_explained(toy, capsys):
    toy(lambda config, reporter: None)
    assert main(["toy"]) == 2
    assert "What to look at." in capsys.readouterr().err


def test_an_unexpected_error_leaves_its_traceback_in_a_file(toy, capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    toy(raising(ZeroDivisionError("one over none")))
    assert main(["toy", "a.mp4"]) == 1
    said = capsys.readouterr().err
    assert "ZeroDivisionError: one over none" in said
    assert "Traceback (most recent" not in said
    found = re.search(r"The traceback is in (\S+);", said)
    assert found
    assert "raise error" in Path(found[1]).read_text(encoding="utf-8")


def test_ctrl_c_asks_the_stage_to_stop(toy):
    def run(config: ToyConfig, reporter: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            check(reporter)
        raise AssertionError("the wish was not heard")

    toy(run)
    assert main(["toy", "a.mp4"]) == 130


def test_ctrl_c_that_nobody_hears_aborts_the_second_time(toy):
    reached = []

    def run(config: ToyConfig, reporter: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("after one")
        os.kill(os.getpid(), signal.SIGINT)
        reached.append("after two")

    toy(run)
    assert main(["toy", "a.mp4"]) == 130
    assert reached == ["after one"]


def test_the_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with stop_requests(lambda: True):
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_docs_are_read_from_after_the_fields():
    assert field_docs(ToyConfig) == {
        "video": "What to look at.",
        "output": "Where the result goes.",
        "tool": "Which tool.",
        "level": "How much.",
    }


def test_choices_come_from_tables_literals_and_optionals():
    assert choices(Annotated[str, TOOLS]) == ("hammer", "saw")
    assert choices(Literal["low", "high"] | None) == ("low", "high")
    assert choices(Path | None) == ()
