"""Seals: signed cards beside results that cannot carry Content Credentials themselves (Matroska, WebM, OpenEXR).

A seal is a picture, `out.mkv.seal.png`, that says in plain words what it stands for, and whose own Content Credentials
hold the name and SHA-256 of every sealed file besides all that a result's credentials say. Any reader of Content
Credentials reads it; `verify` finds it beside the file and compares. A file and its seal belong together: without it,
the file's only mark is what is seen in the picture and what its own metadata say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from konterfei.io.atomic import make_folder, sha256, write_bytes
from konterfei.io.images import encode_image
from konterfei.io.sequence import SEAL_SUFFIX
from konterfei.provenance.certificate import Identity
from konterfei.provenance.credentials import Claim, SealedFile, sign
from konterfei.provenance.label import wording
from konterfei.reporting import Reporter

_CARD = (960, 300)
_LETTERS = 22


def seal_of(path: Path) -> Path:
    """Where the seal of a file, or of a folder of pictures, lies."""
    return path / f"{path.name}{SEAL_SUFFIX}" if path.is_dir() else path.with_name(f"{path.name}{SEAL_SUFFIX}")


def metadata(seal: str) -> dict[str, str]:
    """What the sealed file says of itself, unsigned, for people who look at it without its seal."""
    return {"comment": f"{wording('caption')}. The signed record of it is {seal}"}


def seal(
    path: Path, files: Sequence[tuple[Path, Mapping[str, Any]]], claim: Claim, identity: Identity, reporter: Reporter
) -> None:
    """Write the seal at `path`.

    Args:
        path: of the seal.
        files: what it is for: file, and what else is to be said of it (which frame, swapped or why not).
        claim: what the credentials of a result say.
        identity: who signs.
        reporter: told the progress; may stop it.

    Raises:
        OutputError, ProvenanceError: see `sign`.
    """
    sealed = tuple(SealedFile(name=file.name, sha256=sha256(file), told=dict(told)) for file, told in files)
    first = sealed[0]
    words = [
        wording("caption"),
        f"This card is the seal of {first.name}" + (f" and {len(sealed) - 1} more" if len(sealed) > 1 else ""),
        f"SHA-256 {first.sha256}" if len(sealed) == 1 else "Their SHA-256 are in its Content Credentials.",
        "Keep it beside what it seals: konterfei verify compares them.",
    ]
    make_folder(path.parent)
    unsigned = path.with_name(f".unsigned-{path.name}")
    try:
        write_bytes(unsigned, encode_image(_card(words), ".png"))
        sign(unsigned, path, replace(claim, sealed=sealed), identity, reporter)
    finally:
        unsigned.unlink(missing_ok=True)


def _card(lines: Sequence[str]) -> np.ndarray:
    card = Image.new("RGB", _CARD, (24, 24, 24))
    draw, font = ImageDraw.Draw(card), ImageFont.load_default(_LETTERS)
    for number, line in enumerate(lines):
        draw.text((30, 40 + number * 2.4 * _LETTERS), line[:84], fill=(240, 240, 240), font=font)
    return np.asarray(card)
