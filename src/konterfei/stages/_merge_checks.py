"""What can be found wrong before a merge begins, and what it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import Any

from konterfei.compositing import MergeSettings, Segmenter
from konterfei.errors import ConfigError, FacesetError, NoFacesError, OutputError, StoreError, UnreadableMediaError
from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset import Faceset
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.io.sequence import USUAL_FPS, folder_of, frame_rate, list_images
from konterfei.io.video import VideoInfo, is_sequence, look, probe
from konterfei.provenance.credentials import Material, ensure_signable
from konterfei.reporting import Reporter
from konterfei.stages._merge_encoding import Encoding
from konterfei.stages._merge_extras import Extra
from konterfei.stages._merge_output import output_for
from konterfei.stages._merge_roles import FaceSwapper
from konterfei.stages._run_material import material_of_run


def check_inputs(src_videos: Sequence[Path]) -> None:
    """Raise UnreadableMediaError where there is no such video or folder of pictures: at the end it would be late."""
    for path in src_videos:
        if is_sequence(path):
            list_images(path)
        elif not path.is_file():
            raise UnreadableMediaError(f"--src-videos: there is no file '{path}'. Check the path.")


def refuse_among_pictures(output: Path, inputs: Sequence[tuple[str, Path]]) -> None:
    """Raise OutputError where `output` would lie in a folder of pictures that is read: its report would be a frame."""
    for flag, path in inputs:
        if path.is_dir() and path.resolve() == output.parent.resolve():
            raise OutputError(
                f"Cannot write '{output}' into the folder of pictures given with {flag}: what lies beside it (the "
                "report) would be taken for a frame. Choose an output elsewhere."
            )


def plate_info(video: Path, fps: str | None, settings: Mapping[str, Any], reporter: Reporter) -> VideoInfo:
    """What the plate is. Pictures are shown at the rate that their faceset was extracted with.

    Args:
        video: the plate, a video or pictures.
        fps: as given by a person.
        settings: of the plate's faceset.
        reporter: told the rate of pictures.

    Raises:
        UnreadableMediaError: see `io.video.look`.
        ConfigError: another rate is given than that of the faceset, or the plate is interlaced and the faceset does not
            say how it was read.
    """
    if not is_sequence(video):
        info, way = probe(video), settings.get("deinterlace")
        if info.is_interlaced and way is None:
            raise ConfigError(
                f"'{video}' is interlaced, and its faces were found in frames of two woven pictures. Extract again "
                "with --deinterlace bwdif (or off, if it is only marked so); merge will read it in the same way."
            )
        return replace(info, is_deinterlaced=way == "bwdif")
    known = str(settings.get("fps", "") or "")
    rate = frame_rate(fps or known or USUAL_FPS)
    if known and rate != frame_rate(known):
        raise ConfigError(
            f"--fps is {fps}, the faces of '{video}' were extracted with --fps {known}. Leave --fps out, or extract "
            f"them again with --fps {fps}."
        )
    info = look(video, rate)
    reporter.note(f"'{video}' is {info.num_frames} pictures, shown at {float(rate):.6g} frames per second (--fps).")
    return info


def check_output(
    output: Path, inputs: Sequence[tuple[str, Path]], info: VideoInfo, encoding: Encoding | None = None
) -> None:
    """Refuse an output that cannot be signed or written, that is an input, or that would lie among input pictures.

    Args:
        output: video, or folder or pattern of pictures, to be written.
        inputs: flag and path of each; the plate first.
        info: what the plate is.
        encoding: how a video is written, as chosen for the plate; None = as usual.

    Raises:
        OutputError: which of these it is.
    """
    ensure_signable(output)
    encoding = encoding or Encoding().chosen(output, info)
    kind = output_for(output, encoding)
    for flag, path in inputs:
        if kind.place.exists() and folder_of(path).exists() and kind.place.samefile(folder_of(path)):
            what = "the file" if kind.place.is_file() else "the folder"
            raise OutputError(f"Cannot write '{output}': it is {what} given with {flag}. Choose another output.")
    refuse_among_pictures(kind.place, inputs)
    if kind.place.is_file() and kind.part_suffix == "":
        raise OutputError(f"Cannot write pictures into '{kind.place}': it is a file. Choose another folder.")
    kind.refuse_other_files()
    ensure_writable(kind.place, kind.bytes_needed(inputs[0][1], info, encoding))


def check_beside(extras: Sequence[Extra], inputs: Sequence[tuple[str, Path]], info: VideoInfo) -> None:
    """Raise OutputError where an extra cannot be written, or is an input.

    Args:
        extras: wanted.
        inputs: flag and path of each.
        info: what the plate is.
    """
    for extra in extras:
        for flag, path in inputs:
            if extra.place.exists() and folder_of(path).exists() and extra.place.samefile(folder_of(path)):
                raise OutputError(
                    f"Cannot write '{extra.place}' (--extras {extra.name}): it is given with {flag}. Choose another "
                    "output."
                )
        if extra.place.exists() and extra.place.is_dir() != (extra.part_suffix == ""):
            what = "folder" if extra.place.is_dir() else "file"
            raise OutputError(f"Cannot write '{extra.place}' (--extras {extra.name}): a {what} is in its way.")
        ensure_writable(extra.place, extra.bytes_needed(info, info.num_frames))


def refuse_foreign(output: Path, before: Manifest | None) -> None:
    """Raise OutputError when `output` is something that no merge made, or that was changed since: it may be dear."""
    content = output_for(output).content()
    if content is None or (before is not None and before.output.get("sha256") == content):
        return
    why = "was changed since it was merged" if before is not None and before.complete else "was not made by this merge"
    raise OutputError(f"'{output}' is there already and {why}. Choose another output, or --force to replace it.")


def remove_torn(output: Path) -> None:
    """Remove what a killed process left of `output` and of its manifest, under the temporary names of `io.atomic`.

    Only while no other merge writes there.
    """
    for path in (output, Manifest.file_for(output)):
        for torn in path.parent.glob(f".{escape(path.stem[:100])}.konterfei-tmp-*{escape(path.suffix)}"):
            with suppress(OSError):
                torn.unlink()


def matching_faceset(
    folder: Path, plate: Mapping[str, Any], info: VideoInfo, *, force: bool, reporter: Reporter
) -> Faceset:
    """The faceset in `folder`, which has to be that of the plate.

    Args:
        folder: of the faceset.
        plate: manifest record of the plate: its path and hash.
        info: what the plate is.
        force: the plate may be another file, of the same picture size (a new grade of the same cut, say).
        reporter: told of crops that are not used.

    Raises:
        FacesetError: no faceset, or that of another video.
    """
    faceset = Faceset.open(folder, reporter=reporter)
    header, video = faceset.header, Path(str(plate["path"])).name
    sizes = {record.frame_size for record in faceset.records()} - {(0, 0)}
    if header.source_sha256 != plate["sha256"]:
        what = f"'{header.source}'" if header.source else "several videos"
        last = max(faceset.frame_indices(), default=-1)
        details = []
        if sizes - {(info.width, info.height)}:
            there = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
            details.append(f"its frames are {there}, those of the plate {info.width} x {info.height}")
        if last >= info.num_frames:
            details.append(f"it has a face in frame {last}, the plate has about {info.num_frames} frames")
        told = f" ({'; '.join(details)})" if details else ""
        if not force or sizes - {(info.width, info.height)}:
            remedy = "or --force if it is the same shot in another encoding or grade" if not details else ""
            raise FacesetError(
                f"The faceset '{folder}' was made from {what}, not from this '{video}'{told}. Give the plate that it "
                f"was made from, or extract '{video}' anew{', ' + remedy if remedy else ''}."
            )
        reporter.warn(f"The faceset was made from {what}, another file than '{video}': used because of --force.")
    if int(header.settings.get("every_nth", 1) or 1) > 1:
        reporter.warn(
            f"The faceset was made of one frame in {header.settings['every_nth']} only; the frames between will not "
            "be swapped. Extract again with --every-nth 1."
        )
    made = Manifest.load(folder)
    removed = int(made.results.get("num_faces", 0)) - len(faceset) if made is not None else 0
    if removed > 0:
        reporter.note(f"{removed} crops were removed from '{folder}' since it was made: those faces stay as they are.")
    return faceset


def refuse_without_faces(faceset: Faceset, start: int, stop: int | None) -> None:
    """Raise NoFacesError when there is nothing to swap in the frames that are wanted."""
    wanted = [i for i in faceset.frame_indices() if i >= start and (stop is None or i < stop)]
    if wanted:
        return
    where = "" if (start, stop) == (0, None) else f" in frames {start} to {'the end' if stop is None else stop - 1}"
    there = faceset.frame_indices()
    spans = f"it has faces in frames {there[0]} to {there[-1]}" if there else "its crops are of other videos"
    raise NoFacesError(
        f"The faceset '{faceset.folder}' has no face to swap{where}: {spans}. Choose another range, or extract again."
    )


def open_swapper(
    run: Path, device: str, threads: int, reporter: Reporter, morph: float = 1.0, which: str = "newest"
) -> FaceSwapper:
    """The model of a run, ready to draw. The reporter is told when its newest snapshot is damaged.

    Raises:
        ConfigError: there is no run, no such snapshot, nothing was trained yet, or its model cannot stop at `morph`.
        DamagedFileError: it cannot be read.
    """
    if not run.exists():
        raise ConfigError(f"--model: there is no folder '{run}'. Train one with: konterfei train -o {run} ...")
    if not Run.exists(run):
        raise ConfigError(
            f"--model: '{run}' holds no run (no config.json). Name the folder given to konterfei train -o."
        )
    from konterfei.models.devices import use_threads  # torch is imported when it is needed, not for --help
    from konterfei.models.swapper import load_swapper

    use_threads(threads)
    try:
        return load_swapper(run, device, reporter=reporter, morph=morph, which=which)
    except StoreError as error:
        if type(error) is StoreError:  # nothing is damaged: there is nothing yet
            raise ConfigError(f"--model: {error}") from error
        raise


def refuse_without_segmenter(settings: Iterable[MergeSettings], segmenter: Path | None) -> None:
    """Raise ConfigError where settings ask for a segmenter's masks and there is no segmenter."""
    for one in settings:
        if one.needs_segmenter and segmenter is None:
            raise ConfigError(
                f"{'This mask_mode' if one.dfl else '--mask ' + one.mask} needs a segmenter. Give --segmenter the "
                "folder of an XSeg model of DeepFaceLab (or what konterfei import dfl-model made of it), or choose a "
                "mask without xseg in its name."
            )


