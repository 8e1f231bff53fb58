"""Finds every face of every frame at a fraction of the cost of looking everywhere every time.

The detector looks every few frames; between, the landmarker follows each face from frame to frame. A face that the
detector finds anew is followed backwards too, so that it is known from its first frame. Turned and small faces get
their costly looks when nothing was found, when a face is new, after a cut, and once per block of frames.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from konterfei.detectors import Detection, Detector, overlap
from konterfei.detectors.looks import look_around, look_closer, look_turned
from konterfei.landmarkers import Landmarked, Landmarker, Window
from konterfei.recognizers import Recognizer
from konterfei.tracking.cuts import change, is_sudden, signature

MATCH_OVERLAP = 0.25
"""Overlap from which on a detection and a followed face are one: their boxes differ a little."""

MOST_WITHIN = 0.7
"""Share of a new face that may lie within one that is known: a mouth is often taken for a face of its own."""

SURE_SCORE = 0.85
"""Detector's score that a full profile must have, of which the landmarker is not sure, and that one must have which
the detector took for a face only when turned."""

SURE_PRESENCE = 0.9
"""Landmarker's presence that a face must have which the detector took for one only when turned."""

KEEP_PRESENCE = 0.1
"""Presence below which a followed face is lost. Far below the usual one: profiles and hands before the face pass."""

FLOOR_SCORE = 0.3
"""Detections down to this score confirm a face that is followed already, but begin none."""

CANDIDATE_SCORE = 0.5
"""Score from which on a detection is worth a look around: tilted faces gain by it."""

MOST_NEW = 24
"""Candidates that one look follows up, best first: bounds the cost in a stadium."""

EMBED_EVERY = 8
"""Frames that go by at least before a followed face is embedded again: a face that others come and go beside is looked
at far oftener."""

REJECTED_OVERLAP = 0.5
"""Overlap from which on a detection is the one that was looked into and was no face."""

MOST_DOUBTS = 2
"""Looks of the detector in a row that may miss a face of low presence before it is given up."""


@dataclass(frozen=True)
class Found:
    """One face in one frame, before tracking."""

    points: NDArray[np.float32]
    """68-point scheme, frame pixels. [68, 2]"""
    iris: NDArray[np.float32] | None
    """[2, 2]"""
    score: float
    """Of the last detection that agreed."""
    presence: float
    """Of the landmarker."""
    embedding: NDArray[np.float32] | None
    """Measured now and then only. [D], unit length"""

    @property
    def box(self) -> NDArray[np.float32]:
        """Bounds of the points: left, top, right, bottom. [4]"""
        return np.concatenate([self.points.min(axis=0), self.points.max(axis=0)])


@dataclass
class FrameFaces:
    """What was found in one frame."""

    faces: list[Found] = field(default_factory=list)
    change: float = 0.0
    """Against the frame before, 0 to 1; see `tracking.cuts`."""
    best_score: float | None = None
    """Highest score of the detector, found worthy or not; None where it did not look."""


@dataclass(frozen=True)
class Candidate:
    """A detection that may begin a face."""

    detection: Detection
    """Settled by a look around: its points as the face is turned, the better of both scores."""
    first_score: float
    """Before that."""


@dataclass(frozen=True)
class Lane:
    """A face being followed."""

    window: Window
    score: float
    doubts: int = 0
    unknown: int = EMBED_EVERY
    """Frames since it was last embedded."""


@dataclass(frozen=True)
class FinderState:
    """All that a finder carries from one block of frames to the next."""

    lanes: tuple[Lane, ...] = ()
    signature: NDArray[np.uint8] | None = None
    changes: tuple[float, ...] = ()
    """The last few."""


@dataclass(frozen=True, kw_only=True)
class FinderSettings:
    """How thoroughly to look."""

    threshold: float
    """Detector's score from which on a new face is taken up."""
    detect_every: int = 8
    """Frames from one look of the detector to the next; 1 = every frame."""
    smallest: float = 24.0
    """Faces whose detection is less high than this many pixels are left alone."""
    turned: bool = True
    """Whether thorough looks, and looks where nobody was found, are in four turns."""


class Finder:
    """Follows faces through blocks of frames.

    Args:
        detector: made with `FLOOR_SCORE` as its threshold.
        landmarker, recognizer: of their families.
        settings: see `FinderSettings`.
    """

    def __init__(
        self, detector: Detector, landmarker: Landmarker, recognizer: Recognizer, settings: FinderSettings
    ) -> None:
        self.detector, self.landmarker, self.recognizer = detector, landmarker, recognizer
        self.settings = settings

    def find(self, images: Iterable[NDArray[np.uint8]], state: FinderState) -> tuple[list[FrameFaces], FinderState]:
        """Faces of a block of frames, and the state for the next block. Pure: same frames and state, same answer.

        Args:
            images: frames in order, RGB. Each [H, W, 3] uint8
            state: of the block before; empty at the start of a video.
        """
        block = _Block(self, state)
        for image in images:
            block.step(image)
        block.finish()
        return block.frames, block.state()

    def look(self, image: NDArray[np.uint8]) -> FrameFaces:
        """Faces of a single picture, which gets one thorough look.

        Args:
            image: RGB. [H, W, 3] uint8
        """
        block = _Block(self, FinderState())
        block.step(image)
        return block.frames[0]


