"""What an evaluation is asked to do, and where its reports go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from konterfei.detectors import DETECTORS
from konterfei.errors import ConfigError
from konterfei.io.sequence import folder_of
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.stages._settings import allow, parse_range, report_beside

NOBODY = "none"
"""As --witness: do without."""
_PICTURES, _OTHERS = (".jpg", ".jpeg", ".png"), (".html", ".json")


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig:
    """Measure a swap against the video that it was made from; several swaps of one video are compared.

    What it was made from, the merge's manifest beside it tells. The same command again does nothing until something
    has changed.
    """

    renders: tuple[Path, ...] = ()
    """The merged video, or the folder or pattern of the merged pictures; several of the same plate are compared. With
    --project, names in its folder renders do, and none means each of them by itself."""
    project: Path | None = None
    """Folder of a project, as konterfei swap makes it. Also where things are looked for that have moved."""
    faces: Path | None = None
    """Faceset of the video that received the face (dst). Default: the one that the merge's manifest names."""
    src: Path | None = None
    """Faceset of the person whose face was used (src). Default: the one that the model was trained with."""
    plate: Path | None = None
    """The video, or the folder or pattern of pictures, that received the face, unchanged; pictures have the frame rate
    that their faces were extracted with. Default: the one that the merge's manifest names, or the dst faceset."""
    person: str | None = None
    """Numbers of the people of the dst faceset to measure, with commas between. Default: everybody who was swapped;
    where no manifest tells, the one who is there most often."""
    truth: Path | None = None
    """The true swap, where it is known: the src performer doing what the dst performer does in the plate, on the same
    set (konterfei performers with --seed and --set-of). The result is compared with it, too."""
    output: Path | None = None
    """Page to write, .html; or the picture (.jpg, .png) or the figures (.json): all three go side by side under that
    name. Default: NAME.report.html, .jpg and .json beside NAME.mp4, of several A-vs-B.report.html
    and A-vs-B.report.A.json."""
    range: str | None = None
    """Only these frames of the plate, START:END without END (250:500, 12s:30s or 00:01:05-00:01:20)."""
    every_nth: int | None = None
    """Measures three neighbouring frames out of every n; 1 to 3 = all. Default: as many as about 240 frames of each
    person take, spread over all shots."""
    detector: Annotated[str, DETECTORS] = "yunet"
    """Says whether the result shows a face at all."""
    landmarker: Annotated[str, LANDMARKERS] = "mesh478"
    """Finds the points of the faces, in plate and result alike."""
    recognizer: Annotated[str, RECOGNIZERS] = "mobilefacenet"
    """Tells people apart; the one that the facesets were made with."""
    witness: str = "faceres"
    """A second recognizer that has its own say about who it is, since a model may please the first by chance; none =
    do without."""
    threads: int = 0
    """Threads of each network; 0 = one per core. The networks take turns; videos are decoded on more threads."""

    def __post_init__(self) -> None:
        if not self.renders and self.project is None:
            raise ConfigError("Name what to measure: konterfei evaluate out.mp4, or --project with a project's folder.")
        allow("--every-nth", self.every_nth, self.every_nth is None or self.every_nth >= 1, "1 or more")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        is_report = self.output is None or self.output.suffix.lower() in (*_PICTURES, *_OTHERS)
        allow("--output", f"'{self.output}'", is_report, "a page, .html; or .jpg, .png or .json")
        is_one = self.output is None or bool(self.renders)
        allow("--output", f"'{self.output}'", is_one, "not with a whole --project, whose renders have one report each")
        parse_range(self.range)
        self.people()
        for table, name in ((DETECTORS, self.detector), (LANDMARKERS, self.landmarker), (RECOGNIZERS, self.recognizer)):
            table[name]  # raises with the nearest names
        if self.witness != NOBODY:
            RECOGNIZERS[self.witness]
            is_another = self.witness != self.recognizer
            allow("--witness", self.witness, is_another, "another network than --recognizer, or none")

    def people(self) -> tuple[int, ...]:
        """The numbers of --person; none = not given. Raises ConfigError where they are no numbers."""
        if self.person is None:
            return ()
        numbers = [each.strip() for each in self.person.split(",")]
        is_fine = all(each.isascii() and each.isdecimal() for each in numbers)
        allow("--person", f"'{self.person}'", is_fine, "numbers with commas between, for example 0 or 0,2")
        return tuple(dict.fromkeys(int(each) for each in numbers))


@dataclass(frozen=True)
class Reports:
    """Where the reports go.

    Attributes:
        page: for people, of all renders.
        figures: JSON, of each render.
        pictures: contact sheet with figures and curves, of each render.
        names: of each render, for people; no two are equal.
    """

    page: Path
    figures: tuple[Path, ...]
    pictures: tuple[Path, ...]
    names: tuple[str, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return self.page, *self.figures, *self.pictures


def reports_for(renders: Sequence[Path], output: Path | None) -> Reports:
    """Where the reports of `renders` go; see `EvaluateConfig.output`."""
    names = _names(renders)
    stems = [Path(name).stem if Path(name).suffix else name for name in names]
    beside = report_beside(renders[0])
    picture = ".jpg"
    if output is not None:
        picture = output.suffix if output.suffix.lower() in _PICTURES else picture
        whole = output
    elif len(stems) > 1:
        told = stems if len(stems) < 4 else [stems[0], f"{len(stems) - 1}-others"]
        whole = beside.with_name(f"{'-vs-'.join(told)}.report.html")
    else:
        whole = beside
    page = whole.with_suffix(".html")
    # A comparison has figures of its own: those beside a render belong to the page of that render alone.
    own = [whole if len(stems) == 1 else whole.with_name(f"{whole.stem}.{stem}{picture}") for stem in stems]
    return Reports(
        page=page,
        figures=tuple(path.with_suffix(".json") for path in own),
        pictures=tuple(path.with_suffix(picture) for path in own),
        names=tuple(names),
    )


def _names(renders: Sequence[Path]) -> list[str]:
    """File names; of those that are equal, with the folder before them, or a number."""
    places = [folder_of(render).absolute() for render in renders]
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        often = Counter(names)
        names = [f"{p.parent.name}-{n}" if often[n] > 1 else n for p, n in zip(places, names, strict=True)]
    if len(set(names)) < len(names):
        names = [f"{number}-{name}" for number, name in enumerate(names, start=1)]
    return names
