"""Results of `ground_truth.py` for people: a Markdown table, and a page with pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from konterfei.imaging import resize
from konterfei.io.atomic import write_bytes
from konterfei.io.images import write_image

Row = dict[str, Any]
SIDE, LABEL = 144, 140
"""Of each face in the pictures, and of the names beside them, px."""


def _of(name: str, part: str | None = None) -> Callable[[Row], float | None]:
    def value(row: Row) -> float | None:
        found = row["figures"].get(name, {"value": None, "parts": {}})
        return found["value"] if part is None else found["parts"].get(part)

    return value


COLUMNS: dict[str, tuple[Callable[[Row], float | None], str, str]] = {
    "SSIM": (_of("truth_ssim"), ".3f", "structure, 1 = the true swap's"),
    "PSNR": (_of("truth_psnr"), ".1f", "dB, pixels"),
    "PSNR matched": (_of("truth_psnr", "color_matched"), ".1f", "dB, colour forgiven"),
    "dE": (_of("truth_color"), ".1f", "CIEDE2000, colour"),
    "landmarks": (_of("truth_landmarks"), ".1f", "% of eye distance, shape"),
    "expression": (_of("truth_expression"), ".1f", "% of eye distance, eyes and mouth open"),
    "identity": (_of("truth_identity"), ".2f", "cosine with the true swap's face"),
    "witness": (_of("truth_identity", "witness"), ".2f", "the same by a second recognizer"),
    "flicker": (_of("truth_flicker"), ".2f", "grey levels, error that comes and goes"),
    "margin": (_of("identity", "margin"), ".2f", "cosine to src minus to dst"),
}
"""Title -> figure, format, what it is."""
ORDER = ("plate", "model", "oracle", "oracle_lit", "oracle_uncolored", "oracle_exact", "oracle_sharp")


def _key(row: Row) -> tuple[Any, ...]:
    return row["case"], row["preset"], row["budget"], row["seed"]


def _cells(row: Row) -> list[str]:
    return ["" if (value := get(row)) is None else format(value, spec) for get, spec, _ in COLUMNS.values()]


def table(rows: Sequence[Row]) -> str:
    """Markdown, a line for each row."""
    lines = ["| case | preset | trained | seed | row | " + " | ".join(COLUMNS) + " |"]
    lines.append("|---" * (5 + len(COLUMNS)) + "|")
    for row in sorted(rows, key=lambda row: (*_key(row), ORDER.index(row["row"]))):
        is_model = row["row"] == "model"
        told = f"{row['minutes']:g} min, {row['steps']} steps" if is_model else ""
        lines.append(
            "| " + " | ".join([row["case"], row["preset"], told, str(row["seed"]), row["row"], *_cells(row)]) + " |"
        )
    return "\n".join(lines)


def write_picture(path: Path, faces: Mapping[str, Sequence[np.ndarray]]) -> None:
    """A row of faces for each name, with the name beside it."""
    strips = []
    for name, crops in faces.items():
        label = np.full((SIDE, LABEL, 3), 255, np.uint8)
        cv2.putText(label, name, (6, SIDE // 2), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
        strips.append(np.concatenate([label, *(resize(crop, SIDE, SIDE) for crop in crops)], axis=1))
    write_image(path, np.concatenate(strips, axis=0), quality=80)


def write(rows: Sequence[Row], out: Path) -> None:
    """table.md and summary.html."""
    write_bytes(out / "table.md", (table(rows) + "\n").encode())
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Swaps against the truth</title><style>",
        "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}",
        "table{border-collapse:collapse}td,th{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}",
        "td:first-child,th:first-child{text-align:left}img{max-width:100%}.model{font-weight:600}</style>",
        "<h1>Swaps against the truth</h1><p>Each face is compared with the true swap's in aligned space, well inside ",
        "of the face. Everybody shown is fictional (openpeople, © Prompt Haus, MIT). Columns: ",
        "; ".join(f"<b>{title}</b> {html.escape(about)}" for title, (_, _, about) in COLUMNS.items()),
        ".</p>",
    ]
    for key, group in groupby(sorted(rows, key=_key), key=_key):
        own = sorted(group, key=lambda row: ORDER.index(row["row"]))
        case, preset, _, seed = key
        one = next(row for row in own if row["row"] == "model")
        parts.append(f"<h2>{html.escape(case)}: {html.escape(one['about'])}</h2>")
        parts.append(f"<p>{html.escape(preset)}, seed {seed}: {one['steps']} steps in {one['minutes']:g} processor ")
        parts.append(f"minutes; {one['frames']} frames measured.</p><table><tr><th>row")
        parts += [f"<th title='{html.escape(about)}'>{title}" for title, (_, _, about) in COLUMNS.items()]
        for row in own:
            parts.append(f"<tr class={row['row']}><td>{row['row']}" + "".join(f"<td>{cell}" for cell in _cells(row)))
        picture = base64.b64encode((out / one["picture"]).read_bytes()).decode()
        parts.append(
            "</table><p>Frames from the one in which the model is most like the truth to the one least like it."
        )
        parts.append(f"</p><img alt='faces of each row' src='data:image/jpeg;base64,{picture}'>")
    write_bytes(out / "summary.html", "".join(parts).encode())