class _Block:
    """The work on one block of frames."""

    def __init__(self, finder: Finder, state: FinderState) -> None:
        self._finder = finder
        self._settings = finder.settings
        self._lanes = list(state.lanes)
        self._signature = state.signature
        self._changes = list(state.changes)
        self._past: deque[NDArray[np.uint8]] = deque(maxlen=finder.settings.detect_every)
        self._last_cut = 0
        self._rejected: list[Detection] = []
        self.frames: list[FrameFaces] = []

    def state(self) -> FinderState:
        return FinderState(tuple(self._lanes), self._signature, tuple(self._changes[-8:]))

    def step(self, image: NDArray[np.uint8]) -> None:
        mark = signature(image)
        is_first = self._signature is None
        amount = 0.0 if self._signature is None else change(self._signature, mark)
        is_cut = is_sudden(amount, self._changes)
        self._signature = mark
        self._changes.append(amount)
        frame = FrameFaces(change=amount)
        self.frames.append(frame)
        position = len(self.frames) - 1
        if is_cut:
            self._lanes.clear()
            self._past.clear()
            self._last_cut = position
        is_lost = self._follow(image, frame)
        is_due = (position + 1) % self._settings.detect_every == 0
        if is_first or is_cut or is_due:
            self._rejected.clear()  # a look for one that was lost spares itself what it knows
        if is_first or is_cut or is_due or is_lost:
            self._look(image, frame, thorough=is_first or is_cut)
        self._past.append(image)

    def finish(self) -> None:
        """The last frame gets a thorough look: no face that came in since the last one is left for the next block."""
        if self._past:
            self._look(self._past.pop(), self.frames[-1], thorough=True)

    # --- following

    def _follow(self, image: NDArray[np.uint8], frame: FrameFaces) -> bool:
        """Takes the lanes one frame further. True when one was lost."""
        answers = self._finder.landmarker.landmarks(image, [lane.window for lane in self._lanes])
        lanes: list[Lane] = []
        for lane, answer in zip(self._lanes, answers, strict=True):
            is_double = _overlaps(_found(answer, lane.score), frame.faces, 0.5)
            if answer.presence >= KEEP_PRESENCE and not is_double and _is_inside(answer, image):
                lanes.append(replace(lane, window=answer.window, unknown=lane.unknown + 1))
                frame.faces.append(_found(answer, lane.score))
        is_lost = len(lanes) < len(self._lanes)
        self._lanes = lanes
        return is_lost

    def _follow_back(self, window: Window, score: float) -> None:
        """Follows a new face into the frames before this one, up to where it appears or was known."""
        now = len(self.frames) - 1
        for back, image in enumerate(reversed(self._past), start=1):
            position = now - back
            if position < self._last_cut:
                return
            (answer,) = self._finder.landmarker.landmarks(image, [window])
            found = _found(answer, score)
            usual = self._finder.landmarker.usual_presence
            if answer.presence < usual or _overlaps(found, self.frames[position].faces, MATCH_OVERLAP):
                return
            if not _is_inside(answer, image):
                return
            self.frames[position].faces.append(found)
            window = answer.window

    # --- looking

    def _look(self, image: NDArray[np.uint8], frame: FrameFaces, thorough: bool) -> None:
        """The detector's look: confirms the faces that are followed, takes up new ones."""
        detector = self._finder.detector
        turned = self._settings.turned
        seen = look_turned(detector, image) if thorough and turned else detector.detect(image)
        scores = [detection.score for detection in seen]
        new = self._new(seen, frame)
        if not new and not frame.faces and (thorough or turned):
            # Where nobody was found there may be one who lies or hangs; after a thorough look, one who is far away.
            seen = look_closer(detector, image) if thorough else look_turned(detector, image)
            scores += [detection.score for detection in seen]
            new = self._new(seen, frame)
        # Points of turned faces are often labelled as if upright, and their scores low: both are settled here.
        candidates = [Candidate(look_around(detector, image, detection), detection.score) for detection in new]
        frame.best_score = max(scores + [candidate.detection.score for candidate in candidates], default=0.0)
        self._confirm(seen, frame)
        self._take_up(image, candidates, frame)
        self._embed(image, frame)

    def _new(self, seen: list[Detection], frame: FrameFaces) -> list[Detection]:
        """Detections that may be faces and are not followed yet."""
        known = np.array([face.box for face in frame.faces], np.float32).reshape(-1, 4)
        least = min(CANDIDATE_SCORE, self._settings.threshold)
        return [
            detection
            for detection in seen
            if detection.score >= least
            and detection.box[3] - detection.box[1] >= self._settings.smallest
            and not (overlap(detection.box, known) > MATCH_OVERLAP).any()
            and not (_share_within(detection.box, known) > MOST_WITHIN).any()
            and not any(_is_the_same(detection, other) for other in self._rejected)
        ][:MOST_NEW]

    def _confirm(self, seen: list[Detection], frame: FrameFaces) -> None:
        """Gives followed faces the score of their detection; those doubted by both sides too often are dropped."""
        boxes = np.array([detection.box for detection in seen], np.float32).reshape(-1, 4)
        lanes, faces = [], []
        for lane, face in zip(self._lanes, frame.faces, strict=True):
            shared = overlap(face.box, boxes)
            if len(shared) and shared.max() > MATCH_OVERLAP:
                score = seen[int(shared.argmax())].score
                lane, face = replace(lane, score=score, doubts=0), replace(face, score=score)
            elif face.presence < self._finder.landmarker.usual_presence:
                lane = replace(lane, doubts=lane.doubts + 1)
            if lane.doubts <= MOST_DOUBTS:
                lanes.append(lane)
                faces.append(face)
        self._lanes, frame.faces = lanes, faces

    def _take_up(self, image: NDArray[np.uint8], new: list[Candidate], frame: FrameFaces) -> None:
        """Begins to follow candidates that the landmarker takes for faces too."""
        answers = self._finder.landmarker.landmarks(image, [candidate.detection for candidate in new])
        for candidate, answer in zip(new, answers, strict=True):
            score = candidate.detection.score
            found = _found(answer, score)
            known = np.array([face.box for face in frame.faces], np.float32).reshape(-1, 4)
            is_known = _overlaps(found, frame.faces, MATCH_OVERLAP)
            is_part = (_share_within(found.box, known) > MOST_WITHIN).any()
            if is_known or is_part or not self._is_face(candidate, answer):
                self._rejected.append(candidate.detection)
                continue
            frame.faces.append(found)
            self._lanes.append(Lane(answer.window, score))
            self._follow_back(answer.window, score)

    def _is_face(self, candidate: Candidate, answer: Landmarked) -> bool:
        """Whether detector and landmarker together are sure enough."""
        score, threshold = candidate.detection.score, self._settings.threshold
        if score < threshold:
            return False
        if candidate.first_score < threshold:  # the best of eight looks is easily a hand
            return score >= max(SURE_SCORE, threshold) and answer.presence >= SURE_PRESENCE
        if answer.presence >= self._finder.landmarker.usual_presence:
            return True
        return score >= SURE_SCORE and answer.presence >= KEEP_PRESENCE  # a full profile

    def _embed(self, image: NDArray[np.uint8], frame: FrameFaces) -> None:
        """Embeds the faces that are due."""
        due = [n for n, lane in enumerate(self._lanes) if lane.unknown >= EMBED_EVERY - 1]
        vectors = self._finder.recognizer.embed(image, [frame.faces[n].points for n in due])
        for n, vector in zip(due, vectors, strict=True):
            frame.faces[n] = replace(frame.faces[n], embedding=vector)
            self._lanes[n] = replace(self._lanes[n], unknown=0)


