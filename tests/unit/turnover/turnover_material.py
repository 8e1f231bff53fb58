"""A drawn frame with grain, faces in it, what a model made of them; and what a compositing program does with layers."""

from fractions import Fraction

import cv2
import numpy as np

from konterfei.compositing import MergeSettings, Swapped, cut_face, merge_layers
from konterfei.geometry import HEAD_68, Face, FaceType
from konterfei.io.video import ColorTags, VideoInfo
from konterfei.provenance.consent import Consent, require
from konterfei.provenance.credentials import Claim, Material
from konterfei.provenance.label import draw_label
from konterfei.turnover import PackageSettings

WIDTH, HEIGHT = 320, 240


def face_at(x=170.0, y=120.0, scale=0.6, roll=0.3, track=0):
    cos, sin = np.cos(roll), np.sin(roll)
    points = HEAD_68[:, :2].astype(np.float64) @ np.array([[cos, sin], [-sin, cos]]) * scale + [x, y]
    return Face(box=[*points.min(axis=0), *points.max(axis=0)], landmarks=points, track=track)


def plate_of(kind=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.uniform(0, 1, (12, 16, 3)).astype(np.float32), (WIDTH, HEIGHT))
    image = np.clip(np.float32([0.75, 0.55, 0.4]) + 0.5 * (coarse - 0.5) + rng.normal(0, 0.02, coarse.shape), 0, 1)
    return (image * (255 if kind == np.uint8 else 65535)).astype(kind)


def drawn_by_model(plate, face, size=96):
    crop, aligned = cut_face(plate, face, FaceType.WHOLE, size)
    y, x = np.mgrid[:size, :size] / size - 0.5
    rings = 0.15 * np.sin(40 * np.hypot(x, y))[..., None] * np.float32([1, 0.5, -1])
    image = np.clip(aligned.astype(np.float32) / 255 * np.float32([0.7, 0.9, 1.0]) + rings, 0, 1).astype(np.float32)
    return Swapped(crop=crop, aligned=aligned, image=image, mask=np.ones((size, size), np.float32))


def merged_frame(faces=None, kind=np.uint8, mode="overlay", label="corner", size=96, seed=0, **settings):
    """Plate, finished frame with label, the same without, layers."""
    plate = plate_of(kind, seed)
    faces = [face_at()] if faces is None else faces
    swapped = [drawn_by_model(plate, face, size) for face in faces]
    merged = merge_layers(plate, faces, swapped, MergeSettings(mode=mode, **settings))
    return plate, draw_label(merged.image.copy(), label), merged.image, merged.layers


def rgb(exr, layer=""):
    """A layer over the whole picture. [H, W, 3] float64"""
    names = [f"{layer}.{letter}" if layer else letter for letter in "RGB"]
    return np.stack([exr.over_picture(name) for name in names], axis=2).astype(np.float64)


def over(exr, plate, transfer):
    """The change over the plate, in linear light, back to values in 0..1."""
    rest = 1 - exr.over_picture("A").astype(np.float64)[..., None]
    return transfer.encode(rgb(exr) + rest * transfer.light(plate).astype(np.float64))


def built_up(exr, plate, transfer, faces=("face0",)):
    """The faces over the plate through their masks, plus the rest, plus the label; back to values in 0..1."""
    light = transfer.light(plate).astype(np.float64)
    for face in faces:
        mask = exr.over_picture(f"{face}_mask.A").astype(np.float64)[..., None]
        light = light * (1 - mask) + rgb(exr, f"{face}_swap") * mask
    return transfer.encode(light + rgb(exr, "rest"))


def from_map(picture, u, v):
    """What a program does with a map: for each pixel the picture's at (u, v), v up, centres at (i + 0.5) / n."""
    height, width = picture.shape[:2]
    x, y = u * width - 0.5, (1 - v) * height - 0.5
    return cv2.remap(picture.astype(np.float32), x.astype(np.float32), y.astype(np.float32), cv2.INTER_CUBIC)


def settings_of(folder, label="corner", transfer=1):
    """What is the same for all frames of a package."""
    Consent(person="Drawn", basis="synthetic", scope=("any",)).save(folder / "consent.toml")
    Consent(person="Drawn", basis="synthetic", scope=("any",)).save(folder / "consent.toml")
    claim = Claim(
        plate=Material(name="plate.mp4", sha256="cd" * 32),
        consent=require(folder / "consent.toml"),
        model="painter",
        steps=7,
        preset="none",
        frames_swapped=2,
        label=label,
        settings={"color": "rct"},
    )
    info = VideoInfo(
        path=folder / "plate.mp4",
        width=WIDTH,
        height=HEIGHT,
        fps=Fraction(25),
        num_frames=3,
        time_base=Fraction(1, 25),
        codec="h264",
        pixel_format="yuv420p",
        color=ColorTags(1, transfer, 1, 1),
    )
    return PackageSettings(info=info, claim=claim)
