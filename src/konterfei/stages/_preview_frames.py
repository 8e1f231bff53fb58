"""Frames of a merge, one at a time: the same steps over the same neighbouring frames, so the same pixels.

What took long is remembered, so that another setting costs the compositing of a few faces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from numpy.typing import NDArray

from konterfei.compositing import Keys, MergeSettings
from konterfei.compositing.keys import changed
from konterfei.compositing.layers import Value
from konterfei.errors import ConfigError, UsageError
from konterfei.imaging import sdr_look
from konterfei.io.atomic import make_folder, output_error
from konterfei.io.faceset import FaceRecord
from konterfei.io.images import encode_image
from konterfei.io.manifest import input_record
from konterfei.io.sequence import is_sequence, list_images
from konterfei.io.video import look
from konterfei.provenance.certificate import signing_identity
from konterfei.provenance.credentials import Claim, Material, sign
from konterfei.provenance.label import draw_label
from konterfei.reporting import Reporter
from konterfei.stages import _merge_checks as checks
from konterfei.stages._merge_cast import Role, cast_for
from konterfei.stages._merge_clock import Clock
from konterfei.stages._merge_render import Reach
from konterfei.stages._merge_roles import FaceSwapper, labels_in
from konterfei.stages._merge_stream import SWAPPED, composite, draw, steady
from konterfei.stages._preview_memory import FrameMemory, RememberingCast
from konterfei.stages._preview_settings import PreviewConfig
from konterfei.stages._preview_sheet import named, sheet

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """One frame of a merge.

    Attributes:
        image: with the faces swapped. [H, W, 3] uint8 or uint16
        plate: the frame as it was.
        reason: SWAPPED, or why not.
    """

    image: Array
    plate: Array
    reason: str


class Preview:
    """Frames of a merge, one at a time, with any settings. Open it once: models and what was drawn are kept.

    Args:
        config: what to look at.
        reporter: told what a merge would be told.
        swapper: a model in the place of the command line's.

    Attributes:
        settings: of every frame, where `keys` say nothing else.
        keys: what else is said.
        info: what the plate is.

    Raises:
        ConsentError, ConfigError, FacesetError, UnreadableMediaError, NoFacesError: as for a merge.
    """

    def __init__(self, config: PreviewConfig, reporter: Reporter, swapper: FaceSwapper | None = None) -> None:
        self._config, self._reporter = config, reporter
        self._main = Role(
            model=config.model, snapshot=config.snapshot, morph=config.morph, consent=config.consent, use=config.use
        )
        self._main.require()
        checks.check_inputs(config.src_videos)
        self._identity = signing_identity(config.certificate, config.key)
        self._plate = input_record(config.video, None)
        self._faceset = checks.matching_faceset(
            config.faces, self._plate, look(config.video), force=config.force, reporter=reporter
        )
        self.info = checks.plate_info(config.video, config.fps, self._faceset.header.settings, reporter)
        checks.refuse_without_faces(self._faceset, 0, None)
        self._frames = FrameMemory(config.video, self.info.fps, self.info.bit_depth > 8, self.info.is_deinterlaced)
        self._pictures = list_images(config.video) if is_sequence(config.video) else None
        self.settings = changed(config, {})
        self._memory: RememberingCast | None = None
        self._swapper = swapper
        self.keys = Keys()
        self.use_keys(Keys() if config.keys is None else Keys.load(config.keys, self.info.fps))

    def use_keys(self, keys: Keys) -> None:
        """Other settings for single frames, shots and faces; other models, too.

        Raises:
            ConfigError, ConsentError, NoFacesError: they make no sense; the old ones stay.
        """
        opener = cast_for(
            self._main,
            keys,
            self._faceset,
            device=self._config.device,
            threads=self._config.threads,
            swapper=self._swapper,
        )
        opener = replace(opener, segmenter=self._config.segmenter)
        consents = {role: role.require() for role in opener.in_order}
        checks.refuse_without_segmenter(keys.variants(self.settings), self._config.segmenter)
        before = self._memory
        cast = opener(self._reporter) if before is None else before.cast.recast(opener)
        claim = cast.claim(  # opens the models: what fails, fails now
            Material(name=self._config.video.name, sha256=self._plate["sha256"]),
            consents,
            label=self._config.label,
            src_videos=self._config.src_videos,
            settings={},
        )
        sources = tuple(replace(source, path=None) for source in claim.sources)  # named by their hashes
        self._base_claim = replace(claim, sources=sources)
        self._label_text = claim.label_text
        self.keys, self._memory = keys, RememberingCast(cast, before)

    def close(self) -> None:
        """Let go of the plate's file; what is looked at after that opens it again."""
        self._frames.close()

    @property
    def middle(self) -> int:
        """The middle one of the frames with a face."""
        indices = self._faceset.frame_indices()
        return indices[len(indices) // 2]

    def faces_at(self, index: int) -> list[FaceRecord]:
        """The faces in a frame."""
        return self._faceset.faces_at(index)

    def frame(self, index: int, settings: MergeSettings | None = None, names: bool = False) -> Look:
        """A frame as the merge gives it, labelled.

        Args:
            index: of the frame.
            settings: instead of those of every frame; the keys still count for more.
            names: write beside every face which track and person it is.

        Raises:
            ConfigError: there is no such frame; settings that make no sense.
            FacesetError, KonterfeiError: it cannot be merged.
        """
        seen = self._merged(index, settings or self.settings, {})
        image = named(seen.image, [record.face for record in self.faces_at(index)]) if names else seen.image
        return replace(seen, image=self._labelled(image))

    def _merged(self, index: int, base: MergeSettings, over: Mapping[str, Value]) -> Look:
        """A frame without its label. `over`: controls with values that count for more than everything else."""

        def settings_at(at: int, record: FaceRecord | None) -> MergeSettings:
            who = (None, None) if record is None else (record.face.track, record.face.person)
            return changed(self.keys.at(at, base, *who), over)

        assert self._memory is not None
        size = self.info.width, self.info.height
        if settings_at(index, None).is_square:
            size = (self._memory.cast.resolution,) * 2
        reach = Reach.of(self.keys, changed(base, over), self.info.fps)
        frames = self._frames.frames(range(max(index - reach.total, 0), index + reach.total + 1))
        items = draw(
            frames,
            self._faceset.faces_at,
            self._memory,
            settings_at,
            batch=self._config.batch,
            reach=reach.faces,
            clock=Clock(),
            look=sdr_look(self.info.color.transfer, self.info.color.primaries),
            labels_of=labels_in(self._faceset),
        )
        for item in steady(items, reach.colors, range(index, index + 1)):
            if item.frame.index == index:
                merged, reason, _, _ = composite(item, size)
                return Look(image=merged.image, plate=item.frame.image, reason=reason)
        raise ConfigError(
            f"There is no frame {index} in '{self._config.video}': it has {self.info.num_frames}, from 0, or that one "
            "could not be decoded. Choose another with --frame."
        )

    def grid(self, index: int, control: str, values: tuple[Value, ...]) -> tuple[Array, list[str]]:
        """A contact sheet of one frame with several values of a control, and why some of them are not possible.

        Raises:
            ConfigError, UnknownNameError: not one of them is.
        """
        pictures: dict[str, Array] = {}
        failed: dict[str, UsageError] = {}
        for value in values:
            try:
                seen = self._merged(index, self.settings, {control: value})
            except UsageError as error:
                failed[str(value)] = error
                continue
            pictures |= {} if pictures else {"plate": seen.plate}
            is_now = getattr(self.keys.at(index, self.settings), control) == value
            pictures[f"{value} (now)" if is_now else str(value)] = seen.image
        if not pictures:
            raise next(iter(failed.values()))
        faces = [record.face for record in self.faces_at(index)]
        made = sheet(f"frame {index}: {control}", pictures, faces, self._config.label, self._label_text)
        return self._labelled(made), [f"{control} {value} is not shown: {error}" for value, error in failed.items()]

    def _labelled(self, image: Array) -> Array:
        return draw_label(image.copy(), self._config.label, self._label_text)

    def save(self, image: Array, path: Path, index: int, reason: str, told: Mapping[str, Any]) -> None:
        """Write a picture of a frame: signed, or not at all.

        Args:
            image: [H, W, 3] uint8 or uint16
            path: .png
            index: of the frame.
            reason: SWAPPED, or why not.
            told: what the credentials say besides the settings.
        """
        make_folder(path.parent)
        with TemporaryDirectory(prefix="konterfei-") as folder:
            unsigned = Path(folder) / "unsigned.png"
            try:
                unsigned.write_bytes(encode_image(image, ".png"))
            except OSError as error:
                raise output_error(unsigned, error) from error
            sign(unsigned, path, self._claim(index, reason, told), self._identity)
        self._reporter.preview(path)

    def _claim(self, index: int, reason: str, told: Mapping[str, Any]) -> Claim:
        video = self._config.video
        own = Material(name=video.name or video.resolve().name, sha256=self._plate["sha256"])
        if self._pictures is not None and index < len(self._pictures):
            own = Material.of(self._pictures[index])
        here = self.keys.at(index, self.settings)
        settings = {item.name: getattr(here, item.name) for item in fields(MergeSettings)}
        is_swapped = reason == SWAPPED
        return replace(
            self._base_claim,
            plate=own,
            settings={**settings, **told},
            frame=index,
            frames_swapped=int(is_swapped),
            frames_not_swapped={} if is_swapped else {reason: 1},
        )
