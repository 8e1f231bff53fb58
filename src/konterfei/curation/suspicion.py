"""Faces that do not belong in a faceset, each with the reason, its figure and the limit that it passes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.limits import Limit, Strictness, fence, fixed
from konterfei.curation.traits import Traits

Array = NDArray[Any]

_SPREADS: Final = {Strictness.LOW: 8.0, Strictness.USUAL: 6.0, Strictness.HIGH: 4.0}
"""Robust standard deviations from a set's median to a limit drawn around it."""


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One way of being suspicious.

    Attributes:
        title: in a few words, for a heading: "another person".
        told: a sentence about one face with {value} and {limit} in it.
        values: what is looked at. NaN where it is not known. [N]
        limit: where it is too much or too little.
        is_wrong: whether such a face is wrong (teaches something false) and not only poor.
        shows_landmarks: whether pictures of it are clearer with the landmarks drawn in.
        spares_last: whether such a face stays where it is one of the last of its pose and expression.
    """

    title: str
    told: str
    values: Callable[[Traits], Array]
    limit: Callable[[Array, Strictness], Limit]
    is_wrong: bool = False
    shows_landmarks: bool = False
    spares_last: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Suspicion:
    """What one reason finds in a faceset.

    Attributes:
        name: of the reason.
        reason: itself.
        values: of each face. [N]
        limit: as it was drawn.
        rows: the suspicious faces, worst first.
    """

    name: str
    reason: Reason
    values: Array
    limit: Limit
    rows: tuple[int, ...]

    def told(self, row: int) -> str:
        """A sentence about one face."""
        return self.reason.told.format(value=float(self.values[row]), limit=self.limit.value)


def suspicions(traits: Traits, strictness: Strictness = Strictness.USUAL) -> dict[str, Suspicion]:
    """What each reason of `REASONS` finds, in their order."""
    found = {}
    for name, reason in REASONS.items():
        values = np.asarray(reason.values(traits), np.float64)
        limit = reason.limit(values, strictness)
        rows = np.flatnonzero(limit.passed_by(values))
        badness = values[rows] if limit.is_most else -values[rows]
        order = rows[np.lexsort((rows, -badness))]
        found[name] = Suspicion(
            name=name, reason=reason, values=values, limit=limit, rows=tuple(int(row) for row in order)
        )
    return found


def likenesses(embeddings: Array | None, groups: Array) -> Array:
    """How much each face resembles the person that its group shows: cosine to the group's own mean. [N], NaN unknown.

    The mean is taken over the faces that resemble the group's typical one: of up to 400 of them the one which half of
    the others resemble most. So it is right as long as no other person has as many faces in the group.

    Args:
        embeddings: unit length. [N, D], rows of NaN where there is none
        groups: whose face each is said to be. [N] int
    """
    likeness = np.full(len(groups), np.nan)
    if embeddings is None:
        return likeness
    known = np.isfinite(embeddings).all(axis=1)
    for group in np.unique(groups[known]):
        rows = np.flatnonzero(known & (groups == group))
        vectors = np.asarray(embeddings[rows], np.float64)
        some = vectors[:: max(1, -(-len(rows) // 400))]
        near = np.sort(some @ some.T, axis=1)[:, len(some) // 2 :].mean(axis=1)
        typical = vectors @ some[int(near.argmax())]
        mean = vectors[typical >= np.median(typical)].mean(axis=0)
        likeness[rows] = vectors @ (mean / max(float(np.linalg.norm(mean)), 1e-12))
    return likeness


def _drawn(bounds: Mapping[Strictness, float], why: str, *, is_most: bool) -> Callable[[Array, Strictness], Limit]:
    """A limit by `fence` with the strictness's bound and spreads."""

    def draw(values: Array, strictness: Strictness) -> Limit:
        return fence(values, _SPREADS[strictness], bounds[strictness], why, is_most=is_most)

    return draw


def _fixed(bounds: Mapping[Strictness, float], why: str, *, is_most: bool) -> Callable[[Array, Strictness], Limit]:
    return lambda values, strictness: fixed(bounds[strictness], why, is_most=is_most)


def _by(low: float, usual: float, high: float) -> dict[Strictness, float]:
    return {Strictness.LOW: low, Strictness.USUAL: usual, Strictness.HIGH: high}


