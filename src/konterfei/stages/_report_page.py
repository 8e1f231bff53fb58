"""The page of a report: verdict first, then what a shot lacks, what is suspicious, the maps, the doubles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from konterfei import __version__
from konterfei.curation.duplicates import DOUBLE_LIMIT
from konterfei.curation.lacking import KINDS, TOLERANCES, Gap
from konterfei.curation.poses import PITCH_AHEAD, PoseMap
from konterfei.curation.shapes import EXPRESSIONS
from konterfei.curation.study import AXES, Comparison, Study, bars, told, values_of
from konterfei.curation.verdict import Criterion, Level, overall
from konterfei.io.face_record import FaceRecord
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter, check
from konterfei.stages import _page as html
from konterfei.stages._page_album import Album

_MAP_SIDE, _SIDE, _WIDE_SIDE = 88, 128, 200
_MOST_OF_A_REASON: Final = 24
_MOST_GROUPS, _MOST_OF_A_GROUP = 12, 6
_MOST_GAPS: Final = 24


def page_of(
    faceset: Faceset, judged: Study, shot: Faceset | None, comparison: Comparison | None, reporter: Reporter
) -> str:
    """The whole page. Equal facesets give equal pages."""
    album = Album()
    criteria = [*judged.criteria, *([] if comparison is None else comparison.criteria)]
    reporter.start("drawing the page", 5, "parts")
    parts = [_head(faceset, shot), _verdict(criteria, judged)]
    if shot is not None and comparison is not None:
        parts.append(_shot(faceset, judged, shot, comparison, album, reporter))
    reporter.advance(1)
    check(reporter)
    parts.append(suspicious(faceset, judged, album))
    reporter.advance(2)
    check(reporter)
    parts.append(_map(faceset, judged, comparison, album))
    reporter.advance(3)
    check(reporter)
    parts.append(_charts(judged, comparison))
    parts.append(_doubles(faceset, judged, album))
    reporter.advance(4)
    parts.append(_foot(faceset))
    reporter.finish()
    return html.page(f"Faceset {faceset.folder.absolute().name}", parts)


def _head(faceset: Faceset, shot: Faceset | None) -> str:
    header, records = faceset.header, faceset.records()
    sources = sorted({record.source for record in records})
    few = ", ".join(sources[:3]) + (f" and {len(sources) - 3} more" if len(sources) > 3 else "")
    words = f"{len(records)} faces of {few}; crops of {header.size} px, {header.face_type}."
    if unused := len(faceset.damaged):
        words += f" {unused} pictures in the folder cannot be used."
    against = "" if shot is None else html.paragraph(f"For the shot {shot.folder.absolute().name}, {len(shot)} faces.")
    links = [("suspicious", "Suspicious faces"), ("poses", "Poses"), ("charts", "Spread"), ("doubles", "Doubles")]
    if shot is not None:
        links.insert(0, ("shot", "What the shot lacks"))
    nav = "".join(f'<a href="#{target}">{name}</a>' for target, name in links)
    name = html.text(faceset.folder.absolute().name)
    return f"<header><h1>{name}</h1>{html.paragraph(words)}{against}<nav>{nav}</nav></header><main>"


_IN_WORDS: Final = {
    Level.GOOD: "Nothing has to be done.",
    Level.USABLE: "It can be worked with; what is not good is said below, with what to do.",
    Level.LACKING: "Something is missing that a swap will show; what, and what to do, is said below.",
}


def _verdict(criteria: Sequence[Criterion], judged: Study) -> str:
    level = overall(list(criteria))
    rows = [
        [
            f'<span class="{item.level}">{item.level}</span>',
            html.text(item.title),
            html.text(item.shown()),
            html.text(f"{'at most' if item.is_most else 'at least'} {item.good:g}"),
            html.text(f"{'at most' if item.is_most else 'at least'} {item.usable:g}"),
            "" if item.level is Level.GOOD else html.text(item.remedy),
        ]
        for item in sorted(criteria, key=lambda item: -list(Level).index(item.level))
    ]
    head = ("verdict", "what", "here", "good is", "usable is", "to do")
    box = f'<div class="verdict {level}"><b>{str(level).capitalize()}</b><p>{html.text(_IN_WORDS[level])}</p></div>'
    return f'<section id="verdict">{box}{html.table(head, rows)}</section>'


# --- the shot


def _shot(
    faceset: Faceset, judged: Study, shot: Faceset, comparison: Comparison, album: Album, reporter: Reporter
) -> str:
    near = comparison.near
    words = (
        f"{comparison.covered:.0%} of the shot's {len(comparison.shot)} faces are covered. "
        f"By pose alone {near.covered('pose'):.0%}, by pose and expression {near.covered('expression'):.0%}, "
        f"by pose and light {near.covered('light'):.0%}."
    )
    pose, doing, light = (TOLERANCES[kind] for kind in KINDS)
    how = (
        f"Covered means: some face of src is within {pose['yaw']:g} degrees of yaw and {pose['pitch']:g} of pitch, "
        f"and one in such a pose has the mouth opened alike within {doing['mouth_open']:g} and as wide within "
        f"{doing['mouth_width']:g} (distances of the eyes, from what is usual for the person) and the eyes within "
        f"{doing['eyes_open']:.0%} of their usual opening, and one in such a pose is lit alike: brightness rises over "
        f"the face within {light['light_side']:.0%} sideways and {light['light_height']:.0%} upwards. Wrong faces "
        "of src do not count."
    )
    blocks = [f'<section id="shot"><h2>What the shot needs</h2>{html.paragraph(words)}{html.paragraph(how, "soft")}']
    if not comparison.gaps:
        blocks.append(html.paragraph("Nothing is lacking."))
    for gap in comparison.gaps[:_MOST_GAPS]:
        check(reporter)
        blocks.append(_gap(faceset, judged, shot, comparison, gap, album))
    if rest := comparison.gaps[_MOST_GAPS:]:
        count = sum(len(gap.rows) for gap in rest)
        blocks.append(
            html.paragraph(f"And {len(rest)} shorter stretches with {count} frames; the JSON lists them.", "soft")
        )
    return "".join(blocks) + "</section>"


def _gap(faceset: Faceset, judged: Study, shot: Faceset, comparison: Comparison, gap: Gap, album: Album) -> str:
    theirs, ours = comparison.shot, judged.traits
    first, last = (theirs.records[gap.rows[end]] for end in (0, -1))
    when = f"{_time(float(first.pts))} to {_time(float(last.pts))} (frames {first.frame_index} to {last.frame_index})"
    sentence = told(gap, ours, theirs)
    worst, nearest = theirs.records[gap.worst], ours.records[gap.nearest]
    figures = [
        html.figure(
            album.uri(shot, worst, _WIDE_SIDE),
            f"the shot's face in frame {worst.frame_index}",
            f"shot, frame {worst.frame_index}: {_pose(theirs.yaw[gap.worst], theirs.pitch[gap.worst])}",
            wide=True,
        ),
        html.figure(
            album.uri(faceset, nearest, _WIDE_SIDE),
            f"the nearest face of src, {nearest.name}",
            f"nearest in src, {nearest.name}: {_pose(ours.yaw[gap.nearest], ours.pitch[gap.nearest])}",
            wide=True,
        ),
    ]
    return f"<h3>{html.text(when)}</h3>{html.paragraph(f'Lacks {gap.kind}: {sentence}.')}{html.row(figures)}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(max(seconds, 0.0), 60)
    return f"{int(minutes):02d}:{rest:04.1f}"


def _pose(yaw: float, pitch: float) -> str:
    side = "left" if yaw > 0 else "right"
    return f"{abs(yaw):.0f}° {side}, {abs(pitch - PITCH_AHEAD):.0f}° {'up' if pitch > PITCH_AHEAD else 'down'}"


# --- what is wrong


def suspicious(faceset: Faceset, judged: Study, album: Album) -> str:
    """What each reason speaks against, with pictures of the worst."""
    found, records = judged.found, judged.traits.records
    blocks = ['<section id="suspicious"><h2>Suspicious faces</h2>']
    if not any(item.rows for item in found.values()):
        blocks.append(html.paragraph("None."))
    for item in found.values():
        if not item.rows:
            continue
        blocks.append(f"<h3>{html.text(f'{item.reason.title}: {len(item.rows)}')}</h3>")
        way = "at most" if item.limit.is_most else "at least"
        blocks.append(html.paragraph(f"Limit: {way} {item.limit.value:.3g}. Why: {item.limit.source}.", "soft"))
        blocks.append(
            html.row(
                [
                    html.figure(
                        album.uri(faceset, records[row], _SIDE, dotted=item.reason.shows_landmarks),
                        f"{records[row].name}, {item.reason.title}",
                        f"{records[row].name}: {item.told(row)}",
                    )
                    for row in item.rows[:_MOST_OF_A_REASON]
                ]
            )
        )
        if (rest := len(item.rows) - _MOST_OF_A_REASON) > 0:
            blocks.append(html.paragraph(f"And {rest} more; the JSON lists them.", "soft"))
    clean = [item.reason.title for item in found.values() if not item.rows and np.isfinite(item.values).any()]
    unknown = [item.reason.title for item in found.values() if not np.isfinite(item.values).any()]
    if clean:
        blocks.append(html.paragraph(f"Looked for and not found: {', '.join(clean)}.", "soft"))
    if unknown:
        blocks.append(html.paragraph(f"Not known of these faces: {', '.join(unknown)}.", "soft"))
    return "".join(blocks) + "</section>"


# --- coverage


def _map(faceset: Faceset, judged: Study, comparison: Comparison | None, album: Album) -> str:
    poses = judged.poses
    theirs = None if comparison is None else comparison.poses
    used = poses.counts > 0
    if theirs is not None:
        used = used | (theirs.counts > 0)
    columns, rows = (_range(np.asarray(used.any(axis=axis))) for axis in (0, 1))
    head = "".join(
        f'<th scope="col">{html.text(_span(poses.yaw_edges, column, "right", "left"))}</th>' for column in columns
    )
    lines = []
    for r in reversed(rows):
        cells = [f'<th scope="row">{html.text(_span(poses.pitch_edges, r, "down", "up"))}</th>']
        for c in columns:
            cells.append(_cell(faceset, poses, theirs, r, c, judged.traits.records, album))
        lines.append(f"<tr>{''.join(cells)}</tr>")
    words = (
        f"{poses.filled} cells have a face; the sharpest of each is shown with how many there are. Hatched cells are "
        f"empty. Columns are where the head looks in the picture, to the right or to the left; rows are up and down, "
        f"from a pitch of {PITCH_AHEAD:g} degrees, at which a head looks straight ahead (people differ by 6 degrees). "
        "Wrong faces are left out."
    )
    if theirs is not None:
        words += " Framed in red: the shot looks there and src does not."
    return (
        f'<section id="poses"><h2>Poses</h2>{html.paragraph(words, "soft")}<div class="scroll"><table class="map">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div></section>"
    )


def _cell(
    faceset: Faceset,
    poses: PoseMap,
    theirs: PoseMap | None,
    r: int,
    c: int,
    records: Sequence[FaceRecord],
    album: Album,
) -> str:
    count, wanted = int(poses.counts[r, c]), 0 if theirs is None else int(theirs.counts[r, c])
    shot = f" / shot {wanted}" if wanted else ""
    if count:
        best = records[int(poses.best[r, c])]
        shown = html.picture(album.uri(faceset, best, _MAP_SIDE), f"{count} faces, the sharpest is {best.name}")
        return f"<td>{shown}{count}{shot}</td>"
    return f'<td class="none wanted">0{shot}</td>' if wanted else '<td class="none"></td>'


def _range(used: np.ndarray) -> list[int]:
    """The places from the first to the last that is used, and the middle one."""
    places = [*np.flatnonzero(used).tolist(), len(used) // 2]
    return list(range(min(places), max(places) + 1))


def _span(edges: tuple[float, ...], place: int, low_word: str, high_word: str) -> str:
    low, high = edges[place], edges[place + 1]
    if low < 0 < high:
        return f"within {high:g}°"
    near, far = sorted((abs(low), abs(high)))
    return f"{near:g} to {far:g}° {high_word if low >= 0 else low_word}"


def _charts(judged: Study, comparison: Comparison | None) -> str:
    blocks = []
    for name, title in AXES.items():
        values = values_of(judged.traits, name)
        if not np.isfinite(values).any():
            continue
        others = None if comparison is None else values_of(comparison.shot, name)
        edges, counts, other = bars(values, others)
        usual = judged.traits.usual.get(name, 0.0) if name in EXPRESSIONS else 0.0
        shown = f"{title} (at rest {usual:.2g})" if usual else title
        blocks.append(html.histogram(shown, edges, counts, other, " px" if name == "height" else ""))
    words = (
        "How the faces spread over expression, light and quality. Openings and lifts by the distance of the eyes; "
        "light from the side: how much brighter the face gets from its middle to its right edge in the picture, from "
        "above: to its top; warmth: log2 of red by blue."
    )
    if comparison is not None:
        words += " Blue: this faceset; orange: the shot, each by its own total."
    return (
        f'<section id="charts"><h2>Expression, light and sharpness</h2>{html.paragraph(words, "soft")}'
        f'<div class="charts">{"".join(blocks)}</div></section>'
    )


def _doubles(faceset: Faceset, judged: Study, album: Album) -> str:
    records = judged.traits.records
    words = (
        f"{judged.num_doubles} faces show the same as a sharper one, in {len(judged.groups)} groups. The same means: "
        "within 1.5 degrees of pose, alike in mouth, eyes and gaze, and pictures that differ by at most "
        f"{DOUBLE_LIMIT:g} grey levels in the mean. They cost time in training and teach little; "
        "konterfei curate sets them aside."
    )
    blocks = [f'<section id="doubles"><h2>Doubles</h2>{html.paragraph(words, "soft" if judged.groups else "")}']
    for group in judged.groups[:_MOST_GROUPS]:
        shown = group.rows[:_MOST_OF_A_GROUP]
        figures = [
            html.figure(
                album.uri(faceset, records[row], _SIDE),
                f"{records[row].name}, one of {len(group.rows)} that show the same",
                f"{records[row].name}: {'the sharpest' if place == 0 else f'differs by {group.distances[place]:.1f}'}",
            )
            for place, row in enumerate(shown)
        ]
        blocks.append(f"<h3>{len(group.rows)} faces</h3>{html.row(figures)}")
    if (rest := len(judged.groups) - _MOST_GROUPS) > 0:
        blocks.append(html.paragraph(f"And {rest} smaller groups; the JSON lists them.", "soft"))
    return "".join(blocks) + "</section>"


def _foot(faceset: Faceset) -> str:
    networks = [
        str(faceset.header.settings[name])
        for name in ("detector", "landmarker", "recognizer")
        if name in faceset.header.settings
    ]
    words = f"konterfei {__version__}" + (f"; found with {', '.join(networks)}" if networks else "")
    return f"</main><footer>{html.paragraph(words, 'soft')}</footer>"
