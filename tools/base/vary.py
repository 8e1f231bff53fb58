"""Makes variants of portraits: the same person with another expression, lids closed, head turned.

    python tools/base/vary.py OUT --portraits FOLDER [--use train] [--each 3] [--seed 1]

Reads OUT/portraits_train.faces (or _held) and the pictures in FOLDER, writes OUT/variants_train.faces. Each variant is
a function of seed, portrait and number; its record has the landmarks that are found in it and the embedding of the
original. One that does not look as it was meant to, by the landmarker's and the recogniser's judgement, is drawn again
otherwise, and left out after TRIES. The same command again goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from collect import SIZE
from numpy.typing import NDArray
from portraits import Portrait, found, read_list
from sitters import Sitter, look, openness, sit

from konterfei.cli.console import ConsoleReporter
from konterfei.geometry import Crop, FaceType, head_pose
from konterfei.imaging import sharpness
from konterfei.io.faceset import FaceRecord, Faceset, FacesetHeader
from konterfei.io.images import encode_image, read_image
from konterfei.landmarkers import Landmarked
from konterfei.landmarkers.mesh478 import MESH_TO_68, Mesh478
from konterfei.performers.motion import Pose
from konterfei.recognizers.mobilefacenet import MobileFaceNet
from konterfei.reporting import Reporter, check

DONORS = ("P002", "P007", "P008")
"""Performers who lend expressions, folds and teeth; nothing else of theirs is in a variant."""
QUALITY = 92
"""Of the crops' JPEG."""
EYES = slice(36, 48)
"""Of the 68 points."""
TRIES = 4
"""Poses that are tried for one variant."""
PRESENT = 0.9
"""Landmarker's presence below which a variant is left out."""
ASTRAY = 0.045
"""Most that the points found may lie from those meant, in eye distances, in the mean over all but the jaw."""
EYES_ASTRAY = 0.075
"""The same over the eyes alone: half the height of an open eye is 0.05."""
SHUT = 0.20
"""Most that lids which are drawn shut may seem open, over the eye's width, for the points found to be kept. Where they
are shut the landmarker says 0.09 to 0.20; but under glasses and in hard light it sees open eyes that are not there, so
often that they would be missing: there the lids' points are those by which they were drawn."""
FOLDED = 0.02
"""Most of the face that may be turned over, as a share of its area."""
STILL_THEM = 0.5
"""Least cosine between a variant's embedding and the original's."""


def main() -> None:
    """Reads what is asked for, and makes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the facesets")
    parser.add_argument("--portraits", type=Path, required=True, metavar="FOLDER", help="folder of the pictures")
    parser.add_argument("--use", choices=("train", "held"), default="train")
    parser.add_argument("--each", type=int, default=3, help="variants of each portrait")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with ConsoleReporter.on_stderr() as reporter:
        vary(given.out, given.portraits, given.use, given.each, given.seed, reporter)


@dataclass
class Studio:
    """What looking at variants takes."""

    landmarker: Mesh478
    recognizer: MobileFaceNet

    def judged(self, sitter: Sitter, pose: Pose, original: FaceRecord) -> tuple[NDArray[np.uint8], Landmarked] | str:
        """A variant's picture and what is found in it, or why it is of no use."""
        if sitter.folded(pose) > FOLDED:
            return "folded over"
        image, meant = sitter.draw(pose)
        seen = look(self.landmarker, image, meant)
        if seen.presence < PRESENT:
            return "no face seen"
        unit = float(np.linalg.norm(meant[263] - meant[33]))
        away = np.linalg.norm(seen.points - meant[MESH_TO_68], axis=1) / unit
        if away[17:].mean() > ASTRAY or away[EYES].mean() > EYES_ASTRAY:
            return "points astray"
        if pose.blink == 1 and max(openness(seen.points)) > SHUT:
            seen.points[EYES] = meant[MESH_TO_68][EYES]
        if original.face.embedding is not None:
            (vector,) = self.recognizer.embed(image, [seen.points])
            if float(vector @ original.face.embedding) < STILL_THEM:
                return "somebody else"
        return image, seen