def _share_of_median(bounds: Mapping[Strictness, float], why: str) -> Callable[[Array, Strictness], Limit]:
    """At least a share of the set's median."""

    def draw(values: Array, strictness: Strictness) -> Limit:
        known = values[np.isfinite(values)]
        middle = float(np.median(known)) if len(known) else 0.0
        share = bounds[strictness]
        return fixed(middle * share, f"{share:.0%} of this set's median ({middle:.3g}): {why}", is_most=False)

    return draw


REASONS: Final[Mapping[str, Reason]] = {
    "other_person": Reason(
        title="another person",
        told="resembles the others by {value:.2f}; the same person has at least {limit:.2f}",
        values=lambda traits: likenesses(traits.embeddings, traits.persons),
        limit=_fixed(
            _by(0.3, 0.42, 0.5),
            "the recognizer takes faces above 0.42 for one person; faces of others lie near 0.05, those of one person "
            "in bad frames above 0.6",
            is_most=False,
        ),
        is_wrong=True,
        spares_last=False,
    ),
    "misfit": Reason(
        title="landmarks that fit no face",
        told="a part of the face is {value:.2f} eye distances from where it can be; at most {limit:.2f} is usual",
        values=lambda traits: traits.misfits,
        limit=_drawn(
            _by(0.12, 0.09, 0.07), "no good face of the clips that this was tried on exceeds 0.09", is_most=True
        ),
        is_wrong=True,
        shows_landmarks=True,
    ),
    "jump": Reason(
        title="landmarks that jump",
        told="{value:.2f} eye distances off its neighbours in time; at most {limit:.2f} is motion",
        values=lambda traits: traits.jumps,
        limit=_drawn(
            _by(0.3, 0.18, 0.13), "the fastest motion in the clips that this was tried on has 0.16", is_most=True
        ),
        is_wrong=True,
        shows_landmarks=True,
    ),
    "cut_elsewhere": Reason(
        title="crop that does not fit its landmarks",
        told="the crop lies {value:.0%} of its side from where its landmarks put it; at most {limit:.0%} is rounding",
        values=lambda traits: traits.crop_offsets,
        limit=_fixed(_by(0.1, 0.05, 0.03), "crops are cut by their landmarks, to a pixel", is_most=True),
        is_wrong=True,
        shows_landmarks=True,
    ),
    "no_face": Reason(
        title="hardly a face",
        told="the landmarker is sure by {value:.2f} that there is a face; good ones have at least {limit:.2f}",
        values=lambda traits: traits.presence,
        limit=_fixed(
            _by(0.3, 0.5, 0.9), "0.5 is the landmarker's own threshold; profiles have some 0.2 to 0.9", is_most=False
        ),
    ),
    "cut_off": Reason(
        title="cut off by the frame's edge",
        told="{value:.0%} of the landmarks lie outside of the frame; at most {limit:.0%} is allowed",
        values=lambda traits: traits.outside,
        limit=_fixed(_by(0.25, 0.1, 0.02), "chosen: a tenth is the chin's edge or a cheek's", is_most=True),
    ),
    "tiny": Reason(
        title="small in its frame",
        told="the crop enlarges the frame {value:.1f} times; at most {limit:.1f} shows more than a blur",
        values=lambda traits: traits.enlargements,
        limit=_fixed(_by(4.0, 3.0, 2.0), "chosen: three pixels of the crop for one of the frame", is_most=True),
    ),
    "blurred": Reason(
        title="blurred",
        told="sharpness {value:.2f}; at least {limit:.2f} is asked",
        values=lambda traits: traits.sharpness,
        limit=_share_of_median(_by(0.4, 0.55, 0.7), "below, lashes and pores are gone that the others have"),
    ),
    "exposure": Reason(
        title="too dark or too bright",
        told="{value:.0%} of the face are black or white beyond repair; at most {limit:.0%} is allowed",
        values=lambda traits: traits.clipped,
        limit=_drawn(_by(0.4, 0.2, 0.1), "chosen: a fifth of the face without any drawing", is_most=True),
    ),
    "occluded": Reason(
        title="something in front of the face",
        told="{value:.0%} of the face look covered; at most {limit:.0%} is allowed",
        values=lambda traits: traits.occlusion,
        limit=_drawn(
            _by(0.2, 0.1, 0.07), "bare faces of the clips that this was tried on have at most 0.06", is_most=True
        ),
    ),
}
"""Every reason, the gravest first."""


def wrong_rows(found: Mapping[str, Suspicion]) -> set[int]:
    """Faces that are wrong, not only poor: they count nowhere as material."""
    return {row for suspicion in found.values() if suspicion.reason.is_wrong for row in suspicion.rows}
