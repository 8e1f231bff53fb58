"""A page for people: one HTML file that holds its pictures and charts, in light or dark, without a script."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Array = NDArray[Any]

_QUALITY = 80
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --soft: #5b6168; --paper: #ffffff; --box: #f2f3f5; --line: #d5d8dc;
  --good: #1f7a43; --usable: #8a5a00; --lacking: #b3261e; --bar: #4a78b5; --bar2: #c2603f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9ec; --soft: #a4abb3; --paper: #17191c; --box: #22262a;
  --line: #3a4047; --good: #6cc48c; --usable: #e0b050; --lacking: #f2857c; --bar: #7ba6dd; --bar2: #e39371; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; }
h3 { font-size: 1.05rem; margin: 1.4rem 0 .3rem; }
p { margin: .3rem 0 .7rem; max-width: 62rem; }
.soft, figcaption, caption { color: var(--soft); font-size: .86rem; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; } .good { color: var(--good); } .usable { color: var(--usable); }
.lacking { color: var(--lacking); } .good, .usable, .lacking { font-weight: 650; }
.verdict { border-left: .5rem solid currentColor; background: var(--box); padding: .7rem 1rem; margin: 1rem 0; }
.verdict b { font-size: 1.35rem; } .verdict p { color: var(--ink); font-weight: 400; margin: .2rem 0 0; }
.worst img { outline: 2px solid var(--lacking); }
code { background: var(--box); padding: .05em .3em; border-radius: 3px; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: .6rem; margin: .5rem 0 1rem; }
figure { margin: 0; width: 8rem; } figure.wide { width: 13rem; }
figcaption { line-height: 1.3; overflow-wrap: anywhere; }
img { width: 100%; display: block; border-radius: 3px; background: var(--box); }
img:focus { transform: scale(2.4); transform-origin: top left; position: relative; z-index: 9;
  outline: 2px solid var(--bar); }
table.map { table-layout: fixed; } table.map td, table.map th { padding: 2px; border: 1px solid var(--line);
  text-align: center; width: 5rem; min-width: 4.4rem; font-size: .8rem; color: var(--soft); font-weight: 400; }
table.map td.none { background: repeating-linear-gradient(45deg, var(--box) 0 6px, transparent 6px 12px); }
table.map td.wanted { outline: 3px solid var(--lacking); outline-offset: -3px; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; }
.chart { width: 17.5rem; background: var(--box); padding: .6rem; border-radius: 4px; }
.chart h3 { margin: 0; font-size: .95rem; }
svg { width: 100%; height: auto; } svg text { fill: var(--soft); }
svg .bar { fill: var(--bar); } svg .bar2 { fill: var(--bar2); } svg line { stroke: var(--line); }
details { margin: .4rem 0; } summary { cursor: pointer; }
nav a { margin-right: 1rem; } a { color: var(--bar); }
"""


def beside(faceset: Path, kind: str) -> Path:
    """Where a page about a faceset goes unless told: beside it, faces.report.html."""
    place = faceset.absolute()
    return place.with_name(f"{place.name}.{kind}.html")


def page(title: str, parts: Sequence[str], stamp: str = "", style: str = "") -> str:
    """The whole file. `parts` are HTML already; the title is text; a `stamp` of letters and digits is in line one;
    `style` is added to that of every page.
    """
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return "\n".join(
        [
            f"<!doctype html>{f'<!-- {stamp} -->' if stamp else ''}",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{text(title)}</title><style>{_STYLE}{style}</style></head><body>",
            *parts,
            "</body></html>",
            "",
        ]
    )


def text(words: object) -> str:
    """Words as HTML shows them, whatever stands in them."""
    return escape(str(words), quote=True)


def marked(words: str) -> str:
    """Text, with what stands between backticks as code."""
    pieces = text(words).split("`")
    return "".join(f"<code>{piece}</code>" if k % 2 else piece for k, piece in enumerate(pieces))


