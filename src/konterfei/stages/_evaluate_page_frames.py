"""Pictures of the evaluation's page: wipes, the same frames of all beside one another, the worst frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from konterfei.metrics.evaluation import Evaluated
from konterfei.metrics.series import Array
from konterfei.metrics.worst import WorstFrame
from konterfei.stages import _page as html
from konterfei.stages._evaluate_page_verdict import badness

_SPREAD = 6
"""Frames of the overview, evenly over the series."""
_WIPE_SIDE, _WIPE_QUALITY, _SIDE = 400, 88, 160
STYLE = """
.wipes { display: flex; flex-wrap: wrap; gap: 1.4rem; margin: .8rem 0; }
.wipe { --w: min(22rem, 88vw); width: var(--w); } .wipe h3 { margin: 0; }
.wipe .stage { position: relative; width: var(--w); height: var(--w); margin-top: .35rem; overflow: hidden;
  border-radius: 3px; background: var(--box); }
.wipe .stage img { position: absolute; inset: 0; width: var(--w); height: var(--w); max-width: none; border-radius: 0; }
.wipe .over { position: absolute; inset: 0 auto 0 0; width: 50%; min-width: 1.6rem; max-width: 100%; overflow: hidden;
  resize: horizontal; border-right: 3px solid #fff; z-index: 2; }
.wipe .stage b { position: absolute; top: .35rem; padding: 0 .45rem; border-radius: 3px; background: #000c; color: #fff;
  font-size: .78rem; font-weight: 500; white-space: nowrap; max-width: 9.5rem; overflow: hidden;
  text-overflow: ellipsis; }
.wipe .stage b.left { left: .35rem; } .wipe .stage b.right { right: .35rem; }
.wipe .whole { display: none; position: absolute; inset: 0; z-index: 3; }
.wipe input { position: absolute; opacity: 0; } .wipe label { display: inline-block; padding: .15rem .6rem;
  font-size: .86rem; border: 1px solid var(--line); border-radius: 3px; margin: 0 .2rem .2rem 0; cursor: pointer;
  max-width: 11rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; vertical-align: bottom; }
.wipe input:checked + label { background: var(--ink); color: var(--paper); }
.wipe input:focus-visible + label { outline: 3px solid var(--bar); }
.wipe input:nth-of-type(2):checked ~ .stage .over { width: 100% !important; resize: none; border: 0; }
.wipe input:nth-of-type(3):checked ~ .stage .over { display: none; }
.wipe input:nth-of-type(4):checked ~ .stage .whole.n4, .wipe input:nth-of-type(5):checked ~ .stage .whole.n5,
.wipe input:nth-of-type(6):checked ~ .stage .whole.n6 { display: block; }
.frames { border-spacing: 0; } .frames td, .frames th { border: 0; padding: .2rem .25rem; font-weight: 500;
  font-size: .86rem; vertical-align: middle; } .frames td { min-width: 6.4rem; width: 9.5rem; }
.frames thead th { text-align: center; color: var(--soft); } .frames tbody th { min-width: 5rem; max-width: 7rem;
  overflow-wrap: anywhere; }
.cards { display: flex; flex-wrap: wrap; gap: 1rem 1.2rem; margin: .6rem 0 1rem; }
.card { background: var(--box); padding: .5rem; border-radius: 4px; } .card .both { display: flex; gap: .3rem; }
.card figure { width: 8.4rem; } .card p { margin: 0 0 .3rem; max-width: 17rem; font-size: .9rem; line-height: 1.35; }
@media (max-width: 34rem) { .card { width: 100%; } .card figure { width: 48%; } .card .both { flex-wrap: wrap; } }
"""


def when(evaluated: Evaluated, row: int) -> str:
    """Frame and time of a row: "frame 120, 0:04.0"."""
    seconds = evaluated.seconds(row)
    clock = "" if seconds is None else f", {int(seconds // 60)}:{seconds % 60:04.1f}"
    return f"frame {int(evaluated.plate.indices[row])}{clock}"


# --- wipes


@dataclass(frozen=True, kw_only=True)
class _Wipe:
    """One frame: two pictures to wipe between, and others to look at alone."""

    title: str
    row: int
    left: tuple[str, Array]
    right: tuple[str, Array]
    others: Sequence[tuple[str, Array]]


def wipes(evaluated: Sequence[Evaluated]) -> str:
    """A few frames in which plate and result, or two results, lie over one another."""
    made = [_wipe(evaluated, row, title) for title, row in _telling(evaluated)]
    if not made:
        return ""
    first = "plate and result" if len(evaluated) == 1 else f"{evaluated[0].name} and {evaluated[1].name}"
    how = (
        f"Wipe between {first}: drag the corner at the lower right of the left picture sideways. With a finger or the "
        "keyboard choose one picture with the buttons above it, and switch back and forth."
    )
    return (
        f'<section id="look"><h2>Look</h2>{html.paragraph(how, "soft")}'
        f'<div class="wipes">{"".join(_drawn(one, evaluated[0], n) for n, one in enumerate(made))}</div></section>'
    )


def _telling(evaluated: Sequence[Evaluated]) -> list[tuple[str, int]]:
    """Rows worth a close look, with a word each: the worst, the usual and the best frame."""
    count = len(evaluated[0].plate)
    if not count:
        return []
    amounts = np.stack([badness(one) for one in evaluated])
    if not amounts.any():
        return [("the frame in the middle", count // 2)]
    found: list[tuple[str, int]] = []
    for one, own in zip(evaluated[:2], amounts, strict=False):
        found.append(("worst frame" + (f" of {one.name}" if len(evaluated) > 1 else ""), int(own.argmax())))
    both = amounts.mean(axis=0)
    found.append(("a usual frame", int(np.abs(both - np.median(both)).argmin())))
    if len(evaluated) == 1:
        found.append(("best frame", int(both.argmin())))
    else:
        found.append(("where they differ most", int(np.ptp(amounts, axis=0).argmax())))
    by_row: dict[int, str] = {}
    for title, row in found:
        by_row.setdefault(row, title)
    return [(title, row) for row, title in by_row.items()]


def _wipe(evaluated: Sequence[Evaluated], row: int, title: str) -> _Wipe:
    plate = ("plate", evaluated[0].plate.crops[row])
    results = [(one.name if len(evaluated) > 1 else "result", one.result.crops[row]) for one in evaluated]
    left, right = (plate, results[0]) if len(results) == 1 else (results[0], results[1])
    others = [] if len(results) == 1 else [plate]
    if evaluated[0].truth is not None:
        others.append(("truth", evaluated[0].truth.crops[row]))
    return _Wipe(title=title, row=row, left=left, right=right, others=others)


def _drawn(wipe: _Wipe, first: Evaluated, place: int) -> str:
    moment = when(first, wipe.row)

    def image(picture: tuple[str, Array]) -> str:
        uri = html.data_uri(picture[1], _WIPE_SIDE, _WIPE_QUALITY)
        return f'<img src="{uri}" alt="{html.text(f"{picture[0]}, {moment}")}">'

    def mark(words: str, kind: str) -> str:
        return f'<b class="{kind}">{html.text(words)}</b>'

    buttons = []
    for k, words in enumerate(["wipe", wipe.left[0], wipe.right[0], *(words for words, _ in wipe.others)]):
        own = f"wipe{place}-{k}"
        checked = "" if k else " checked"
        buttons.append(
            f'<input type="radio" name="wipe{place}" id="{own}"{checked}><label for="{own}">{html.text(words)}</label>'
        )
    whole = "".join(
        f'<div class="whole n{k}">{image(one)}{mark(one[0], "left")}</div>' for k, one in enumerate(wipe.others, 4)
    )
    return (
        f'<div class="wipe"><h3>{html.text(wipe.title)}</h3><p class="soft">{html.text(moment)}</p>{"".join(buttons)}'
        f'<div class="stage">{image(wipe.right)}{mark(wipe.right[0], "right")}'
        f'<div class="over">{image(wipe.left)}{mark(wipe.left[0], "left")}</div>{whole}</div></div>'
    )


# --- beside one another


def overview(evaluated: Sequence[Evaluated]) -> str:
    """The src person, then the same frames of plate, results and truth, spread over the series."""
    first = evaluated[0]
    count = len(first.plate)
    rows = np.unique(np.linspace(0, count - 1, min(_SPREAD, count)).round().astype(int)).tolist()
    faces = [
        f"<figure>{_small(image, f'the src person, picture {k + 1}')}</figure>"
        for k, image in enumerate(first.src_faces[:_SPREAD])
    ]
    lines = [
        _line("plate", first.plate.crops, rows, first),
        *(_line(one.name if len(evaluated) > 1 else "result", one.result.crops, rows, first) for one in evaluated),
    ]
    if first.truth is not None:
        lines.append(_line("truth", first.truth.crops, rows, first))
    head = "".join(f'<th scope="col">{html.text(when(first, row))}</th>' for row in rows)
    src = f"<h3>The src person</h3>{html.row(faces)}" if faces else ""
    return (
        f'<section id="frames"><h2>The same frames beside one another</h2>{src}<div class="scroll">'
        f'<table class="frames"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
        "</section>"
    )


def _line(words: str, crops: Array, rows: Sequence[int], first: Evaluated) -> str:
    cells = "".join(f"<td>{_small(crops[row], f'{words}, {when(first, row)}')}</td>" for row in rows)
    return f'<tr><th scope="row">{html.text(words)}</th>{cells}</tr>'


def _small(image: Array, alt: str) -> str:
    return f'<img src="{html.data_uri(image, _SIDE)}" alt="{html.text(alt)}" loading="lazy">'


# --- the worst


def worst(evaluated: Sequence[Evaluated], found: Sequence[Sequence[WorstFrame]]) -> str:
    """The worst frames of each result, with the reasons in words.

    Args:
        evaluated: results over the same frames.
        found: of each, the worst first.
    """
    blocks = []
    for place, (one, frames) in enumerate(zip(evaluated, found, strict=True)):
        if len(evaluated) > 1:
            blocks.append(f"<h3>{html.text(one.name)}</h3>")
        cards = [_card(evaluated, place, frame.row, frame.reasons) for frame in frames]
        nothing = html.paragraph("Nothing is wrong in any frame, as far as the metrics can tell.")
        blocks.append(f'<div class="cards">{"".join(cards)}</div>' if cards else nothing)
    how = (
        "The frames in which most is wrong or stands out from the rest, over all metrics, the worst first; of those "
        "near one another only one. Red dots below the curves show where they are."
    )
    return f'<section id="worst"><h2>Worst frames</h2>{html.paragraph(how, "soft")}{"".join(blocks)}</section>'


def _card(evaluated: Sequence[Evaluated], place: int, row: int, reasons: Sequence[str]) -> str:
    one = evaluated[place]
    moment = when(one, row)
    shown = [("plate", one.plate.crops[row])]
    shown += [(each.name if len(evaluated) > 1 else "result", each.result.crops[row]) for each in evaluated]
    if one.truth is not None:
        shown.append(("truth", one.truth.crops[row]))
    figures = "".join(html.figure(html.data_uri(image, _SIDE), f"{words}, {moment}", words) for words, image in shown)
    told = "; ".join(reasons)
    words = f"<p><b>{html.text(moment)}</b><br>{html.text(told)}</p>"
    return f'<div class="card">{words}<div class="both">{figures}</div></div>'
