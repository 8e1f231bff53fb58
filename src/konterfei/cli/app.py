"""Builds the commands from `STAGES`, runs one of them, and turns what it raises into a message and an exit code."""

from __future__ import annotations

import inspect
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError, Group, MissingArgumentError
from cyclopts.config import Toml

import konterfei
from konterfei.cli import dialogue
from konterfei.cli.results import exit_code, lines_of, printable
from konterfei.cli.settings_file import taken_out
from konterfei.errors import Cancelled, KonterfeiError
from konterfei.stages import GROUPS, HEADINGS, STAGES, Stage

ABOUT = """Puts one face on another in video, measured, labelled and with consent on record.

New here? `konterfei demo` shows the whole way with synthetic people. Settings of your own may stand in a file:
konterfei train --settings mine.toml, with a table [train] in it.
"""

Runner = Callable[[Stage, Any], object]
"""What a command does with its stage and its finished config."""


def run(argv: Sequence[str]) -> int:
    """Runs one command line; see `konterfei.cli.main`."""
    asked: list[tuple[Stage, Any]] = []
    try:
        argv, files = taken_out(argv)
        app = build(argv, lambda stage, config: asked.append((stage, config)), files)
        app(argv, exit_on_error=False, print_error=False, result_action="return_value")
        return _run_stage(*asked[0]) if asked else 0
    except CycloptsError as error:
        return _complain(f"{_said(error)}\nSee: konterfei {_command_in(argv)}--help".replace("  ", " "), 2)
    except Cancelled as error:
        return _complain(str(error), Cancelled.exit_code)
    except KonterfeiError as error:
        return _complain(f"error: {error}", error.exit_code)
    except KeyboardInterrupt:
        return _complain("Aborted. What was finished is kept; the same command continues.", Cancelled.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains again at exit
        return 1
    except Exception as error:
        return _complain(_unexpected(error), 1)


def build(argv: Sequence[str], runner: Runner, files: Sequence[Toml] = ()) -> App:
    """The application; only the command that `argv` names has its module imported, so that help stays fast.

    Args:
        argv: the line.
        runner: called with the stage and its config.
        files: settings that the line does not give come from these.
    """
    app = App(name="konterfei", help=ABOUT, help_format="plaintext", version=konterfei.__version__, config=tuple(files))
    groups: dict[str, App] = {}
    headed: dict[str, dict[str, Any]] = {}
    for number, (heading, names) in enumerate(HEADINGS.items()):
        panel = Group(heading, sort_key=number)
        headed |= {word: {"group": panel, "sort_key": place} for place, word in enumerate(names)}
    wanted = tuple(word for word in argv if not word.startswith("-"))
    for place, (name, stage) in enumerate(STAGES.items()):
        *group, verb = name.split(" ")
        parent = app
        if group:
            if group[0] not in groups:
                groups[group[0]] = App(name=group[0], help=GROUPS.get(group[0], stage.about), **headed[group[0]])
                app.command(groups[group[0]])
            parent = groups[group[0]]
        where: dict[str, Any] = {"sort_key": place} if group else headed[verb]
        if wanted[: len(group) + 1] == (*group, verb):
            parent.command(
                _command(stage, runner), name=verb, help=_help(stage), help_epilogue=_epilogue(stage), **where
            )
        else:
            parent.command(_placeholder, name=verb, help=stage.about, **where)
    return app


def _placeholder() -> None:
    """Stands for a command in the list of commands; never called."""


def _command(stage: Stage, runner: Runner) -> Callable[..., None]:
    from konterfei.cli.options import parameters

    config_class = stage.load_config()

    def command(*given: Any, **flags: Any) -> None:
        values = dict(zip(stage.positional, given, strict=False)) | flags
        runner(stage, config_class(**values))

    command.__signature__ = inspect.Signature(parameters(stage, config_class))  # type: ignore[attr-defined]
    return command


def _help(stage: Stage) -> str:
    """The config's docstring, each paragraph on one line: the terminal's width breaks it, not the source's."""
    text = inspect.getdoc(stage.load_config()) or stage.about
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _epilogue(stage: Stage) -> str:
    return "\n".join(["Examples:", *(f"  {example}" for example in stage.examples)])


def _command_in(argv: Sequence[str]) -> str:
    for name in STAGES:
        if list(argv[: len(name.split())]) == name.split():
            return f"{name} "
    return ""


def _run_stage(stage: Stage, config: Any) -> int:
    from konterfei.cli.console import ConsoleReporter
    from konterfei.cli.stopping import stop_requests

    if stage.dialogue and dialogue.is_possible():
        config = dialogue.completed(config, stage.dialogue)
    with ConsoleReporter.on_stderr() as reporter, stop_requests(reporter.ask_to_stop):
        result = stage.load_run()(config, reporter)
    for line in lines_of(result):
        print(printable(line))
    return exit_code(result)


def _said(error: CycloptsError) -> str:
    """What is wrong with the line; of a setting that is missing, also what it is and where it comes from."""
    argument = error.argument if isinstance(error, MissingArgumentError) else None
    about = argument.parameter.help if argument is not None else None
    return f"{error}\n{argument.name}: {about}" if argument is not None and about else str(error)


def _complain(text: str, code: int) -> int:
    print(printable(text), file=sys.stderr)
    return code


def _unexpected(error: Exception) -> str:
    """Keeps the traceback in a file and says where: the terminal shows the message alone."""
    handle, path = tempfile.mkstemp(prefix="konterfei-", suffix=".traceback.txt", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"konterfei {konterfei.__version__}, Python {sys.version}\n{sys.argv}\n\n")
        traceback.print_exception(error, file=file)
    return (
        f"error: {type(error).__name__}: {error}\n"
        f"This is a fault in konterfei, not in what you typed. The traceback is in {path}; please report it."
    )
