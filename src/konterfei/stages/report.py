"""report: one page about a faceset: what it has, what is wrong in it, what a shot asks of it and it lacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from konterfei.curation.limits import Strictness
from konterfei.curation.study import Comparison, Study, compare, study
from konterfei.curation.traits import traits_of
from konterfei.curation.verdict import Level, overall
from konterfei.errors import ConfigError
from konterfei.io.atomic import ensure_writable, write_json, write_text
from konterfei.io.faceset import Faceset
from konterfei.reporting import Reporter
from konterfei.stages._page import beside
from konterfei.stages._report_figures import figures_of
from konterfei.stages._report_page import page_of
from konterfei.stages._settings import allow


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Say what a faceset has and what it lacks: one page with pictures, and the same figures as JSON.

    Changes nothing. With --for, the page also says which frames of a shot the faceset has no face for.
    """

    faceset: Path
    """Folder of the faceset, in most cases of the src person."""
    output: Path | None = None
    """The page, .html; the figures go beside it as .json. What is there is replaced. Default: beside the faceset."""
    for_: Path | None = None
    """Faceset of a shot (dst): which of its poses, expressions and light does the first faceset lack?"""
    strictness: Strictness = Strictness.USUAL
    """How readily a face is called bad: low, usual or high."""

    def __post_init__(self) -> None:
        is_html = self.output is None or self.output.suffix.lower() in (".html", ".htm")
        allow("--output", f"'{self.output}'", is_html, "a page, .html")
        allow("--strictness", self.strictness, self.strictness in set(Strictness), ", ".join(Strictness))
        if self.for_ is not None and self.for_.absolute() == self.faceset.absolute():
            raise ConfigError(f"--for is the faceset itself, '{self.for_}'. Name the faceset of a shot.")


@dataclass(frozen=True, kw_only=True)
class ReportResult:
    """What was found.

    Attributes:
        page, figures: where they are.
        level: the verdict.
        lines: it, in a few lines.
    """

    page: Path
    figures: Path
    level: Level
    lines: tuple[str, ...]

    def summary(self) -> list[str]:
        """The verdict and where to read on."""
        return [*self.lines, f"page  {self.page}", f"json  {self.figures}"]


def report(config: ReportConfig, reporter: Reporter) -> ReportResult:
    """The report of `config.faceset`.

    Raises:
        FacesetError: a faceset is missing or empty.
        OutputError: the page cannot be written.
        Cancelled: a person asked to stop; what was measured is kept.
    """
    place = config.output or beside(config.faceset, "report")
    ensure_writable(place)
    faceset = Faceset.open(config.faceset, reporter=reporter)
    shot_faceset = None if config.for_ is None else Faceset.open(config.for_, reporter=reporter)
    traits = traits_of(faceset, reporter)
    shot = None if shot_faceset is None else traits_of(shot_faceset, reporter)
    judged = study(traits, Strictness(config.strictness), with_shot=shot is not None)
    comparison = None if shot is None else compare(judged, shot)
    criteria = [*judged.criteria, *([] if comparison is None else comparison.criteria)]
    page = page_of(faceset, judged, shot_faceset, comparison, reporter)
    write_text(place, page)
    figures = place.with_suffix(".json")
    write_json(figures, figures_of(faceset, judged, shot_faceset, comparison))
    return ReportResult(page=place, figures=figures, level=overall(criteria), lines=tuple(_lines(judged, comparison)))


def _lines(judged: Study, comparison: Comparison | None) -> list[str]:
    criteria = [*judged.criteria, *([] if comparison is None else comparison.criteria)]
    lines = [f"{overall(criteria)}: {len(judged.traits)} faces, {judged.num_doubles} of them doubles"]
    lines += [
        f"  {criterion.level}: {criterion.title}: {criterion.told()}"
        for criterion in criteria
        if criterion.level is not Level.GOOD
    ]
    lines += [
        f"  {suspicion.reason.title}: {len(suspicion.rows)}" for suspicion in judged.found.values() if suspicion.rows
    ]
    return lines