def _is_the_same(one: Detection, other: Detection) -> bool:
    """Whether a detection lies where another one lay, and is no surer."""
    return bool(overlap(one.box, other.box[None])[0] > REJECTED_OVERLAP) and one.score <= other.score


def _found(answer: Landmarked, score: float) -> Found:
    return Found(answer.points, answer.iris, score, answer.presence, None)


def _overlaps(face: Found, others: list[Found], amount: float) -> bool:
    boxes = np.array([other.box for other in others], np.float32).reshape(-1, 4)
    return bool((overlap(face.box, boxes) > amount).any())


def _share_within(box: NDArray[np.float32], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share of the area of `box` [4] that lies within each of `boxes` [N, 4]. [N]"""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    return np.prod(np.clip(sides, 0, None), axis=1) / max(float(np.prod(box[2:] - box[:2])), 1e-9)


def _is_inside(answer: Landmarked, image: NDArray[np.uint8]) -> bool:
    """Whether the middle of the face lies in the frame and its points are numbers of a sane size."""
    if not np.isfinite(answer.points).all():
        return False
    x, y = answer.points.mean(axis=0)
    height, width = image.shape[:2]
    return bool(0 <= x < width and 0 <= y < height) and 4 < answer.window.side < 8 * max(width, height)


def state_to_json(state: FinderState) -> dict[str, Any]:
    """Plain JSON values that give the state back exactly."""
    return {
        "lanes": [[*astuple(lane.window), lane.score, lane.doubts, lane.unknown] for lane in state.lanes],
        "signature": None if state.signature is None else state.signature.tobytes().hex(),
        "changes": list(state.changes),
    }


def state_from_json(data: dict[str, Any]) -> FinderState:
    """The state of `state_to_json`."""
    side = math.isqrt(len(bytes.fromhex(data["signature"] or "")) // 3)
    mark = np.frombuffer(bytes.fromhex(data["signature"] or ""), np.uint8).reshape(side, side, 3)
    return FinderState(
        tuple(Lane(Window(*lane[:4]), *lane[4:]) for lane in data["lanes"]),
        mark if data["signature"] else None,
        tuple(data["changes"]),
    )
