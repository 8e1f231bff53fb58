"""`konterfei evaluate`: measure swaps against the video that they were made from, and write the reports.

What a render was made from, the manifest of its merge says. Several renders of one plate are looked at beside it in
one walk, each person who was swapped by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from konterfei.errors import Cancelled, ConfigError, KonterfeiError, OutputError
from konterfei.io.atomic import ensure_writable, size_text
from konterfei.io.sequence import USUAL_FPS, folder_of, frame_rate
from konterfei.io.video import is_sequence, look
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter
from konterfei.stages import _evaluate_looking as looking
from konterfei.stages._evaluate_finding import chosen_renders, renders_of
from konterfei.stages._evaluate_frames import shots_of
from konterfei.stages._evaluate_inputs import frames_of, people_of, render_of, same_plate
from konterfei.stages._evaluate_measuring import Sight, measured
from konterfei.stages._evaluate_settings import EvaluateConfig, Reports, reports_for
from konterfei.stages._evaluate_subjects import about, subjects_of, who_is_who
from konterfei.stages._evaluate_truth import TrueClip
from konterfei.stages._evaluate_writing import Evaluation, done_before, write
from konterfei.stages._settings import parse_range

__all__ = ["EvaluateConfig", "Evaluation", "evaluate"]


def evaluate(config: EvaluateConfig, reporter: Reporter) -> Evaluation:
    """Figures of `config.renders`, beside one another; written beside them.

    Raises:
        ConfigError: plate, facesets and renders do not belong together, or cannot be found.
        FacesetError, UnreadableMediaError, DamagedFileError: one of them cannot be read.
        NoFacesError: no frame shows a face clearly enough.
        OutputError: the reports cannot be written.
        Cancelled: a person asked to stop.
    """
    if config.renders:
        return _evaluate(chosen_renders(config.renders, config.project), config, reporter)
    assert config.project is not None, "the config was checked"
    found: list[Evaluation] = []
    failed: list[KonterfeiError] = []
    renders = renders_of(config.project)
    for number, render in enumerate(renders, start=1):
        reporter.note(f"{number} of {len(renders)}: {render}")
        try:
            found.append(_evaluate([render], config, reporter))
        except Cancelled:
            raise
        except KonterfeiError as error:
            reporter.warn(f"'{render}' was not measured. {error}")
            failed.append(error)
    if not found:
        raise failed[-1]
    return Evaluation(
        found=tuple(figures for each in found for figures in each.found),
        pages=tuple(each.page for each in found),
        was_done=all(each.was_done for each in found),
        failed=tuple(str(error) for error in failed),
    )


def _evaluate(paths: Sequence[Path], config: EvaluateConfig, reporter: Reporter) -> Evaluation:
    """Of renders of one plate."""
    reports = reports_for(paths, config.output)
    renders = [render_of(path, name, config, reporter) for path, name in zip(paths, reports.names, strict=True)]
    plate, record = same_plate(renders, config)
    _check_places(reports, [plate, *paths])
    info = look(plate, frame_rate(renders[0].dst.header.settings.get("fps") or USUAL_FPS))
    span = frames_of(renders, parse_range(config.range, info.fps))
    people = people_of(renders, span, config, reporter)
    shots = shots_of(renders[0].dst)
    subjects, size = subjects_of(renders, people, span, shots, (info.width, info.height), config, reporter)
    if config.truth is not None and len(subjects) > 1:
        raise ConfigError("--truth is that of one person, and several were swapped. Choose whom with --person.")
    truth = None if config.truth is None else TrueClip.open(config.truth, plate, subjects[0].watched.faces)
    abouts = [
        [about(renders, place, subjects, number, record, config, truth) for number in range(len(subjects))]
        for place in range(len(renders))
    ]
    if (done := done_before(paths, reports, abouts)) is not None:
        reporter.note(f"'{done.report}' is up to date; nothing was measured anew.")
        return done
    for subject in subjects:
        reporter.note(f"{subject.extent}.")
    reporter.note(f"Their pictures take up to {size_text(size)} of memory.")
    eyes = looking.eyes_for(config)
    known = who_is_who(subjects, renders, eyes, reporter)
    watched = [subject.watched for subject in subjects]
    with ExitStack() as stack:
        watch = None
        if truth is not None:
            frames = list(watched[0].faces)
            watch = truth.watch(eyes, watched[0].side, (frames[0], frames[-1] + 1), 1 + len(renders))
            stack.callback(watch.close)
        observers = looking.look(renders, plate, watched, eyes, reporter, None if watch is None else watch.add)
    if watch is not None:
        for render, (people_known, *_) in zip(renders, known, strict=True):
            watch.doubt(people_known, render.name, RECOGNIZERS.load(config.recognizer).same_person, reporter)
    sight = Sight(
        renders=renders,
        subjects=subjects,
        observers=observers,
        truth=None if watch is None else watch.observer,
        known=known,
        abouts=abouts,
        shots=shots,
        fps=None if is_sequence(plate) else info.fps,
    )
    return write(paths, reports, measured(sight, reporter), abouts, reporter)


def _check_places(reports: Reports, inputs: Sequence[Path]) -> None:
    """Raise OutputError where a report cannot be written, or would be taken for a frame."""
    for path in reports.files:
        for given in inputs:
            if is_sequence(given) and folder_of(given).resolve() == path.parent.resolve():
                raise OutputError(
                    f"Cannot write '{path}' into the folder of '{given}': it would be a frame. Choose another --output."
                )
        ensure_writable(path)
