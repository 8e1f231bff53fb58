"""Several processes that train one model together, each on a processor of its own (docs/adr/0012-one-flat-sum.md).

The first one leads: it alone runs the training loop, decides and writes. The others hear from it what to do next and do
it (`training.following`). All compute gradients of their own rows of the batch; the sums of these are the batch's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor

from konterfei.errors import ConfigError, TrainingError

if TYPE_CHECKING:
    from konterfei.training.learner import Learner


class Task(IntEnum):
    """What the first process asks the others to do."""

    STEP = 0
    """A step of training."""
    SHARE = 1
    """Take over all weights and moments."""
    COMPARE = 2
    """See whether they are the same everywhere."""
    END = 3


@dataclass(frozen=True)
class Order:
    """What to do next. Fields that a task does not need are 0.

    Attributes:
        task: what.
        step: number of the step (from 0), or steps done.
        rate: learning rate.
        salt: of the progress, where all begin together.
        trained_s: of the progress, at the end.
        is_preview: whether it is too short for more than a first look: who has no run folder is told so.
        is_stopped: whether a person ended it.
    """

    task: Task
    step: int = 0
    rate: float = 0.0
    salt: int = 0
    trained_s: float = 0.0
    is_preview: bool = False
    is_stopped: bool = False

    def packed(self) -> Tensor:
        """[7] float64: exact for all that occurs."""
        return torch.tensor([float(value) for value in astuple(self)], dtype=torch.float64)

    @classmethod
    def unpacked(cls, values: Tensor) -> Order:
        """The order of `packed`."""
        task, step, rate, salt, trained_s, is_preview, is_stopped = values.tolist()
        return cls(Task(int(task)), int(step), rate, int(salt), trained_s, bool(is_preview), bool(is_stopped))


class Team:
    """One process by itself: what a training by several has to do besides is nothing here.

    Attributes:
        rank: number of this process, from 0; the first one leads.
        size: how many there are.
    """

    rank = 0
    size = 1

    @property
    def is_first(self) -> bool:
        """Whether this process leads."""
        return self.rank == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """Sum a tensor over all processes, in place; all get the same bits. Gives it back."""
        return tensor

    def lead(self, order: Order) -> None:
        """Tell the others what to do; the first process does the same then."""

    def tell(self, text: str = "") -> str:
        """Give all processes a text of the first one; those of the others do not count. Gives it back."""
        return text

    def share(self, learners: Sequence[Learner]) -> None:
        """Give all processes the arrays of the first one."""

    def compare(self, learners: Sequence[Learner]) -> None:
        """Raises TrainingError where the arrays of another process are not those of the first, bit for bit."""

    def agree(self, facts: Mapping[str, str]) -> None:
        """See that all processes were given the same: what it is -> its value.

        Raises:
            ConfigError: they were not; names what differs.
        """


ALONE = Team()


class Together(Team):
    """One of several processes, which have met by `torch.distributed`.

    Small things go over the processors' memory even where networks run on GPUs: nobody waits for a GPU to be told what
    comes next.

    Args:
        whereabouts: what is known of processes that are gone, in whole sentences, for the message.
    """

    def __init__(self, whereabouts: Callable[[], str] = str) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self._whereabouts = whereabouts

    @contextmanager
    def _all_there(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # what torch.distributed raises when a connection is closed
            known = self._whereabouts() or f"PyTorch says: {str(error).splitlines()[0]}"
            raise TrainingError(
                f"Another of the {self.size} processes of this training is gone, and it cannot go on without. {known} "
                "What was saved stays; the same command goes on from there, with as many processes or with others."
            ) from error

    def sum_(self, tensor: Tensor) -> Tensor:
        """See Team."""
        with self._all_there():
            dist.all_reduce(tensor)
        return tensor

    def lead(self, order: Order) -> None:
        """See Team."""
        with self._all_there():
            dist.broadcast(order.packed(), src=0)

    def hear(self) -> Order:
        """Wait for what the first process asks for."""
        values = Order(Task.END).packed()
        with self._all_there():
            dist.broadcast(values, src=0)
        return Order.unpacked(values)

    def tell(self, text: str = "") -> str:
        """See Team."""
        letters = torch.tensor(list(text.encode()), dtype=torch.uint8)
        length = torch.tensor([len(letters)])
        with self._all_there():
            dist.broadcast(length, src=0)
            letters = letters if self.is_first else torch.empty(int(length), dtype=torch.uint8)
            dist.broadcast(letters, src=0)
        return bytes(letters.tolist()).decode()

    def share(self, learners: Sequence[Learner]) -> None:
        """See Team."""
        with self._all_there():
            for learner in learners:
                for array in learner.arrays.values():
                    dist.broadcast(array, src=0)
                learner.flat.forget_gradients()
                learner.flat.send()

    def compare(self, learners: Sequence[Learner]) -> None:
        """See Team."""
        sums = {
            f"{learner.name or 'model'}, {kind}": int(array.view(torch.int32).sum(dtype=torch.int64))
            for learner in learners
            for kind, array in learner.arrays.items()
        }
        if different := self._differing(sums):
            raise TrainingError(
                f"The {self.size} processes of this training no longer have the same numbers ({'; '.join(different)}): "
                "a fault of a machine or of konterfei, or machines that are not of one kind. The last checkpoint was "
                "made while they were the same; the same command goes on from there."
            )

    def agree(self, facts: Mapping[str, str]) -> None:
        """See Team."""
        digests = {
            name: int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)
            for name, text in facts.items()
        }
        if different := self._differing(digests):
            raise ConfigError(
                f"The {self.size} processes of this training were not given the same {' and '.join(different)}. "
                "Give all of them the same command, the same facesets and the same versions."
            )

    def _differing(self, values: Mapping[str, int]) -> list[str]:
        """Names of values that are not the same in all processes."""
        mine = torch.tensor(list(values.values()), dtype=torch.int64)
        all_of_them = [torch.empty_like(mine) for _ in range(self.size)]
        with self._all_there():
            dist.all_gather(all_of_them, mine)
        is_same = (torch.stack(all_of_them) == mine).all(dim=0).tolist()
        return [name for name, same in zip(values, is_same, strict=True) if not same]
