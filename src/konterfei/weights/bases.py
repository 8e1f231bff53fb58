"""The bases that konterfei carries: for which preset, what they learned from, and their checksums.

A base is a network of many people that a new run of two begins with (`models.bases`). docs/bases.md has the card of
each: data, figures, limits. They are made by konterfei itself, from faces of nobody; how is said there, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from konterfei.errors import UnknownNameError
from konterfei.weights import FILES, verified

FILE_NAME = "base.safetensors"
"""Of the base in the folder of a run of `konterfei pretrain`."""

RECOGNIZER = "mobilefacenet"
"""Whose numbers tell a base who is to be drawn."""

MOST_BYTES = 40_000_000
"""That the file of a base may have."""


@dataclass(frozen=True, kw_only=True)
class BaseRecord:
    """One base and its history. What its networks are and how long they learned is in its file."""

    file: str
    """File name in `weights/files`."""
    sha256: str
    """Checksum of the file, hexadecimal; checked when a process first opens it."""
    size: int
    """Bytes of the file."""
    version: str
    """Day on which it was made, as 2026-11-22."""
    licence: str
    """SPDX expression, of the base."""
    trained_on: str
    """Whose faces it learned from, with the licences of these pictures, in a sentence or two."""
    card: str
    """Heading of its card in docs/bases.md."""
    note: str
    """Where it fails: what a user should know before relying on it."""


BASES: dict[str, BaseRecord] = {
    "quick": BaseRecord(
        file="base_quick.safetensors",
        sha256="c5db877dcc280dda1743b11d6a88f7b758ca4861b0f022ff9555aa5b6c745561",
        size=14763530,
        version="2026-11-22",
        licence="Apache-2.0",
        trained_on="1,358 portraits of SFHQ and SFHQ-T2I (MIT), 3,377 variants of them with other expressions, "
        "drawn by konterfei, and 1,207 pictures of four performers of openpeople (MIT) and renderings"
        " of them. None of these people exists.",
        card="base_quick",
        note="Lids go half of their way. People with glasses, heads turned by more than 30 degrees and "
        "hard light it draws roughly.",
    ),
    "standard": BaseRecord(
        file="base_standard.safetensors",
        sha256="36e17e5aa9d7270b036c853bf5a3c319faee1877965a33d57b00bd00164cf53d",
        size=8804534,
        version="2026-11-23",
        licence="Apache-2.0",
        trained_on="1,358 portraits of SFHQ and SFHQ-T2I (MIT), 3,379 variants of them with other expressions, "
        "drawn by konterfei, and 1,208 pictures of four performers of openpeople (MIT) and renderings"
        " of them. None of these people exists.",
        card="base_standard",
        note="It had not learned all it could when it was stopped: a quarter as wide as the preset, it "
        "draws softly, lids go a fifth of their way, and of who somebody is it knows less than "
        "base_quick. Worse with glasses, of dark skin, of heads turned by more than 15 degrees. What "
        "it draws leans a little towards the people it learned from.",
    ),
}
"""Preset -> the base that its runs begin with."""


@cache
def base_path(name: str) -> Path:
    """The verified file of the base of the preset `name`. Read and checked once per process.

    Raises:
        UnknownNameError: that preset has none.
        WeightsError: the file is missing, cut short or altered.
    """
    if name not in BASES:
        raise UnknownNameError("base", name, BASES)
    record = BASES[name]
    return verified(f"The base '{name}'", FILES / record.file, record.sha256)
