"""import dfl-workspace: a whole workspace of DeepFaceLab in, a project out. Runs the other imports."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from konterfei.errors import Cancelled, ConfigError, KonterfeiError
from konterfei.exchange import FACE_READERS
from konterfei.exchange.film import look_through
from konterfei.io.images import READABLE
from konterfei.io.legacy_model import legacy_models
from konterfei.io.legacy_pak import PAK_NAME
from konterfei.io.sequence import USUAL_FPS, frame_rate
from konterfei.io.video import probe
from konterfei.reporting import Reporter
from konterfei.stages._settings import allow
from konterfei.stages.import_faces import ImportFacesConfig, ImportFacesResult, import_faces
from konterfei.stages.import_model import NEAREST_PRESET, ImportDflModelConfig, import_dfl_model

_NOT_FILMS = (*READABLE, ".txt", ".toml", ".json", ".dat", ".npy", ".pak", ".zip")
_LEFT = {
    "aligned_debug": "pictures to look at; konterfei draws its own",
    "aligned_trash": "faces that were thrown away",
    "aligned_xseg": "copies of labelled faces",
    "merged": "merged frames: they are made anew",
    "merged_mask": "masks of merged frames: they are made anew",
}
"""Folders of a workspace that stay where they are, and why."""


@dataclass(frozen=True, kw_only=True)
class ImportDflWorkspaceConfig:
    """Take over a whole workspace of DeepFaceLab: the faces of src and dst, the plate, every model.

    Nothing in the workspace is changed, and nothing in its files is executed. The plate stays where it is.
    """

    workspace: Path
    """DeepFaceLab's workspace: the folder with data_src, data_dst and model in it."""
    output: Path | None = None
    """Folder of the project to make. The same command on it goes on where it was stopped."""
    list: bool = False
    """Say what would be taken over and what not, and do nothing."""
    src_name: str = "data_src"
    """Name of the person whose face is given, for the project: identities/NAME."""
    dst_name: str = "data_dst"
    """Name of the shot that the face goes into: shots/NAME."""
    fps: str | None = None
    """Frames per second of data_dst's frames, where there is no video beside them."""
    recognize: bool = True
    """Tell who each face is; see konterfei import faces."""
    threads: int = 0
    """Threads of the recognizer; 0 = one per core."""

    def __post_init__(self) -> None:
        for flag, name in (("--src-name", self.src_name), ("--dst-name", self.dst_name)):
            is_name = re.fullmatch(r"[\w.-]*\w[\w.-]*", name) is not None and not name.startswith(".")
            allow(flag, f"'{name}'", is_name, "letters, digits, dots, hyphens and underscores")
        allow("--threads", self.threads, self.threads >= 0, "0 or more")
        if self.fps is not None:
            frame_rate(self.fps)
        if self.output is None and not self.list:
            raise ConfigError("-o is missing: the folder of the project to make. With --list none is needed.")
        if self.output is not None and self.output.absolute() == self.workspace.absolute():
            raise ConfigError(f"-o is the workspace itself, '{self.workspace}'. Choose another folder.")


@dataclass(frozen=True, kw_only=True)
class ImportDflWorkspaceResult:
    """What was taken over, or would be.

    Attributes:
        taken: a line each.
        not_taken: what, and why; a line each.
        commands: to give next.
    """

    taken: tuple[str, ...]
    not_taken: tuple[str, ...]
    commands: tuple[str, ...] = ()

    def summary(self) -> list[str]:
        """All of it, for a person."""
        lines = ["taken over:", *(f"  {line}" for line in self.taken or ("nothing",))]
        if self.not_taken:
            lines += ["not taken over:", *(f"  {line}" for line in self.not_taken)]
        return [*lines, *(["next:", *(f"  {line}" for line in self.commands)] if self.commands else [])]


@dataclass(frozen=True)
class _Found:
    """What lies in a workspace.

    Attributes:
        src, dst: folder or pak of aligned faces.
        film: video that dst's frames came from.
        frames: folder of dst's frames, and how many.
        models: names.
        left: what stays, and why; a line each.
    """

    src: Path | None
    dst: Path | None
    film: Path | None
    frames: Path | None
    num_frames: int
    models: tuple[str, ...]
    left: tuple[str, ...]


