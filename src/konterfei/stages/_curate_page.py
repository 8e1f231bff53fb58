"""What was set aside and why, as a page and as one picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from konterfei.curation.duplicates import DOUBLE_LIMIT, Group
from konterfei.curation.selection import DOUBLES, LAST, Choice
from konterfei.curation.study import Study
from konterfei.errors import DamagedFileError, FacesetError
from konterfei.io.faceset import Faceset
from konterfei.stages import _page as html
from konterfei.stages._page_album import Album, with_dots

Array = NDArray[Any]

_SIDE: Final = 112
_MOST_OF_A_REASON: Final = 60
_TILE, _ACROSS, _LINES, _TEXT = 112, 10, 2, 26
"""Of the picture: px of a face, faces in a line, lines of a reason, px of a heading."""


def title_of(judged: Study, name: str) -> str:
    """A reason in a few words."""
    return "doubles of a sharper face" if name == DOUBLES else judged.found[name].reason.title


def why_of(judged: Study, name: str) -> str:
    """The reason with its limit, as the journal of the trash keeps it."""
    if name == DOUBLES:
        return f"doubles of a sharper face (differ by at most {DOUBLE_LIMIT:g} grey levels)"
    limit = judged.found[name].limit
    return f"{judged.found[name].reason.title} ({'more' if limit.is_most else 'less'} than {limit.value:.3g})"


def page_of(faceset: Faceset, judged: Study, choice: Choice, back: str, *, is_done: bool) -> str:
    """The page.

    Args:
        faceset: with the crops still in their place.
        judged: it, judged.
        choice: what goes.
        back: the command that takes all back.
        is_done: whether they are set aside (else only would be)
    """
    names, records, album = judged.traits.names, judged.traits.records, Album()
    verb = "set aside" if is_done else "to be set aside"
    folder = html.text(faceset.folder.absolute().name)
    parts = [f"<header><h1>{folder}: {verb}</h1>"]
    words = f"{choice.count} of {len(names)} faces {'were' if is_done else 'are'} {verb}"
    parts.append(html.paragraph(f"{words}, into the folder trash of the faceset."))
    if is_done:
        parts.append(f"<p>Taken back by <code>{html.text(back)}</code></p>")
    parts.append("</header><main>")
    best = best_of(judged.groups)
    for name, rows in choice.aside.items():
        parts.append(f"<section><h2>{html.text(f'{title_of(judged, name)}: {len(rows)}')}</h2>")
        if name != DOUBLES:
            limit = judged.found[name].limit
            way = "at most" if limit.is_most else "at least"
            parts.append(html.paragraph(f"Limit: {way} {limit.value:.3g}. Why: {limit.source}.", "soft"))
        figures = []
        for row in rows[:_MOST_OF_A_REASON]:
            told = f"same as {names[best[row]]}" if name == DOUBLES else judged.found[name].told(row)
            dotted = name != DOUBLES and judged.found[name].reason.shows_landmarks
            uri = album.uri(faceset, records[row], _SIDE, dotted=dotted)
            figures.append(html.figure(uri, f"{names[row]}, {title_of(judged, name)}", f"{names[row]}: {told}"))
        parts.append(html.row(figures))
        if (rest := len(rows) - _MOST_OF_A_REASON) > 0:
            parts.append(html.paragraph(f"And {rest} more.", "soft"))
        parts.append("</section>")
    if choice.kept_last:
        words = (
            f"{len(choice.kept_last)} faces stay although a reason speaks against them: at most {LAST} faces show "
            "their pose and expression."
        )
        parts.append(f"<section><h2>Kept, as the last of their kind</h2>{html.paragraph(words)}")
        shown = [
            html.figure(album.uri(faceset, records[row], _SIDE), f"{names[row]}, kept", names[row])
            for row in choice.kept_last[: _MOST_OF_A_REASON // 2]
        ]
        parts.append(f"{html.row(shown)}</section>")
    parts.append("</main>")
    return html.page(f"{faceset.folder.absolute().name}: set aside", parts)


def best_of(groups: list[Group]) -> Mapping[int, int]:
    """Row -> row of the face that stands for it."""
    return {row: group.best for group in groups for row in group.rows[1:]}


def picture_of(faceset: Faceset, judged: Study, choice: Choice) -> Array:
    """Up to twenty faces of each reason, under its name. [H, W, 3] uint8"""
    blocks = []
    width = _TILE * _ACROSS
    for name, rows in choice.aside.items():
        head = Image.fromarray(np.full((_TEXT, width, 3), 24, np.uint8))
        words = f"{title_of(judged, name)}: {len(rows)}"
        ImageDraw.Draw(head).text((6, 3), words, fill=(235, 235, 235), font=ImageFont.load_default(_TEXT - 8))
        blocks.append(np.array(head))
        shown = rows[: _ACROSS * _LINES]
        for at in range(0, len(shown), _ACROSS):
            line = np.full((_TILE, width, 3), 24, np.uint8)
            for place, row in enumerate(shown[at : at + _ACROSS]):
                line[:, place * _TILE : (place + 1) * _TILE] = _tile(faceset, judged, row, name)
            blocks.append(line)
    return np.concatenate(blocks)


def _tile(faceset: Faceset, judged: Study, row: int, reason: str) -> Array:
    record = judged.traits.records[row]
    try:
        image = faceset.image(record.name)
    except (FacesetError, DamagedFileError):  # it went or broke since it was measured
        return np.full((_TILE, _TILE, 3), 128, np.uint8)
    if reason != DOUBLES and judged.found[reason].reason.shows_landmarks:
        image = with_dots(record, image)
    return cv2.resize(image, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