def paragraph(words: str, kind: str = "") -> str:
    """A paragraph of text."""
    return f"<p{f' class={kind}' if kind else ''}>{text(words)}</p>"


def data_uri(image: Array, side: int, quality: int = _QUALITY) -> str:
    """A picture inside the page: JPEG, its longer side at most `side` pixels. `image`: [H, W, 3] uint8"""
    longest = max(image.shape[:2])
    if longest > side:
        size = tuple(max(1, round(length * side / longest)) for length in image.shape[1::-1])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    coded = simplejpeg.encode_jpeg(
        np.ascontiguousarray(image), quality=quality, colorspace="RGB", colorsubsampling="420"
    )
    return f"data:image/jpeg;base64,{base64.b64encode(coded).decode()}"


def picture(uri: str, alt: str) -> str:
    """An image; clicked or reached by the keyboard it is shown larger."""
    return f'<img src="{uri}" alt="{text(alt)}" tabindex="0" loading="lazy">'


def figure(uri: str, alt: str, caption: str, *, wide: bool = False) -> str:
    """An image with words under it."""
    kind = ' class="wide"' if wide else ""
    return f"<figure{kind}>{picture(uri, alt)}<figcaption>{text(caption)}</figcaption></figure>"


def row(figures: Sequence[str], kind: str = "") -> str:
    """Figures beside one another; of the kind "worst", framed."""
    return f'<div class="{f"row {kind}".strip()}">{"".join(figures)}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    """A table; its cells are HTML already, its head is text."""
    told = f"<caption>{text(caption)}</caption>" if caption else ""
    lines = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in rows)
    names = "".join(f'<th scope="col">{text(name)}</th>' for name in head)
    return f'<div class="scroll"><table>{told}<thead><tr>{names}</tr></thead><tbody>{lines}</tbody></table></div>'


def histogram(
    title: str, edges: Sequence[float], counts: Sequence[int], other: Sequence[int] | None = None, unit: str = ""
) -> str:
    """Bars over a scale, of one set or of two (each by its own total), as SVG with its figures as a text.

    Args:
        title: what is counted
        edges: limits of the bars, ascending, one more than there are bars
        counts: faces in each
        other: the same of a second set
        unit: after the numbers of the scale
    """
    width, height, base = 320.0, 110.0, 92.0
    sets = [(counts, "bar")] if other is None else [(counts, "bar"), (other, "bar2")]
    shares = [np.asarray(values, np.float64) / max(1, sum(values)) for values, _ in sets]
    highest = max(float(values.max(initial=0.0)) for values in shares) or 1.0
    slot = width / max(1, len(counts))
    bars = []
    for number, (values, (_, kind)) in enumerate(zip(shares, sets, strict=True)):
        thick = (slot - 2) / len(sets)
        for place, share in enumerate(values):
            tall = 82.0 * float(share) / highest
            x = place * slot + 1 + number * thick
            if tall > 0:
                bars.append(
                    f'<rect class="{kind}" x="{x:.1f}" y="{base - tall:.1f}" width="{thick:.1f}" height="{tall:.1f}"/>'
                )
    marks = "".join(
        f'<text x="{at * width:.0f}" y="106" font-size="12" text-anchor="{anchor}">'
        f"{text(_short(edges[index]))}{text(unit)}</text>"
        for at, index, anchor in (
            (0.0, 0, "start"),
            (0.5, len(edges) // 2, "middle"),
            (1.0, len(edges) - 1, "end"),
        )
    )
    told = f"{title}: from {_short(edges[0])}{unit} to {_short(edges[-1])}{unit}, faces in each bar: " + ", ".join(
        str(int(count)) for count in counts
    )
    if other is not None:
        told += "; of the shot: " + ", ".join(str(int(count)) for count in other)
    return (
        f'<div class="chart"><h3>{text(title)}</h3><svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{text(told)}"><line x1="0" y1="{base}" x2="{width:.0f}" y2="{base}"/>'
        f"{''.join(bars)}{marks}</svg></div>"
    )


def _short(value: float) -> str:
    return f"{value:.3g}"