def refuse_square(settings: MergeSettings, extras: Sequence[Extra], *, alpha: bool) -> None:
    """Raise ConfigError where the picture is the model's square, and something is wanted that lies over the plate."""
    wanted = "--extras" if extras else "--alpha"
    if settings.is_square and (extras or alpha):
        raise ConfigError(f"{wanted} needs pictures of the plate's size; the mode raw-predict makes the model's own.")


def open_segmenter(path: Path, device: str, reporter: Reporter) -> Segmenter:
    """The XSeg model in `path`, ready to look. Raises as `models.segmenter.load_segmenter`."""
    from konterfei.models.segmenter import load_segmenter

    return load_segmenter(path, device, reporter)


def segmenter_record(path: Path, segmenter: Segmenter | None) -> dict[str, Any]:
    """What a manifest notes about the segmenter."""
    return {"path": str(path.absolute()), "sha256": str(getattr(segmenter, "sha256", ""))}


def model_record(run: Path, swapper: FaceSwapper) -> dict[str, Any]:
    """What a manifest notes about the model; `base` is what its training began with, if it was one."""
    base = swapper.info.get("base")
    told = {"path": str(run.absolute()), "sha256": str(swapper.info.get("snapshot_sha256", ""))}
    return {**told, "base": base} if base else told


def sources(run: Path, swapper: FaceSwapper, src_videos: Sequence[Path]) -> tuple[Material, ...]:
    """What went into the result besides the plate: the src material and the model's snapshot.

    Where the src videos are not given, the run says which it began with: its faceset may have changed since.
    """
    src = [Material.of(path) for path in src_videos]
    if not src and Run.exists(run):
        told = Run.open(run).config.get("src")
        if isinstance(told, Mapping) and told.get("hash"):
            src = [material_of_run(Run.open(run).config, "src")]
    digest = str(swapper.info.get("snapshot_sha256", ""))
    if digest:
        src.append(Material(name=f"model snapshot {swapper.info.get('model', '')}".strip(), sha256=digest))
    return tuple(src)
