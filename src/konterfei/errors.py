"""The error tree. The command line and the job runner catch `KonterfeiError` and nothing else.

KonterfeiError                      exit code 1
├─ UsageError                       the person can repair it; exit code 2, no traceback
│  ├─ ConfigError                   a setting that makes no sense: names the flag, the value and what is allowed
│  ├─ UnknownNameError              a name that no table holds: kind, name, nearest names
│  ├─ NoFacesError                  where was looked, with what threshold, what to try
│  ├─ OutOfMemoryError              the processor's memory is too small for these settings; which to make smaller
│  └─ ConsentError                  no consent record, or one that does not cover this use
├─ MediaError                       a video or image, by path
│  ├─ UnreadableMediaError          exit code 2: missing, empty, unknown codec, no video stream
│  └─ EncodeError
├─ StoreError                       a file or folder of ours, by path
│  ├─ FacesetError                  exit code 2: not a faceset, another version, no faces left
│  ├─ DamagedFileError              exit code 2: checksum or structure does not fit
│  ├─ CheckpointMismatchError       exit code 2: the run was made with other settings, or by another version
│  └─ OutputError                   exit code 2: not writable, no space left, would overwrite an input
├─ WeightsError                     a pretrained model is missing or not the one that its record describes
├─ TrainingError                    training cannot go on (diverged again and again, no usable samples)
├─ ProvenanceError                  signing or reading of content credentials failed
└─ Cancelled                        a person asked to stop; exit code 130

A message says what happened, where, and what to do about it. Wrong shapes and impossible states are bugs:
plain `ValueError` or `assert`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class KonterfeiError(Exception):
    """Base of every error that konterfei raises on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(KonterfeiError):
    """Something that the person at the keyboard can repair."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError):
    """A setting that makes no sense."""


class UnknownNameError(UsageError):
    """A name that is not in a table.

    Args:
        kind: what was looked for, for example "detector".
        name: what was given.
        known: every name that the table holds.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.4)
        hint = f"Did you mean {' or '.join(near)}? " if near else ""
        super().__init__(f"There is no {kind} named '{name}'. {hint}Known: {', '.join(names) or 'none'}.")
        self.kind, self.name, self.nearest = kind, name, near


class NoFacesError(UsageError):
    """No face, or not the person asked for, where there should be one."""


class OutOfMemoryError(UsageError):
    """The memory of the processor that networks run on is too small for what was asked of it."""


class ConsentError(UsageError):
    """There is no consent record, or it does not cover this use."""


class MediaError(KonterfeiError):
    """A video or image cannot be used."""


class UnreadableMediaError(MediaError):
    """A video or image is missing, empty, or not decodable at all."""

    exit_code: ClassVar[int] = 2


class EncodeError(MediaError):
    """A video could not be written."""


class StoreError(KonterfeiError):
    """A file or folder of ours is not as it should be."""


class FacesetError(StoreError):
    """A folder is not a faceset, is of another version, or has no faces left."""

    exit_code: ClassVar[int] = 2


class DamagedFileError(StoreError):
    """A file's checksum or structure does not fit."""

    exit_code: ClassVar[int] = 2


class CheckpointMismatchError(StoreError):
    """A run was made with settings that differ from those asked for now, or by another version."""

    exit_code: ClassVar[int] = 2


class OutputError(StoreError):
    """An output cannot be written: permission, space, or it would overwrite an input."""

    exit_code: ClassVar[int] = 2


class WeightsError(KonterfeiError):
    """A pretrained model is missing or is not the one that its record describes."""


class TrainingError(KonterfeiError):
    """Training cannot go on."""


class ProvenanceError(KonterfeiError):
    """Content credentials could not be written or read."""


class Cancelled(KonterfeiError):
    """A person asked to stop. What was finished is on disk."""

    exit_code: ClassVar[int] = 130
