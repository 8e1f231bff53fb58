"""How far can each recognizer be trusted? Likeness of one person's faces and of strangers', under what harms it.

    python benchmarks/recognizers.py --facesets faces --truth MANIFEST.tsv --portraits portraits [names ...]

`faces` holds facesets made with `extract --face-type whole`, each called like its video; the table has the columns file
and person, and persons of whom nobody knows who they are ("crowd", "none") are left out. Some faces of each person are
harmed in steps (a smaller picture, blur, compression, things drawn over the face), and compared with the unharmed ones
of everybody. The limit is what 1 of 1000 pairs of different people reach when nothing is harmed; all rows are told at
that limit: how many pairs of one person reach it (right), how many of different people (wrong), and d', the distance of
the two means in standard deviations.

Portraits show a different person each: how often are two taken for one, by the tone of their skin? The tone is the
individual typology angle of the cheeks as they appear (Chardon et al. 1991, doi 10.1111/j.1467-2494.1991.tb00561.x):
light and camera are in it. Every second portrait is used; the others made faceres' centre (tools/faceres_center.py).

With two recognizers it says how far they err alike, and what the others see in pictures that were changed to please
mobilefacenet, as a training with `--identity-power` does: a second opinion that fails with the first one is none.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch

from konterfei.detectors import DETECTORS
from konterfei.errors import NoFacesError
from konterfei.geometry import OUTER_LIP, Similarity, smooth_hull_mask
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.landmarkers import LANDMARKERS
from konterfei.nets.mobilefacenet import MobileFaceNet
from konterfei.recognizers import RECOGNIZERS
from konterfei.recognizers.aligned import TEMPLATE, aligned, five_points
from konterfei.tracking.reference import face_in_picture
from konterfei.weights import weights_path

UNKNOWN = ("crowd", "none")
EYES_AT_112 = 35.2
"""Distance of the eyes in ArcFace's picture of 112 px: sizes and blurs are told as in that picture."""
ONE_IN_1000 = 0.999
YAWS = ((0, 10), (10, 20), (20, 30), (30, 90))
"""Degrees."""
NUM_TONES = 4
"""Groups of equal size, by tone."""


@dataclass
class Seen:
    """A picture with one face."""

    image: np.ndarray
    points: np.ndarray
    person: str = ""
    clip: str = ""
    yaw: float = 0.0

    def harmed(self, image: np.ndarray, scale: float = 1.0) -> Seen:
        points = (self.points + 0.5) * scale - 0.5
        return Seen(image, points.astype(np.float32), self.person, self.clip, self.yaw)

    @property
    def unit(self) -> float:
        """Pixels of this picture for one of ArcFace's."""
        eyes = five_points(self.points)[:2]
        return float(np.linalg.norm(eyes[1] - eyes[0])) / EYES_AT_112


def at_size(seen: Seen, size: float) -> Seen:
    """The face as a camera further away sees it: `size` pixels for ArcFace's 112."""
    scale = size / 112 / seen.unit
    if scale >= 1:
        return seen
    height, width = (max(round(side * scale), 8) for side in seen.image.shape[:2])
    return seen.harmed(cv2.resize(seen.image, (width, height), interpolation=cv2.INTER_AREA), scale)


def blurred(seen: Seen, sigma: float) -> Seen:
    return seen.harmed(cv2.GaussianBlur(seen.image, (0, 0), sigma * seen.unit))