def import_dfl_workspace(config: ImportDflWorkspaceConfig, reporter: Reporter) -> ImportDflWorkspaceResult:
    """Make a project of the workspace; what cannot be taken over is told and does not stop the rest.

    Raises:
        ConfigError: there is nothing of DeepFaceLab in the folder.
        OutputError: the project cannot be written.
        Cancelled: a person asked to stop; what was taken over is kept.
    """
    found = _look(config.workspace)
    film, why = _plate(found, config, reporter)
    if config.list or config.output is None:
        return _listed(config, found, film, why)
    taken: list[str] = []
    left = list(found.left)
    src = _faces(
        found.src, config.output / "identities" / config.src_name / "faces", None, config, reporter, taken, left
    )
    dst = _faces(found.dst, config.output / "shots" / config.dst_name / "faces", film, config, reporter, taken, left)
    models = {}
    for name in found.models:
        run = config.output / "models" / name
        try:
            done = import_dfl_model(
                ImportDflModelConfig(model_dir=config.workspace / "model", output=run, name=name), reporter
            )
        except Cancelled:
            raise
        except KonterfeiError as error:
            left.append(f"model {name}: {error}")
            continue
        models[name] = run
        taken.append(f"model {name} ({done.architecture}, {done.resolution} px, {done.steps} steps) -> {run}")
    left += [why] if why else []
    commands = _commands(src, dst, film, models)
    return ImportDflWorkspaceResult(taken=tuple(taken), not_taken=tuple(left), commands=tuple(commands))


def _look(workspace: Path) -> _Found:
    if not workspace.is_dir():
        raise ConfigError(f"There is no folder '{workspace}'. Name DeepFaceLab's workspace.")
    src, dst = (_aligned(workspace / name) for name in ("data_src", "data_dst"))
    models = tuple(legacy_models(workspace / "model"))
    films = sorted(
        each
        for each in workspace.iterdir()
        if each.stem.lower() == "data_dst" and each.is_file() and each.suffix.lower() not in _NOT_FILMS
    )
    frames = workspace / "data_dst"
    count = _num_pictures(frames)
    if src is None and dst is None and not models:
        raise ConfigError(
            f"'{workspace}' is no workspace of DeepFaceLab: there is no data_src/aligned, no data_dst/aligned and no "
            "model in it. For faces alone there is konterfei import faces, for models konterfei import dfl-model."
        )
    left = [f"{path.relative_to(workspace)}: {why}" for path, why in _stays(workspace)]
    left += [f"{film.name}: another video of the plate, {films[0].name} is taken" for film in films[1:]]
    return _Found(src, dst, films[0] if films else None, frames if count else None, count, models, tuple(left))


def _aligned(folder: Path) -> Path | None:
    """The faces of one side: what is packed counts more, as there."""
    for path in (folder / "aligned" / PAK_NAME, folder / "aligned"):
        if any(FACE_READERS.load(name).recognises(path) for name in ("dfl-pak", "dfl")):
            return path
    return None


