"""`konterfei tell`: ask something of a training that runs in another process."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from konterfei.errors import ConfigError, TrainingError
from konterfei.io.mailbox import Mailbox
from konterfei.io.run import Run
from konterfei.reporting import Reporter, check
from konterfei.stages._settings import allow
from konterfei.training.commands import COMMANDS, MAILBOX

_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, kw_only=True)
class TellConfig:
    """Ask a training that runs, in another terminal or on another machine with the same disk, to do something now.

    save writes a checkpoint and a snapshot; preview draws the preview; backup saves and keeps it (a NAME keeps it for
    good); validate measures the swap of the held-out faces; phase begins the next phase of the run's plan, or the one
    named; set changes an objective or the rate of the phase that lasts (set gan_power=0.1, set random_warp=false, set
    rate=0.5), until it ends; stop saves and ends the training.
    """

    run: Path
    """Folder of the run that is being trained."""
    command: Annotated[str, COMMANDS]
    """What to do."""
    value: str = ""
    """What the command takes, if anything: a name for the backup, which is then never thinned out; a phase's name; a
    change, NAME=VALUE."""
    wait: float = 120.0
    """Seconds to wait until it is done; 0 = only ask."""

    def __post_init__(self) -> None:
        allow("COMMAND", self.command, self.command in COMMANDS, ", ".join(COMMANDS))
        allow("--wait", self.wait, 0 <= self.wait < math.inf, "0 or more seconds")
        if self.value and not COMMANDS[self.command].takes:
            raise ConfigError(f"'{self.command}' takes nothing more, '{self.value}' has no meaning there.")


@dataclass(frozen=True, kw_only=True)
class TellResult:
    """What the training answered.

    Attributes:
        answer: in its words; "" where nobody waited.
    """

    answer: str

    def summary(self) -> list[str]:
        """The answer, as lines for a person."""
        return [self.answer or "Asked; nobody waited for the answer."]


def tell(config: TellConfig, reporter: Reporter) -> TellResult:
    """Ask the training of `config.run`, and wait until it was done.

    Raises:
        StoreError: there is no run.
        ConfigError: nobody trains it now.
        TrainingError: it was not done, or there was no answer in time.
        Cancelled: a person asked to stop waiting; what was asked for is withdrawn.
    """
    run = Run.open(config.run)
    if run.is_being_written() is False:
        raise ConfigError(f"'{config.run}' is not being trained now: there is nobody to tell. Start konterfei train.")
    mailbox = Mailbox(run.folder / MAILBOX)
    request = mailbox.post(config.command, config.value)
    if not config.wait:
        return TellResult(answer="")
    end, is_over = time.monotonic() + config.wait, False
    try:
        while True:
            answer = mailbox.take_answer(request)
            if answer is not None:
                break
            if is_over:
                raise TrainingError(f"The training of '{config.run}' ended before it answered. Start it again.")
            if time.monotonic() > end:
                raise TrainingError(
                    f"No answer from the training of '{config.run}' within {config.wait:g} s. It may be between two "
                    "long steps, or still be reading its faces: try again with a longer --wait."
                )
            check(reporter)
            time.sleep(_LOOK_EVERY_S)
            is_over = run.is_being_written() is False  # its last answer may have come meanwhile: one more look
    finally:
        mailbox.withdraw(request)
    if not answer.done:
        raise TrainingError(answer.text)
    return TellResult(answer=answer.text)