def compressed(seen: Seen, quality: float) -> Seen:
    small = at_size(seen, 112)
    _, data = cv2.imencode(".jpg", small.image, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return small.harmed(cv2.imdecode(data, cv2.IMREAD_COLOR))


def darkened(seen: Seen, factor: float) -> Seen:
    return seen.harmed(np.rint(seen.image * factor).astype(np.uint8))


def inside(points: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Pixels within the hull of some points. [H, W] bool"""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.rint(points).astype(np.int32)), 1)
    return mask > 0


def covered(seen: Seen, part: str) -> Seen:
    """A grey patch over the lower face or the eyes; or glasses drawn on."""
    image, points, unit = seen.image.copy(), seen.points, seen.unit
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    if part == "lower face":
        patch = np.vstack([points[2:15], points[30:31], points[OUTER_LIP]])
    else:
        across = (left - right) * 0.55
        down = np.array([-across[1], across[0]]) * 0.55
        corners = [right - across - down, left + across - down, left + across + down, right - across + down]
        patch = np.array(corners, np.float32)
    if part in ("lower face", "eyes"):
        image[inside(patch, image)] = 110
        return seen.harmed(image)
    axes = tuple(np.rint(np.array([13.0, 10.0]) * unit).astype(int).tolist())
    angle = float(np.degrees(np.arctan2(*(left - right)[::-1])))
    thick = -1 if part == "dark glasses" else max(round(1.6 * unit), 1)
    for eye in (right, left):
        middle = tuple(np.rint(eye + np.array([0, 1.5]) * unit).astype(int).tolist())
        cv2.ellipse(image, middle, axes, angle, 0, 360, (25, 22, 20), thick, cv2.LINE_AA)
    bridge = [tuple(np.rint(eye * 0.62 + other * 0.38).astype(int).tolist()) for eye, other in
              ((right, left), (left, right))]  # fmt: skip
    cv2.line(image, *bridge, (25, 22, 20), max(round(1.6 * unit), 1), cv2.LINE_AA)
    return seen.harmed(image)


HARMS: dict[str, tuple[Callable[[Seen, float], Seen], tuple[float, ...]]] = {
    "size, px": (at_size, (112, 80, 64, 48, 32, 24)),
    "blur, px at 112": (blurred, (1, 2, 3, 4)),
    "JPEG quality at 112 px": (compressed, (80, 50, 30, 15)),
    "light, times": (darkened, (0.5, 0.25, 0.12)),
}
PARTS = ("lower face", "eyes", "glasses", "dark glasses")


def in_other_heads(faces: list[Seen]) -> tuple[list[Seen], list[int]]:
    """Each face within its outline, laid into a picture of somebody else: what the best swap could be; and whose."""
    rng, laid, heads = np.random.default_rng(0), [], []
    people = np.array([face.person for face in faces])
    for face in faces:
        heads.append(int(rng.choice(np.flatnonzero(people != face.person))))
        other = faces[heads[-1]]
        to_face = Similarity.fit(other.points.astype(np.float64), face.points.astype(np.float64)).matrix
        shape = face.image.shape[1::-1]
        around = cv2.warpAffine(other.image, to_face, shape, borderMode=cv2.BORDER_REPLICATE)
        mask = smooth_hull_mask(face.points, shape[::-1])[..., None]
        laid.append(face.harmed(np.rint(face.image * mask + around * (1 - mask)).astype(np.uint8)))
    return laid, heads


def faces_in(folder: Path, who: dict[str, str], count: int) -> list[Seen]:
    """`count` faces of each person, spread over his clips and over time."""
    found = []
    clips = Counter(who[place.name] for place in folder.iterdir() if place.is_dir() and place.name in who)
    for place in sorted(folder.iterdir()):
        person = who.get(place.name, "none")
        if person in UNKNOWN or not place.is_dir():
            continue
        faceset = Faceset.open(place)
        records = faceset.records()
        usual = Counter(record.face.person for record in records).most_common(1)[0][0]
        records = [record for record in records if record.face.person == usual]
        wanted = min(max(count // clips[person], 2), len(records))
        for number in np.linspace(0, len(records) - 1, wanted).astype(int):
            record = records[number]
            points = (record.crop.crop_from_frame @ record.face.landmarks).astype(np.float32)
            yaw = abs(float(np.degrees(record.pose[1])))
            found.append(Seen(faceset.image(record.name), points, person, place.name, yaw))
    return found


def embedded(recognizer, faces: list[Seen]) -> np.ndarray:
    return np.concatenate([recognizer.embed(face.image, [face.points]) for face in faces])


class Pairs:
    """Cosines of faces [N] with others [M], apart by whether they are of one person; never a face with itself."""

    def __init__(self, vectors: np.ndarray, plain: np.ndarray, who: np.ndarray, rows=None, columns=None) -> None:
        alike = who[:, None] == who[None]
        counted = ~np.eye(len(who), dtype=bool)
        counted[[] if rows is None else ~rows] = False
        counted[:, [] if columns is None else ~columns] = False
        cosines = vectors @ plain.T
        self.same, self.other = cosines[alike & counted], cosines[~alike & counted]

    def told(self, name: str, limit: float) -> str:
        same, other = self.same.mean(), self.other.mean()
        apart = (same - other) / np.sqrt((self.same.var() + self.other.var()) / 2)
        return (
            f"  {name:30} {same:6.2f} {other:6.2f} {apart:6.2f}"
            f" {100 * (self.same >= limit).mean():7.1f} {100 * (self.other >= limit).mean():7.2f}"
        )


def tell_clips(name: str, recognizer, faces: list[Seen]) -> np.ndarray:
    """The table of one recognizer; gives the embeddings of the unharmed faces."""
    who, yaws = np.array([face.person for face in faces]), np.array([face.yaw for face in faces])
    clips = np.array([face.clip for face in faces])
    plain = embedded(recognizer, faces)
    all_pairs = Pairs(plain, plain, who)
    limit = float(np.quantile(all_pairs.other, ONE_IN_1000))
    print(f"\n{name}: limit {limit:.2f}; its own same_person is {recognizer.same_person:.2f}")
    print(f"  {'':30}   same  other     d'  right %  wrong %")
    print(all_pairs.told("unharmed", limit))
    print(all_pairs.told("the same at its own limit", recognizer.same_person))
    across = plain @ plain.T, (who[:, None] == who[None]) & (clips[:, None] != clips[None])
    shown = across[0][across[1]]
    print(f"  {'one person in two clips':30} {shown.mean():6.2f} {'':13} {100 * (shown >= limit).mean():7.1f}")
    front = yaws < YAWS[0][1]
    for low, high in YAWS:
        rows = (yaws >= low) & (yaws < high)
        pairs = Pairs(plain, plain, who, rows, front)
        people = len({person for person in who[rows] if person in who[front]})
        if pairs.same.size:
            print(pairs.told(f"yaw {low} to {high}, {rows.sum()} of {people} people", limit))
    for harm, (change, steps) in HARMS.items():
        for step in steps:
            vectors = embedded(recognizer, [change(face, step) for face in faces])
            print(Pairs(vectors, plain, who).told(f"{harm} {step:g}", limit))
    for part in PARTS:
        vectors = embedded(recognizer, [covered(face, part) for face in faces])
        print(Pairs(vectors, plain, who).told(f"{part} over it" if "gl" in part else f"{part} covered", limit))
    laid, heads = in_other_heads(faces)
    vectors = embedded(recognizer, laid)
    print(Pairs(vectors, plain, who).told("in somebody else's head", limit))
    owner = (vectors * plain[heads]).sum(axis=1).mean()
    print(f"  {'  and whose the head is':30} {owner:6.2f}")
    return plain


def tell_agreement(names: list[str], plain: list[np.ndarray], faces: list[Seen]) -> None:
    """How far two recognizers err alike. Both are wrong by chance as often as the product says."""
    who = np.array([face.person for face in faces])
    one, other = (Pairs(vectors, vectors, who) for vectors in plain)
    print(f"\n{names[0]} and {names[1]}, pairs that they get wrong at a limit that 1 of 100 strangers' pairs reach:")
    limits = [float(np.quantile(pairs.other, 0.99)) for pairs in (one, other)]
    for what, a, b in (
        ("strangers taken for one", one.other >= limits[0], other.other >= limits[1]),
        ("one taken for strangers", one.same < limits[0], other.same < limits[1]),
    ):
        chance = 100 * a.mean() * b.mean()
        print(
            f"  {what}: {100 * a.mean():.2f} %, {100 * b.mean():.2f} %, both {100 * (a & b).mean():.3f} % (by chance "
            f"{chance:.3f} %)"
        )
    same, apart = np.corrcoef(one.same, other.same)[0, 1], np.corrcoef(one.other, other.other)[0, 1]
    print(f"  correlation of their cosines: {same:.2f} within people, {apart:.2f} between")
    mixed = [(vectors @ vectors.T - pairs.other.mean()) / pairs.other.std() for vectors, pairs in
             zip(plain, (one, other), strict=True)]  # fmt: skip
    alike = who[:, None] == who[None]
    upper = np.triu(np.ones(alike.shape, bool), 1)
    for what, scores in ((names[0], mixed[0]), (names[1], mixed[1]), ("both, mean", (mixed[0] + mixed[1]) / 2)):
        limit = np.quantile(scores[~alike & upper], ONE_IN_1000)
        print(f"  {what:15} right {100 * (scores[alike & upper] >= limit).mean():.2f} % where 1 of 1000 is wrong")


def tell_fooled(made: dict, faces: list[Seen], count: int = 24, steps: int = 20) -> None:
    """Pictures changed, by so many grey levels at most, until mobilefacenet sees somebody else: who else is fooled?"""
    network = MobileFaceNet(weights_path("mobilefacenet")).eval()
    rng = np.random.default_rng(0)
    pairs = []
    while len(pairs) < count:
        one, other = (faces[n] for n in rng.integers(0, len(faces), 2))
        if one.person != other.person:
            pairs.append((one, other))
    targets = {name: embedded(made[name], [other for _, other in pairs]) for name in made}
    print("\nlikeness to somebody else, after the picture was changed until mobilefacenet sees him:")
    for most in (0, 4, 8, 16):
        changed = [_fooling(network, one, vector, most, steps) for (one, _), vector in
                   zip(pairs, targets["mobilefacenet"], strict=True)]  # fmt: skip
        told = {name: (embedded(made[name], changed) * targets[name]).sum(axis=1).mean() for name in made}
        print(f"  by {most:2} of 255: " + ", ".join(f"{name} {value:.2f}" for name, value in told.items()))


def _fooling(network: MobileFaceNet, seen: Seen, target: np.ndarray, most: int, steps: int) -> Seen:
    """By signed gradients (Madry et al. 2018, arXiv 1706.06083). Of 224 px, it sees the middle 112."""
    image = aligned(seen.image, seen.points, 224, margin=2.0)
    to_it = Similarity.fit(five_points(seen.points), TEMPLATE + 56)
    plain = torch.from_numpy(image).permute(2, 0, 1).float()[None] / 255
    change = torch.zeros(1, 3, 112, 112, requires_grad=True)
    wanted = torch.from_numpy(target)
    for _ in range(steps if most else 0):
        (gradient,) = torch.autograd.grad((network(plain[..., 56:168, 56:168] + change) @ wanted).sum(), change)
        change = (change + gradient.sign() * (2.5 * most / 255 / steps)).clamp(-most / 255, most / 255)
        change = change.detach().requires_grad_()
    plain[..., 56:168, 56:168] += change.detach()
    done = (plain[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    return Seen(done, (to_it @ seen.points).astype(np.float32))


def tone_of(seen: Seen) -> float:
    """Individual typology angle of the brighter cheek, degrees: 90 = white, below -30 = very dark."""
    colors = []
    for cheek in ([2, 3, 4, 48, 31, 40], [14, 13, 12, 54, 35, 47]):
        found = seen.image[inside(seen.points[cheek], seen.image)].astype(np.float32) / 255
        colors.append(np.median(cv2.cvtColor(found[None], cv2.COLOR_RGB2LAB)[0], axis=0))
    light, _, yellow = max(colors, key=lambda color: color[0])
    return float(np.degrees(np.arctan2(light - 50, max(yellow, 1e-3))))


def portraits_in(folder: Path) -> list[Seen]:
    detector = DETECTORS.load("yunet")()
    landmarker = LANDMARKERS.load("mesh478")()

    class Nobody:
        """Asked for an embedding that is not needed."""

        def embed(self, image, landmarks):
            return np.zeros((len(landmarks), 1), np.float32)

    found = []
    for path in sorted(folder.glob("*.jpg"))[1::2]:
        try:
            points, _ = face_in_picture(path, detector, landmarker, Nobody())
        except NoFacesError:
            continue
        found.append(Seen(read_image(path), points))
    return found


def tell_tones(name: str, recognizer, faces: list[Seen]) -> None:
    """Strangers taken for one person, within and between tones."""
    vectors, tones = embedded(recognizer, faces), np.array([tone_of(face) for face in faces])
    cosines = vectors @ vectors.T
    upper = np.triu(np.ones(cosines.shape, bool), 1)
    limit = float(np.quantile(cosines[upper], ONE_IN_1000))
    print(f"\n{name}: {len(faces)} portraits; 1 of 1000 pairs reaches {limit:.2f}. Of 1000 pairs, that many are wrong:")
    bounds = np.quantile(tones, np.linspace(0, 1, NUM_TONES + 1)[::-1])
    groups = {}
    for high, low in pairwise(bounds):
        groups[f"{high:.0f} to {low:.0f}"] = (tones <= high) & (tones >= low)
    print(f"  {'tone, degrees':16}" + "".join(f"{tone:>14}" for tone in groups) + "     mean  faces")
    for tone, rows in groups.items():
        cells = []
        for columns in groups.values():
            pairs = cosines[(rows[:, None] & columns[None]) & ~np.eye(len(tones), dtype=bool)]
            cells.append(1000 * (pairs >= limit).mean())
        own = cosines[(rows[:, None] & rows[None]) & upper]
        print(f"  {tone:16}" + "".join(f"{cell:14.2f}" for cell in cells) + f"   {own.mean():6.2f} {rows.sum():6}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=sorted(RECOGNIZERS))
    parser.add_argument("--facesets", type=Path)
    parser.add_argument("--truth", type=Path, help="table with the columns file and person")
    parser.add_argument("--count", type=int, default=12, help="faces of each person")
    parser.add_argument("--portraits", type=Path)
    args = parser.parse_args()
    if not (args.facesets or args.portraits):
        parser.error("name --facesets, --portraits or both")
    if args.facesets and not args.truth:
        parser.error("--facesets needs --truth: who is in which faceset")
    made = {name: RECOGNIZERS.load(name)() for name in args.names}
    if args.facesets:
        with args.truth.open(encoding="utf-8", newline="") as file:
            who = {Path(row["file"]).stem: row["person"] for row in csv.DictReader(file, delimiter="\t")}
        faces = faces_in(args.facesets, who, args.count)
        print(f"{len(faces)} faces of {len({face.person for face in faces})} people")
        plain = [tell_clips(name, recognizer, faces) for name, recognizer in made.items()]
        if len(plain) == 2:
            tell_agreement(list(made), plain, faces)
        if "mobilefacenet" in made:
            tell_fooled(made, faces)
    if args.portraits:
        faces = portraits_in(args.portraits)
        for name, recognizer in made.items():
            tell_tones(name, recognizer, faces)


if __name__ == "__main__":
    main()