def _num_pictures(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(each.suffix.lower() in READABLE and not each.name.startswith(".") for each in folder.iterdir())


def _stays(workspace: Path) -> Iterable[tuple[Path, str]]:
    for side in ("data_src", "data_dst"):
        for name, why in _LEFT.items():
            if (workspace / side / name).is_dir():
                yield workspace / side / name, why
    for path in sorted(workspace.iterdir()):
        if path.stem.lower() in ("result", "result_mask") and path.is_file():
            yield path, "a merged video: it is made anew"
        elif path.stem.lower() == "data_src" and path.is_file():
            yield path, "the video of src is not needed any more; its faces are"
    if _num_pictures(workspace / "data_src"):
        yield workspace / "data_src", "the frames of src are not needed any more; its faces are"
    for path in sorted((workspace / "model").glob("*")):
        if path.is_dir() and path.name.endswith(("_autobackups", "_history")):
            yield path, "backups and previews stay with DeepFaceLab's model"
        elif path.name.endswith("_merger_session.dat"):
            yield path, "a merger session holds DeepFaceLab's own objects; see docs/merging.md for the same settings"


def _plate(found: _Found, config: ImportDflWorkspaceConfig, reporter: Reporter) -> tuple[Path | None, str]:
    """What dst's faces are to be merged into, and what has to be said of it.

    The video, where the frames that DeepFaceLab took from it are as many as it has: then their numbers are its own.
    """
    if found.film is None:
        if found.dst is None or found.frames:
            return found.frames, ""
        return (
            None,
            "the plate: neither a video data_dst.* nor frames in data_dst are there; the faces can be trained on",
        )
    try:
        info = probe(found.film)
        count = info.num_frames
        if found.num_frames not in (0, count) and not config.list:
            count = len(look_through(found.film, Fraction(25), reporter).times)  # containers may only estimate it
    except Cancelled:
        raise
    except KonterfeiError as error:
        return found.frames, f"{found.film.name}: {error}"
    if found.frames is None or found.num_frames == count:
        odd = info.is_vfr and found.frames is None
        warning = f"{found.film.name} has a variable frame rate: check that faces lie where they should" if odd else ""
        return found.film, warning
    return found.frames, (
        f"{found.film.name}: it has {count} frames, data_dst has {found.num_frames}, so the numbers of the frames are "
        "not those of the video; the pictures are the plate"
    )


def _listed(config: ImportDflWorkspaceConfig, found: _Found, film: Path | None, why: str) -> ImportDflWorkspaceResult:
    taken = [
        f"faces of {who} in {path} -> {where}/{name}/faces"
        for who, path, where, name in (
            ("src", found.src, "identities", config.src_name),
            ("dst", found.dst, "shots", config.dst_name),
        )
        if path is not None
    ]
    taken += [f"plate {film}, where it is"] if film else []
    taken += [f"model {name} -> models/{name}" for name in found.models]
    return ImportDflWorkspaceResult(taken=tuple(taken), not_taken=(*found.left, *([why] if why else [])))


def _faces(
    path: Path | None,
    folder: Path,
    film: Path | None,
    config: ImportDflWorkspaceConfig,
    reporter: Reporter,
    taken: list[str],
    left: list[str],
) -> Path | None:
    """The faces of one side. Gives the faceset, or the largest of several; None where there is none."""
    if path is None:
        return None
    rate = USUAL_FPS if config.fps is None else config.fps
    if film is not None and film.is_dir() and config.fps is None:
        rate = _rate_beside(film)
    try:
        result: ImportFacesResult = import_faces(
            ImportFacesConfig(
                path=path, output=folder, frames=film, fps=rate, recognize=config.recognize, threads=config.threads
            ),
            reporter,
        )
    except Cancelled:
        raise
    except KonterfeiError as error:
        left.append(f"{path}: {error}")
        return None
    taken.append(f"{result.num_faces} faces of {path} -> {', '.join(str(each) for each in result.facesets)}")
    left += [f"{path}: {line}" for line in result.summary()[1:]]
    return result.facesets[0]


def _rate_beside(frames: Path) -> str:
    """Frames per second of the video beside a folder of frames, where there is one that can be read."""
    for path in sorted(frames.parent.iterdir()):
        if path.stem.lower() == frames.name.lower() and path.is_file():
            try:
                return str(probe(path).fps)
            except KonterfeiError:
                continue
    return USUAL_FPS


def _commands(src: Path | None, dst: Path | None, film: Path | None, models: dict[str, Path]) -> list[str]:
    """What to do next with it: merge with what was trained, train on, or begin."""
    swappers = {name: run for name, run in models.items() if name.rpartition("_")[2] in NEAREST_PRESET}
    masks = [run for name, run in models.items() if name not in swappers]
    lines = []
    if dst and film:
        for run in swappers.values():
            segmenter = f" --segmenter {masks[0]}" if masks else ""
            lines.append(
                f"konterfei merge {film} --faces {dst} --model {run} --consent CONSENT.toml -o OUT.mp4{segmenter}"
            )
    if src and dst:
        for name, run in swappers.items():
            preset = NEAREST_PRESET[name.rpartition("_")[2]]
            lines.append(f"konterfei train --src {src} --dst {dst} -o {run} --preset {preset}")
        if not swappers:
            lines.append(f"konterfei train --src {src} --dst {dst} -o {dst.parents[2] / 'models' / 'first'}")
    return lines
