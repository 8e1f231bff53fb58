"""How well are people told apart over clips? Precision and recall of pairs of faces, and what many faces cost.

    python benchmarks/people.py --facesets faces --truth MANIFEST.tsv --portraits portraits --many 100000

`faces` holds facesets made with `extract --person all`, each called like its video; the table has the columns file and
person, and persons of whom nobody knows who they are ("crowd", "none") are left out of the figures but not of the work.
Portraits show a different person each, so every two that come together are wrong: generated portraits resemble each
other more than people do, which makes them a hard case. "each face alone" forgets tracks, as in imported facesets. The
last lines are: people precision X recall Y (usual threshold), strangers joined Z of 1000 pairs.
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections import Counter
from pathlib import Path

import numpy as np

from konterfei.curation.clusters import NOBODY, Nodes, cluster
from konterfei.curation.looks import Looks
from konterfei.curation.people import SURE_FACTOR, People
from konterfei.curation.sightings import Sightings, look
from konterfei.detectors import DETECTORS
from konterfei.errors import FacesetError, NoFacesError
from konterfei.io.faceset import Faceset
from konterfei.landmarkers import LANDMARKERS
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Silent
from konterfei.tracking.reference import embed_picture

UNKNOWN = ("crowd", "none")


def facesets_in(folder: Path) -> list[Faceset]:
    found = []
    for place in sorted(folder.iterdir()):
        try:
            found.append(Faceset.open(place))
        except FacesetError as error:
            print(f"  left out: {error}")
    return found


def pairs_of(counts) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def scored(found: list[int], truth: list[str]) -> tuple[float, float]:
    """Precision and recall of pairs of faces that are put together."""
    both = pairs_of(Counter(zip(found, truth, strict=True)).values())
    return both / max(pairs_of(Counter(found).values()), 1), both / max(pairs_of(Counter(truth).values()), 1)


def tell_clips(seen: Sightings, who: dict[str, str], same: float, thresholds: list[float]) -> tuple[float, float]:
    truth = [who[seen.folders[clip].name] for clip in seen.clips]
    known = [row for row, person in enumerate(truth) if person not in UNKNOWN]
    print(f"{len(seen)} faces, {len(known)} of {len({truth[row] for row in known})} known people")
    usual = (0.0, 0.0)
    for name in ("by tracks", "each face alone"):
        if name != "by tracks":
            seen.tracks[:], seen.numbers[:] = -1, -1
        for threshold in thresholds:
            people = People(threshold, same)
            people.find(seen, Silent())
            found = [people.members[seen.digests[row]] for row in known]
            precision, recall = scored(found, [truth[row] for row in known])
            pairs = [(one, other) for _, one, other in people.suggestions(seen, 1000)]
            of = {number: Counter(truth[row] for row in known if people.members[seen.digests[row]] == number)
                  for number in set(found)}  # fmt: skip
            right = sum(one in of and other in of and of[one].most_common(1)[0][0] == of[other].most_common(1)[0][0]
                        for one, other in pairs)  # fmt: skip
            print(
                f"  {name:15} {threshold:.3f}: {len(set(found)):3} people, precision {precision:.3f}, recall "
                f"{recall:.3f}; {len(pairs)} pairs suggested, {right} of them one person"
            )
            if name == "by tracks" and threshold == round(same * SURE_FACTOR, 3):
                usual = precision, recall
    return usual


def tell_portraits(folder: Path, count: int, same: float, thresholds: list[float], make) -> float:
    files = sorted(folder.glob("*.jpg"))
    chosen = [files[n] for n in np.sort(np.random.default_rng(0).permutation(len(files))[:count])]
    vectors = []
    for path in chosen:
        try:
            vectors.append(embed_picture(path, *make))
        except NoFacesError as error:
            print(f"  left out: {error}")
    units = np.array(vectors, np.float32)
    total = pairs_of([len(units)])
    alike = (units @ units.T)[np.triu_indices(len(units), 1)]
    print(f"{len(units)} portraits, {total} pairs; cosine {alike.mean():.2f} +- {alike.std():.2f}")
    usual = 0.0
    for threshold in thresholds:
        nodes = Nodes(
            units, np.ones(len(units)), [{n} for n in range(len(units))], np.full(len(units), NOBODY, np.int64)
        )
        sizes = sorted(Counter(cluster(nodes, threshold, Silent()).tolist()).values(), reverse=True)
        wrong = 1000 * pairs_of(sizes) / total
        print(
            f"  {threshold:.3f}: {len(sizes)} people, the largest of {sizes[:4]} portraits; of 1000 pairs "
            f"{wrong:.2f} joined, {1000 * (alike >= threshold).mean():.2f} alike by themselves"
        )
        usual = wrong if threshold == round(same * SURE_FACTOR, 3) else usual
    return usual


def tell_cost(count: int, people: int, threshold: float) -> None:
    random = np.random.default_rng(0)
    who = random.integers(0, people, count)
    faces = [random.normal(size=(n, 192)) / 192**0.5 for n in (people, people * 20, count)]
    vectors = 0.85 * faces[0][who] + 0.35 * faces[1][who * 20 + random.integers(0, 20, count)] + 0.35 * faces[2]
    units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    del faces, vectors
    nodes = Nodes(units, np.ones(count), [{n} for n in range(count)], np.full(count, NOBODY, np.int64))
    begin = time.perf_counter()
    labels = cluster(nodes, threshold, Silent())
    taken = time.perf_counter() - begin
    pure = sum(np.unique(who[labels == label], return_counts=True)[1].max() for label in np.unique(labels)) / count
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{count} faces of {people} made-up people, each by itself: {taken:.1f} s, {len(set(labels.tolist()))} people, "
        f"purity {pure:.3f}, peak memory of the process {peak:.2f} GB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facesets", type=Path)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--portraits", type=Path)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--many", type=int, default=0)
    given = parser.parse_args()
    recognizer = RECOGNIZERS.load("mobilefacenet")
    same = recognizer.same_person
    usual = round(same * SURE_FACTOR, 3)
    thresholds = sorted({same, 0.5, usual, 0.6, 0.65})
    last = []
    if given.facesets and given.truth:
        with given.truth.open(encoding="utf-8") as file:
            who = {Path(row["file"]).stem: row["person"] for row in csv.DictReader(file, delimiter="\t")}
        seen = look(facesets_in(given.facesets), Looks(given.facesets, lambda: recognizer(threads=1)), Silent())
        precision, recall = tell_clips(seen, who, same, thresholds)
        last.append(f"people precision {precision:.3f} recall {recall:.3f}")
    if given.portraits:
        make = (DETECTORS.load("yunet")(threads=1), LANDMARKERS.load("mesh478")(threads=1), recognizer(threads=1))
        wrong = tell_portraits(given.portraits, given.count, same, thresholds, make)
        last.append(f"strangers joined {wrong:.2f} of 1000 pairs")
    if given.many:
        for people in (max(given.many // 3000, 2), max(given.many // 33, 2)):
            tell_cost(given.many, people, usual)
    if last:
        print(", ".join(last))


if __name__ == "__main__":
    main()
