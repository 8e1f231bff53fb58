"""What an evaluation is of: renders, their plate, the facesets; refused where they do not belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from konterfei.errors import ConfigError, FacesetError, NoFacesError, UnreadableMediaError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_files import read_header
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.run import Run
from konterfei.io.video import is_sequence
from konterfei.reporting import Reporter
from konterfei.stages._evaluate_finding import find, merge_of, near
from konterfei.stages._evaluate_frames import Span, shared, span_of
from konterfei.stages._evaluate_people import Swapped, chosen_people, everyone
from konterfei.stages._evaluate_settings import EvaluateConfig
from konterfei.weights import WEIGHTS


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """The src person of a model.

    Attributes:
        faceset: their faces.
        model: record of the model's run; None where none is known.
        is_trained_on: whether the model was trained on these very faces; None = not known.
    """

    faceset: Faceset
    model: Mapping[str, Any] | None
    is_trained_on: bool | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Render:
    """A merged video and what it was made from.

    Attributes:
        path: the video, or the folder or pattern of pictures.
        name: for people.
        made: the merge's manifest; None where there is none.
        record: of its content: path, sha256, size.
        dst: faceset of the plate.
        span: frames of the plate that it is of.
        swapped: everybody whose face was swapped.
    """

    path: Path
    name: str
    made: Manifest | None
    record: Mapping[str, Any]
    dst: Faceset
    span: Span
    swapped: Sequence[Swapped]


def render_of(path: Path, name: str, config: EvaluateConfig, reporter: Reporter) -> Render:
    """A render with its manifest and faceset; warns of what has changed since it was merged.

    Raises:
        ConfigError: the faceset cannot be found, or is of another recognizer.
        FacesetError, DamagedFileError: it, or the manifest, cannot be read.
    """
    made = merge_of(path)
    dst = Faceset.open(_faces_of(path, made, config), reporter=reporter)
    _refuse_strangers(dst, config)
    record = file_record(path)
    if made is not None:
        if path.is_file() and made.output.get("sha256") not in (None, record["sha256"]):
            reporter.warn(
                f"'{path}' was changed since it was merged (its content is not that of its manifest). It is measured "
                "as it is, with what the manifest says it was made from."
            )
        if config.faces is None and made.inputs["faces"].get("sha256") != dst.content_hash():
            reporter.warn(
                f"The faces in '{dst.folder}' have changed since '{path}' was merged. It is measured where they are "
                "now; merge it again for figures of what the faceset holds."
            )
    return Render(
        path=path, name=name, made=made, record=record, dst=dst, span=span_of(made), swapped=everyone(dst, made)
    )


def _faces_of(path: Path, made: Manifest | None, config: EvaluateConfig) -> Path:
    if config.faces is not None:
        return config.faces
    if made is None:
        raise ConfigError(
            f"There is no manifest of a merge beside '{path}' ('{Manifest.file_for(path).name}'), so it is not known "
            "what it was made from. Give the facesets with --faces (dst) and --src."
        )
    told = made.inputs["faces"]
    found = find(told["path"], near(path, config.project), lambda moved: _holds(moved, told.get("sha256")))
    if found is None:
        raise ConfigError(
            f"The faces that '{path}' was merged with are neither where they were ('{told['path']}') nor near it. "
            "Give the faceset with --faces."
        )
    return found


def _holds(folder: Path, content: str | None) -> bool:
    """Whether a folder is the faceset with this content."""
    try:
        read_header(folder)
        return Faceset.open(folder).content_hash() == content
    except (FacesetError, OSError):
        return False


def _is_video(path: Path, content: str | None) -> bool:
    """Whether a video, or a folder or pattern of pictures, has this content."""
    try:
        return bool(file_record(path)["sha256"] == content)
    except (UnreadableMediaError, OSError):
        return False


def _refuse_strangers(faceset: Faceset, config: EvaluateConfig) -> None:
    made_with = faceset.header.settings.get("recognizer", config.recognizer)
    if made_with != config.recognizer:
        raise ConfigError(
            f"The faces in '{faceset.folder}' were recognised by {made_with}, not by {config.recognizer}: their "
            f"embeddings do not compare. Use --recognizer {made_with} or extract again."
        )


def plate_of(render: Render, config: EvaluateConfig) -> tuple[Path, dict[str, Any]]:
    """The unchanged video that `render` was made from, and the record of its content.

    Raises:
        ConfigError: it cannot be found, or is not the one.
    """
    path = _plate_path(render, config)
    if path.resolve() == render.path.resolve():
        raise ConfigError(f"'{path}' is both the merged video and the plate: there is nothing to compare.")
    known = None if render.made is None else render.made.inputs["video"]
    record = file_record(path, known)
    dst = render.dst
    if known is not None and known.get("sha256") != record["sha256"]:
        raise ConfigError(
            f"'{path}' is not what '{render.path}' was made from ('{known.get('path')}'): its content differs. Give "
            "that video with --plate, or merge again."
        )
    # The merge was content with the faces that it used, and nobody has said so of others.
    is_merged = render.made is not None and render.made.inputs["faces"].get("sha256") == dst.content_hash()
    is_named = config.faces is not None and not is_merged
    if (known is None or is_named) and dst.header.source_sha256 not in ("", record["sha256"]):
        raise ConfigError(
            f"'{path}' is not the video that the faces in '{dst.folder}' come from ('{dst.header.source}'): "
            "its content differs. Give that video with --plate, or other faces with --faces."
        )
    return path, record


def _plate_path(render: Render, config: EvaluateConfig) -> Path:
    if config.plate is not None:
        if not (config.plate.exists() or is_sequence(config.plate)):
            raise ConfigError(f"--plate '{config.plate}' does not exist.")
        return config.plate
    dst = render.dst
    if render.made is not None:
        told = render.made.inputs["video"]
        found = find(
            told["path"],
            near(render.path, config.project),
            lambda moved: _is_video(moved, told.get("sha256")),
        )
        if found is None:
            raise ConfigError(
                f"'{render.path}' was made from '{told['path']}', which is neither there nor near it. Give the "
                "unchanged video with --plate."
            )
        return found
    if not dst.header.source:
        raise ConfigError(
            f"The faceset '{dst.folder}' is pooled from several videos. Give the unchanged video with --plate."
        )
    path = Path(dst.header.source)
    if not (path.exists() or is_sequence(path)):
        raise ConfigError(
            f"The faceset '{dst.folder}' was made from '{dst.header.source}', which is not there. "
            "Give the unchanged video with --plate."
        )
    return path


def source_of(render: Render, model: str, config: EvaluateConfig, reporter: Reporter) -> Source:
    """Whose face a model of `render` draws.

    Args:
        render: which.
        model: as its manifest calls it.
        config: may name the faceset.
        reporter: told when the faces have changed since the model was trained.

    Raises:
        ConfigError: it cannot be found out, or the faceset is of another recognizer.
    """
    told = None if render.made is None else render.made.inputs.get(model)
    places = near(render.path, config.project)
    run = None if told is None else find(told["path"], places, Run.exists)
    trained: Mapping[str, Any] = {}
    if run is not None and Run.exists(run):
        if told is not None and str(run) != told["path"]:
            reporter.note(f"The model '{told['path']}' is taken to be '{run}' now.")
        known = Run.open(run).config.get("src")
        trained = known if isinstance(known, Mapping) else {}
    if config.src is not None:
        faceset = Faceset.open(config.src, reporter=reporter)
    else:
        faceset = Faceset.open(_src_path(render, told, run, trained, places), reporter=reporter)
    _refuse_strangers(faceset, config)
    is_trained_on = faceset.content_hash() == trained["hash"] if trained.get("hash") else None
    if config.src is None and is_trained_on is False:
        reporter.warn(
            f"The src faces in '{faceset.folder}' have changed since '{run}' was trained with them. They are taken as "
            "they are now; --src names another faceset."
        )
    return Source(faceset=faceset, model=told, is_trained_on=is_trained_on)


def _src_path(
    render: Render, told: Mapping[str, Any] | None, run: Path | None, trained: Mapping[str, Any], places: Sequence[Path]
) -> Path:
    remedy = "Give the faceset of the src person with --src."
    if told is None:
        raise ConfigError(f"It is not known whose face '{render.path}' shows: there is no manifest beside it. {remedy}")
    if run is None:
        raise ConfigError(
            f"The model of '{render.path}' is neither where it was ('{told['path']}') nor near it, so it is not known "
            f"whose face it draws. {remedy}"
        )
    if not trained.get("faces"):
        raise ConfigError(
            f"The model of '{render.path}', '{run}', does not say which faces it was trained with. {remedy}"
        )
    found = find(str(trained["faces"]), [*near(run, None), *places], lambda moved: _holds(moved, trained.get("hash")))
    if found is None:
        raise ConfigError(
            f"The src faces that '{run}' was trained with are neither where they were ('{trained['faces']}') nor near "
            f"it. {remedy}"
        )
    return found


def people_of(renders: Sequence[Render], span: Span, config: EvaluateConfig, reporter: Reporter) -> list[list[Swapped]]:
    """The people to measure, of each render; one who was not swapped in all of them is left out.

    Raises:
        ConfigError: no such person, or nobody was swapped in all renders.
        NoFacesError: nobody is there in `span`.
    """
    found = [
        chosen_people(render.swapped, render.dst, render.made is not None, span, config.people(), reporter)
        for render in renders
    ]
    first, *others = found
    if others:
        pairs = [(person, [_same(person, theirs) for theirs in others]) for person in first]
        both = [(person, same) for person, same in pairs if None not in same]
        if not both:
            raise ConfigError("Nobody was swapped in all of these renders: there is nothing to compare.")
        if left := [person.name for person, same in pairs if None in same]:
            reporter.note(f"{', '.join(left)}: not swapped in all of these renders, left out.")
        found = [[person, *same] for person, same in both]  # type: ignore[list-item]  # none is None
    else:
        found = [[person] for person in first]
    if not any(people[0].faces(span) for people in found):
        dst = renders[0].dst
        raise NoFacesError(f"The faceset '{dst.folder}' has no face of '{dst.header.source_name}' in these frames.")
    return [people for people in found if people[0].faces(span)]


def _same(person: Swapped, others: Sequence[Swapped]) -> Swapped | None:
    """Who of the `others`, of another render, is this person: the faces lie in the same places."""
    own = person.faces((0, None))
    counts = []
    for other in others:
        theirs = other.faces((0, None))
        shared_frames = own.keys() & theirs.keys()
        near_by = [i for i in shared_frames if abs(own[i].centre - theirs[i].centre).max() < own[i].size / 2]
        counts.append(len(near_by))
    best = max(range(len(others)), key=lambda place: counts[place], default=None)
    return others[best] if best is not None and counts[best] else None


def same_plate(renders: Sequence[Render], config: EvaluateConfig) -> tuple[Path, dict[str, Any]]:
    """The plate of all renders. Raises ConfigError where they are of different ones."""
    found = [plate_of(render, config) for render in renders]
    for render, (path, record) in zip(renders, found, strict=True):
        if record["sha256"] != found[0][1]["sha256"]:
            raise ConfigError(
                f"'{renders[0].path}' was made from '{found[0][0]}', '{render.path}' from '{path}': only renders of "
                "one plate can be compared. Measure them one by one."
            )
    return found[0]


def frames_of(renders: Sequence[Render], wanted: Span) -> Span:
    """The frames that are wanted and that all renders have. Raises ConfigError where there is none."""
    span = shared([wanted, *(render.span for render in renders)])
    if span[1] is not None and span[1] <= span[0]:
        raise ConfigError("There is no frame of --range that all of these renders have. Choose other frames.")
    return span


def file_record(path: Path, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Path, hash and size of a video or of pictures; see `io.manifest.input_record`."""
    record = input_record(path, known)
    return {name: record[name] for name in ("path", "sha256", "size")}


def network_record(name: str) -> dict[str, str]:
    """Name and hash of a network."""
    record = WEIGHTS.get(name)
    return {"name": name} if record is None else {"name": name, "sha256": record.sha256}
