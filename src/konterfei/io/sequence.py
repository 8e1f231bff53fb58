"""Folders of numbered images, read as if they were a video."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from konterfei.errors import ConfigError, UnreadableMediaError
from konterfei.io.atomic import sha256
from konterfei.io.images import READABLE, bit_depth, read_image
from konterfei.io.video_frames import ColorTags, Frame
from konterfei.io.video_probe import VideoInfo

_PATTERN = re.compile(r"%0?(\d*)d")
_SRGB = ColorTags(1, 13, 0, 2)
"""BT.709 primaries, sRGB curve, RGB, full range: what untagged pictures are."""
SEAL_SUFFIX = ".seal.png"
"""End of the name of a seal (see `provenance.seal`), which lies among the pictures and is no frame."""
USUAL_FPS = "25"
"""Frames per second of pictures, where nothing else is said: they do not say it themselves."""
_NTSC = (24, 30, 48, 60, 120)
"""Rates that are also used slowed down by 1000/1001, and then written as 23.976, 29.97, ..."""


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which frame_2 comes before frame_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]


def is_pattern(path: Path) -> bool:
    """Whether a path names a numbered sequence, as in `shot.%06d.png`."""
    return _PATTERN.search(path.name) is not None


def is_sequence(path: Path) -> bool:
    """Whether a path is to be read as pictures: a folder, or a pattern that is no file's own name."""
    return path.is_dir() or (is_pattern(path) and not path.is_file())


def folder_of(path: Path) -> Path:
    """The folder of a sequence: the path itself, or where the pictures of a pattern lie."""
    return path.parent if is_pattern(path) else path


def numbered(pattern: str, number: int) -> str:
    """`shot.%04d.png` and 7 -> `shot.0007.png`."""
    return _PATTERN.sub(lambda found: f"{number:0{found[1] or 0}d}", pattern, count=1)


def frame_rate(text: str | int | float | Fraction) -> Fraction:
    """Frames per second as a person writes them: 25, 23.976 (meant as 24000/1001) or 30000/1001.

    Raises:
        ConfigError: no number, or one that is no frame rate.
    """
    try:
        told = str(text).strip()
        rate = Fraction(told if re.fullmatch(r"[0-9./ ]{1,40}", told) else 0)  # 1e999999999 is a number, and endless
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 1 <= rate <= 1000:
        raise ConfigError(f"--fps is '{text}'; allowed: 1 to 1000, such as 25, 23.976 or 30000/1001.")
    for whole in _NTSC:
        slowed = Fraction(whole * 1000, 1001)
        if abs(rate - slowed) <= Fraction(1, 200):  # 23.976 and 23.98 alike
            return slowed
    return rate.limit_denominator(1001)


def sequence_sha256(path: Path) -> str:
    """The hash of a folder or pattern of pictures: of the list of their names and SHA-256, in the order of frames.

    Each line of the list is `<name> <SHA-256 in hexadecimal>` and ends with a newline. Other files do not count.

    Raises:
        UnreadableMediaError: no such folder, or no pictures in it.
    """
    listing = "".join(f"{file.name} {sha256(file)}\n" for file in list_images(path))
    return hashlib.sha256(listing.encode()).hexdigest()


def list_images(path: Path) -> list[Path]:
    """The pictures of a folder, or those that fit a pattern, in order of the numbers in their names.

    Raises:
        UnreadableMediaError: no such folder, or no pictures in it.
    """
    folder, fits = folder_of(path), None
    if is_pattern(path):
        head, tail = path.name[: _PATTERN.search(path.name).start()], _PATTERN.split(path.name)[-1]  # type: ignore[union-attr]
        fits = re.compile(re.escape(head) + r"\d+" + re.escape(tail))
    if not folder.is_dir():
        raise UnreadableMediaError(f"There is no folder '{folder}'. Check the path.")
    found = [
        file
        for file in folder.iterdir()
        if not file.name.startswith(".")
        and not file.name.endswith(SEAL_SUFFIX)
        and (fits.fullmatch(file.name) if fits else file.suffix.lower() in READABLE)
        and file.is_file()
    ]
    if not found:
        raise UnreadableMediaError(
            f"'{path}' holds no pictures ({', '.join(READABLE)}). Name a folder of images, or a video file."
        )
    return sorted(found, key=_natural)


class ImageSequenceReader:
    """Pictures as frames: the same manners as `VideoReader`.

    Frames are numbered by their place in the order of names, whatever the numbers in the names. A picture that cannot
    be read leaves a gap and is counted in `lost`.

    Args:
        path: folder, or pattern such as `shot.%06d.png`.
        start, stop: frames wanted.
        deep: give uint16 in 0..65535.
        fps: frames per second; pictures do not say.

    Raises:
        UnreadableMediaError: no pictures, none readable, or pictures of different sizes.
    """

    def __init__(
        self,
        path: Path | str,
        start: int = 0,
        stop: int | None = None,
        *,
        deep: bool = False,
        fps: Fraction | int = 25,
    ) -> None:
        self.path = Path(path)
        self._files = list_images(self.path)
        self._range = range(len(self._files))[max(start, 0) : stop]
        self._deep, self._fps = deep, Fraction(fps)
        self.lost, self.damaged, self.lost_is_estimate = 0, 0, False
        self.lost_files: list[Path] = []
        self._frames: Iterator[Frame] | None = None
        self.info = self._probe()

    def _probe(self) -> VideoInfo:
        last: UnreadableMediaError | None = None
        for file in self._files:
            try:
                height, width = read_image(file).shape[:2]
                break
            except UnreadableMediaError as error:
                last = error
        else:
            raise UnreadableMediaError(
                f"Not one of the {len(self._files)} pictures in '{self.path}' can be read."
            ) from last
        depth = bit_depth(file)
        return VideoInfo(
            path=self.path,
            width=width,
            height=height,
            fps=self._fps,
            num_frames=len(self._files),
            duration=len(self._files) / self._fps,
            time_base=1 / self._fps,
            codec=file.suffix.lower().lstrip("."),
            pixel_format="rgb24" if depth == 8 else "rgb48",
            bit_depth=depth,
            color=_SRGB,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop. There is nothing to let go of."""
        self._frames = iter(())

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        if self._frames is None:
            self._frames = self._read()
        return next(self._frames)

    def _read(self) -> Iterator[Frame]:
        for index in self._range:
            try:
                image = read_image(self._files[index], deep=self._deep)
            except UnreadableMediaError:
                self.lost += 1
                self.lost_files.append(self._files[index])
                continue
            if image.shape[:2] != (self.info.height, self.info.width):
                raise UnreadableMediaError(
                    f"'{self._files[index]}' is {image.shape[1]} x {image.shape[0]}, the first picture "
                    f"{self.info.width} x {self.info.height}. A sequence must have one size."
                )
            yield Frame(index, index / self._fps, image, 1 / self._fps)
