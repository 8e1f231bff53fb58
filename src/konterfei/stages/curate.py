"""curate: bad faces and doubles of a faceset set aside, by limits that are said, and taken back as easily."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from konterfei.curation.limits import Strictness
from konterfei.curation.selection import Choice, choose
from konterfei.curation.study import Study, study
from konterfei.curation.suspicion import REASONS
from konterfei.curation.traits import traits_of
from konterfei.errors import UnknownNameError
from konterfei.io.atomic import ensure_writable, write_text
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_trash import next_number
from konterfei.io.images import write_image
from konterfei.reporting import Reporter, check
from konterfei.stages._curate_page import page_of, picture_of, title_of, why_of
from konterfei.stages._page import beside
from konterfei.stages._settings import allow

_NEARLY_ALL = 0.9
"""Share of a video's frames with a face from which on a faceset may be a shot that is to be merged."""


@dataclass(frozen=True, kw_only=True)
class CurateConfig:
    """Set bad faces and doubles aside: another person's, misplaced landmarks, blurred, covered, cut off, near-equal.

    They are moved to the folder trash in the faceset, a batch for each reason; konterfei trash takes them back. The
    last faces of a pose and expression stay, unless they are another person's.
    """

    faceset: Path
    """Folder of the faceset, in most cases of the src person."""
    output: Path | None = None
    """Page that shows what was set aside and why, .html; a picture of it goes beside, .jpg. Default: beside the
    faceset, its name with .curated.html, numbered where there is one; with --dry-run .would-go.html."""
    dry_run: bool = False
    """Moves nothing: only writes the page and says what would go."""
    keep_duplicates: int = 1
    """How many of the faces that show the same stay, the sharpest first; 0 = all of them."""
    strictness: Strictness = Strictness.USUAL
    """How readily a face is called bad: low, usual or high."""
    leave: tuple[str, ...] = ()
    """Reasons that count for nothing: other_person, misfit, jump, cut_elsewhere, no_face, cut_off, tiny, blurred,
    exposure, occluded."""
    most: float = 0.5
    """Share of the faces that may go, 0 to 1; the gravest reasons come first. 1 = no limit."""

    def __post_init__(self) -> None:
        is_html = self.output is None or self.output.suffix.lower() in (".html", ".htm")
        allow("--output", f"'{self.output}'", is_html, "a page, .html")
        allow("--keep-duplicates", self.keep_duplicates, self.keep_duplicates >= 0, "0 or more")
        allow("--strictness", self.strictness, self.strictness in set(Strictness), ", ".join(Strictness))
        allow("--most", self.most, 0 < self.most <= 1, "more than 0, up to 1")
        for name in self.leave:
            if name not in REASONS:
                raise UnknownNameError("reason", name, list(REASONS))


@dataclass(frozen=True, kw_only=True)
class CurateResult:
    """What was set aside.

    Attributes:
        aside: reason -> how many faces.
        batches: reason -> number of the batch in the trash; empty after a dry run.
        left: faces that stay.
        page, picture: where it is shown; None where nothing goes.
        lines: all of it in words.
    """

    aside: Mapping[str, int]
    batches: Mapping[str, int]
    left: int
    page: Path | None
    picture: Path | None
    lines: tuple[str, ...]

    def summary(self) -> list[str]:
        """What went, why, and how it comes back."""
        return list(self.lines)


