"""Draws docs/images/merge-modes.jpg: every merge mode with every colour transfer, on two people who do not exist.

    python tools/contact_sheet.py [--clips FOLDER] [--frame 60]

The drawn face is no model's: two performers rendered with one seed do the same in every frame, so the other clip's face
is what a perfect model would draw. It is bluish and brighter on one side, as a face of another film is. So the sheet
shows the merging alone. Needs the extra `demo` (docs/performers.md).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from konterfei.color_transfers import COLOR_TRANSFERS
from konterfei.compositing import MergeSettings, Swapped, cut_face, merge_layers
from konterfei.geometry import Crop, Face, FaceType, smooth_hull_mask
from konterfei.io.video import VideoReader
from konterfei.merge_modes import MERGE_MODES
from konterfei.performers import PerformerConfig, read_truth, render_performer
from konterfei.reporting import Silent

SRC, DST = "P006", "P007"
SIDE, TILE, GAP, TITLE = 256, 148, 4, 18
TINT = np.float32([0.8, 1.0, 1.3])
SHEET = Path(__file__).resolve().parents[1] / "docs" / "images" / "merge-modes.jpg"
BY_COLOR = ("multiband", "overlay", "hist-match", "seamless", "seamless-hist-match")


def main() -> None:
    """Render the clips (once), merge one frame in every way, write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, help="folder to keep the rendered clips in")
    parser.add_argument("--frame", type=int, default=60)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        frames = [shot(person, given.clips or Path(folder), given.frame) for person in (DST, SRC)]
    SHEET.parent.mkdir(parents=True, exist_ok=True)
    sheet(*frames).save(SHEET, quality=86, optimize=True)


def shot(person: str, folder: Path, index: int) -> tuple[np.ndarray, Face]:
    """A frame of a performer, and the face in it."""
    clip = render_performer(
        PerformerConfig(person=person, output=folder / f"{person}.mp4", seconds=(index + 1) / 25, sound=False), Silent()
    )
    points = read_truth(clip).landmarks[index]
    with VideoReader(clip, index) as reader:
        image = next(iter(reader)).image
    return image, Face(box=[*points.min(axis=0), *points.max(axis=0)], landmarks=points)


def sheet(dst: tuple[np.ndarray, Face], src: tuple[np.ndarray, Face]) -> Image.Image:
    """All of it in one picture."""
    frame, face = dst
    item = drawn(frame, face, *src)
    rows = [[(color, merged(frame, face, item, mode, color)) for color in COLOR_TRANSFERS] for mode in BY_COLOR]
    others = [
        ("plate", frame),
        ("face as drawn", np.rint(item.image * 255).astype(np.uint8)),
        *((mode, merged(frame, face, item, mode, "rct")) for mode in MERGE_MODES if mode not in BY_COLOR),
        ("mask", mask(frame, face, item)),
    ]
    names = [*BY_COLOR, "and besides"]
    width = max(map(len, [*rows, others])) * (TILE + GAP) + GAP
    page = Image.new("RGB", (width, len(names) * (TILE + 2 * TITLE + GAP) + GAP), "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    top = GAP
    for name, row in zip(names, [*rows, others], strict=True):
        pen.text((GAP, top), name, "black", ImageFont.load_default(15))
        for column, (title, picture) in enumerate(row):
            left = GAP + column * (TILE + GAP)
            pen.text((left, top + TITLE), title, "dimgrey", font)
            page.paste(tile(picture, face), (left, top + 2 * TITLE))
        top += TILE + 2 * TITLE + GAP
    return page


def drawn(frame: np.ndarray, face: Face, image: np.ndarray, other: Face) -> Swapped:
    """The other person's face as a model would draw it for this one."""
    crop, aligned = cut_face(frame, face, FaceType.WHOLE, SIDE)
    theirs = Crop.fit(other.landmarks, FaceType.WHOLE, SIDE)
    masks = [
        smooth_hull_mask(c.crop_from_frame @ f.landmarks, (SIDE, SIDE)) for c, f in ((theirs, other), (crop, face))
    ]
    light = np.linspace(0.8, 1.15, SIDE, dtype=np.float32)[None, :, None] * TINT
    lit = np.clip(theirs.cut(image).astype(np.float32) / 255 * light, 0, 1)
    return Swapped(crop=crop, aligned=aligned, image=lit, mask=masks[0], plate_mask=masks[1])


def merged(frame: np.ndarray, face: Face, item: Swapped, mode: str, color: str) -> np.ndarray:
    """The frame, merged."""
    return merge_layers(frame, [face], [item], MergeSettings(mode=mode, color=color)).image


def mask(frame: np.ndarray, face: Face, item: Swapped) -> np.ndarray:
    """What of the face is seen, in the frame."""
    (layer,) = merge_layers(frame, [face], [item], MergeSettings()).layers
    picture = np.zeros_like(frame)
    picture[layer.region] = np.rint(layer.alpha * 255)[..., None]
    return picture


def tile(picture: np.ndarray, face: Face) -> Image.Image:
    """The part around the face; a picture of another size than the frame is shown whole."""
    if picture.shape[0] > SIDE:
        left, top, right, bottom = face.box
        middle, half = ((left + right) / 2, (top + bottom) / 2 - (bottom - top) * 0.08), (bottom - top) * 0.85
        x, y, side = round(middle[0] - half), round(middle[1] - half), round(2 * half)
        picture = cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_REPLICATE)
        picture = picture[y + side : y + 2 * side, x + side : x + 2 * side]
    return Image.fromarray(cv2.resize(picture, (TILE, TILE), interpolation=cv2.INTER_AREA))


if __name__ == "__main__":
    main()