def vary(out: Path, pictures: Path, use: str, each: int, seed: int, reporter: Reporter) -> Counter[str]:
    """The faceset of variants, filled; gives how many were made, and how many were not for which reason.

    Args:
        out: folder of the facesets of collect.py.
        pictures: folder of the portraits.
        use: train or held.
        each: variants of each portrait.
        seed: another one gives other variants.
        reporter: is told how far it is.
    """
    studio, tally = Studio(Mesh478(threads=1), MobileFaceNet(threads=1)), Counter[str]()
    portraits = read_list()
    with (
        Faceset.open(out / f"portraits_{use}.faces") as originals,
        Faceset.create(out / f"variants_{use}.faces", FacesetHeader(face_type=FaceType.WHOLE, size=SIZE)) as variants,
    ):
        matches = found(portraits, originals.records())
        matches = {number: record for number, record in matches.items() if portraits[number].use == use}
        stale = [record.name for record in variants.records() if record.frame_index // 100 not in matches]
        variants.set_aside(stale, "no longer in the list")
        done = {record.frame_index for record in variants.records()}
        reporter.start("making variants", len(matches), "portraits")
        for count, (number, record) in enumerate(matches.items(), 1):
            check(reporter)
            due = [n for n in range(each) if number * 100 + n not in done]
            tally["there"] += each - len(due)
            if due:
                picture = read_image(pictures / portraits[number].file)
                for told, crop in _variants(studio, portraits[number], number, picture, record, due, seed, tally):
                    variants.add_jpeg(encode_image(crop, ".jpg", QUALITY), told)
            reporter.advance(count, made=tally["made"])
        reporter.finish()
    told = ", ".join(f"{reason} {number}" for reason, number in tally.most_common())
    reporter.note(f"variants of portraits_{use}: {told}")
    return tally


def _variants(
    studio: Studio,
    portrait: Portrait,
    number: int,
    picture: NDArray[np.uint8],
    record: FaceRecord,
    due: list[int],
    seed: int,
    tally: Counter[str],
) -> list[tuple[FaceRecord, NDArray[np.uint8]]]:
    """Those of the variants `due` of one portrait that came out well."""
    if portrait.glasses == "dark":  # eyes would be drawn over the lenses
        tally["dark glasses"] += len(due)
        return []
    donor = DONORS[int(np.random.default_rng([seed, number]).integers(len(DONORS)))]
    sitter = sit(picture, record, donor, studio.landmarker)
    if sitter is None:
        tally["eyes not seen"] += len(due)
        return []
    made = []
    for variant in due:
        for attempt in range(TRIES):
            rng = np.random.default_rng([seed, number, variant, attempt])
            pose = pose_of(rng, float(record.pose[1]), sitter.mouth_open, variant == 0)
            answer = studio.judged(sitter, pose, record)
            if not isinstance(answer, str):
                made.append(_crop(answer[0], answer[1], record, number * 100 + variant))
                tally["made"] += 1
                break
            tally[answer] += 1
        else:
            tally["given up"] += 1
    return made


def pose_of(rng: np.random.Generator, yaw: float, mouth_open: bool, shut: bool) -> Pose:
    """What a variant does.

    Args:
        rng: where it is drawn from.
        yaw: of the portrait as its record has it, radians: what is turned already is turned less.
        mouth_open: of the portrait; then "jaw" closes it.
        shut: whether the lids are closed for certain; else one in six.
    """
    turn = np.radians(20 if abs(yaw) < 0.2 else 13 if abs(yaw) < 0.44 else 7)
    weights = {"yaw": rng.uniform(-turn, turn), "pitch": rng.uniform(-1, 1) * np.radians(10)}
    lids = 0.0 if shut else rng.random()
    if lids < 0.17:
        weights["blink"] = 1.0
    elif lids < 0.30:
        weights["blink"] = rng.uniform(0.3, 0.8)
    brows = rng.choice(["", "surprise", "frown"], p=[0.45, 0.30, 0.25])
    if brows:
        weights[brows] = rng.uniform(0.4, 1.0) * (0.6 if "blink" in weights else 1.0)
    chances = [0.25, 0.40, 0.10, 0.05, 0.20] if mouth_open else [0.25, 0.30, 0.20, 0.08, 0.17]
    mouth = rng.choice(["", "jaw", "smile", "wide", "pucker"], p=chances)
    if mouth:
        low, high = {"jaw": (0.3, 1.0), "smile": (0.3, 0.9), "wide": (0.2, 0.5), "pucker": (0.4, 1.0)}[mouth]
        weights[mouth] = rng.uniform(low, high) * (0.6 if mouth_open and mouth == "smile" else 1.0)
    gaze = (rng.uniform(-0.6, 0.6), rng.uniform(-0.3, 0.25)) if rng.random() < 0.4 else (0.0, 0.0)
    return Pose(**{name: float(value) for name, value in weights.items()}, gaze=gaze)


def _crop(
    image: NDArray[np.uint8], seen: Landmarked, original: FaceRecord, index: int
) -> tuple[FaceRecord, NDArray[np.uint8]]:
    """The variant's crop and record."""
    crop = Crop.fit(seen.points, FaceType.WHOLE, SIZE)
    cut = crop.cut(image)
    height, width = image.shape[:2]
    face = replace(
        original.face,
        box=np.concatenate([seen.points.min(axis=0), seen.points.max(axis=0)]),
        landmarks=seen.points,
        iris=seen.iris,
        presence=seen.presence,
    )
    record = FaceRecord(
        source=f"variants/{original.source.rpartition('/')[2]}",
        frame_index=index,
        pts=Fraction(0),
        face=face,
        raw_landmarks=seen.points,
        pose=head_pose(seen.points, (width, height)),
        sharpness=sharpness(cut),
        face_type=FaceType.WHOLE,
        size=SIZE,
        crop_from_frame=crop.crop_from_frame.matrix,
        frame_size=(width, height),
    )
    return record, cut


if __name__ == "__main__":
    main()