def curate(config: CurateConfig, reporter: Reporter) -> CurateResult:
    """Set the bad faces and the doubles of `config.faceset` aside.

    Raises:
        FacesetError: the faceset is missing or empty, or another process is writing into it.
        OutputError: the page cannot be written, or the crops cannot be moved.
        Cancelled: a person asked to stop; each batch that was moved is whole and can be taken back.
    """
    place = config.output or _free(beside(config.faceset, "would-go" if config.dry_run else "curated"), config)
    ensure_writable(place)
    faceset = Faceset.open(config.faceset, reporter=reporter)
    judged = study(traits_of(faceset, reporter), Strictness(config.strictness))
    choice = choose(
        judged.traits,
        dict(judged.found),
        judged.groups,
        keep=config.keep_duplicates,
        most=config.most,
        spared=config.leave,
    )
    if not choice.count:
        lines = (f"Nothing to do: none of {len(judged.traits)} faces is to be set aside.", *_stayed(choice))
        return CurateResult(aside={}, batches={}, left=len(judged.traits), page=None, picture=None, lines=lines)
    if (warning := _of_every_frame(faceset)) and not config.dry_run:
        reporter.warn(warning)
    if choice.over:
        reporter.warn(
            f"{len(choice.over)} more faces would go, but --most {config.most:g} lets only {choice.count} of "
            f"{len(judged.traits)} go at once. Look at the page; raise --most if it is right."
        )
    picture = place.with_suffix(".jpg")
    with faceset:
        if not config.dry_run:
            faceset.hold()  # whoever may not move them is not shown a page on which they went
        first = next_number(config.faceset)  # none but those that go now: a person may have set others aside before
        numbers = ",".join(str(first + n) for n in range(len(choice.aside)))
        back = f"konterfei trash {shlex.quote(str(config.faceset))} --restore {numbers}"
        write_text(place, page_of(faceset, judged, choice, back, is_done=not config.dry_run))
        write_image(picture, picture_of(faceset, judged, choice))
        batches = {} if config.dry_run else _set_aside(faceset, judged, choice, reporter)
    return CurateResult(
        aside={name: len(rows) for name, rows in choice.aside.items()},
        batches=batches,
        left=len(judged.traits) - choice.count,
        page=place,
        picture=picture,
        lines=tuple(_lines(config, judged, choice, batches, place, picture)),
    )


def _free(place: Path, config: CurateConfig) -> Path:
    """`place`, or where a page of an earlier run is, the same with a number; a dry run's page is replaced."""
    free, number = place, 1
    while free.exists() and not config.dry_run:
        number += 1
        free = place.with_name(f"{place.stem}-{number}{place.suffix}")
    return free


def _set_aside(faceset: Faceset, judged: Study, choice: Choice, reporter: Reporter) -> dict[str, int]:
    names, batches, done = judged.traits.names, {}, 0
    reporter.start("setting aside", choice.count, "faces")
    for reason, rows in choice.aside.items():
        check(reporter)
        batches[reason] = faceset.set_aside([names[row] for row in rows], why_of(judged, reason))
        done += len(rows)
        reporter.advance(done)
    reporter.finish()
    return batches


def _of_every_frame(faceset: Faceset) -> str:
    """A warning where the faceset may be a shot to be merged; empty where it cannot."""
    frames = faceset.frame_indices()
    if not faceset.header.source_name or not frames or len(frames) < _NEARLY_ALL * (frames[-1] - frames[0] + 1):
        return ""
    return (
        f"'{faceset.folder}' has a face in nearly every frame of {faceset.header.source_name}. If that is a shot to be "
        "merged (dst), the frames whose faces are set aside will not be swapped: take them back before the merge."
    )


def _stayed(choice: Choice) -> list[str]:
    if not choice.kept_last:
        return []
    return [
        f"{len(choice.kept_last)} more stay although they are bad or doubled: the last of their pose and expression"
    ]


def _lines(
    config: CurateConfig, judged: Study, choice: Choice, batches: Mapping[str, int], page: Path, picture: Path
) -> list[str]:
    total = len(judged.traits)
    verb = "would be set aside" if config.dry_run else "set aside"
    lines = [f"{choice.count} of {total} faces {verb}, {total - choice.count} stay:"]
    for name, rows in choice.aside.items():
        number = f"   (batch {batches[name]})" if name in batches else ""
        lines.append(f"  {len(rows):>6}  {title_of(judged, name)}{number}")
    lines += _stayed(choice)
    lines += [f"page     {page}", f"picture  {picture}"]
    if not config.dry_run:
        folder, numbers = shlex.quote(str(config.faceset)), ",".join(str(number) for number in batches.values())
        lines.append(f"take all back with: konterfei trash {folder} --restore {numbers}")
    return lines
