"""What can be asked of a training while it runs: by a key on its terminal, or by `konterfei tell` from anywhere.

A new command is one line here, and one in the loop where it finds what it has to do among `Desk.look`'s words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MAILBOX = "commands"
"""Folder of a run through which other processes ask."""


@dataclass(frozen=True)
class Command:
    """One thing to ask for.

    Attributes:
        about: one line for help texts; begins with a verb.
        does: what the loop has to do for it: "save", "preview", "validate", "stop".
        keys: that ask for it on a terminal.
        takes: word for its value in help texts, "" where it takes none. A value is never required.
    """

    about: str
    does: str
    keys: tuple[str, ...] = ()
    takes: str = ""


COMMANDS: Mapping[str, Command] = {
    "save": Command("write a checkpoint and a snapshot now", "save", ("s",)),
    "preview": Command("draw the preview now", "preview", ("p",)),
    "validate": Command("measure the swap of the held-out faces now", "validate", ("v",)),
    "backup": Command("save, and keep it as a backup", "save", ("b",), takes="NAME"),
    "phase": Command("begin the next phase of the plan, or the one named, and save", "save", takes="NAME"),
    "set": Command("change an objective, or the rate, of the phase that lasts, and save", "save", takes="NAME=VALUE"),
    "stop": Command("save, and end the training", "stop", ("q", "\n")),
}
"""Name -> command."""

KEYS: Mapping[str, str] = {key: name for name, command in COMMANDS.items() for key in command.keys}
"""Key -> name of the command."""
