"""Orders by who it is and by what the face does."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.io.face_measures import FaceMeasures
from konterfei.reporting import Reporter
from konterfei.sorters import Order, Wish, by_value

Array = NDArray[Any]

_ROUNDS: Final = 5
_CANDIDATES: Final = 400
"""Faces, evenly taken out of the set, of which one is sought whom most resemble."""
_ALIKE: Final = 0.42
"""Cosine from which on two faces are of one person: mobilefacenet's own for a pair."""
_SPREADS: Final = np.array([0.06, 0.05, 0.03, 0.06, 0.06, 0.05])
"""Of expressions over people who talk: what one step of each axis is, least. In the axes' order and units."""


def identity(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """Likeness to the set's person, or to the example: cosine of the recognizer's vectors, 1 = the same."""
    vectors = faces.embeddings
    if not vectors.shape[1] or np.isnan(vectors).all():
        raise ConfigError(
            "--by identity needs to know who the faces are, and these crops do not say it. Extract again."
        )
    person = usual_person(vectors) if wish.like is None else wish.like.embedding
    if person is None or len(person) != vectors.shape[1]:
        raise ConfigError("--like: who this face is cannot be compared with the faceset; give a picture instead.")
    return by_value(vectors.astype(np.float64) @ person.astype(np.float64))


def usual_person(vectors: Array) -> Array:
    """Whom most faces show: the mean of those who are like the face that most others are like.

    Strangers do not count, however many they are together: of three people with as many faces each it is one of them,
    not a mean of two.

    Args:
        vectors: unit length, NaN where not known. [N, D]

    Returns:
        [D] float64, unit length
    """
    known = vectors[~np.isnan(vectors).any(axis=1)].astype(np.float32)
    some = known[np.unique(np.linspace(0, len(known) - 1, _CANDIDATES).round().astype(np.int64))]
    person = some[int((some @ known.T >= _ALIKE).sum(axis=1).argmax())]
    for _ in range(_ROUNDS):
        own = known[known @ person >= _ALIKE].astype(np.float64)
        mean = own.mean(axis=0) if len(own) else person
        person = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return np.asarray(person, np.float64)


def expression(faces: FaceMeasures, wish: Wish, reporter: Reporter) -> Order:
    """How far the face is from its usual expression, or from the example's, in noticeable steps."""
    steps = expression_steps(faces.expression)
    if wish.like is None:
        return by_value(np.linalg.norm(steps, axis=1))
    towards = (wish.like.expression - np.nanmedian(faces.expression, axis=0)) / spread(faces.expression)
    return by_value(np.linalg.norm(steps - towards, axis=1), is_rising=True)


def expression_steps(expressions: Array) -> Array:
    """Each axis by how much it moves in this set, from its median. [N, 6] float64"""
    return (expressions.astype(np.float64) - np.nanmedian(expressions, axis=0)) / spread(expressions)


def spread(expressions: Array) -> Array:
    """Robust standard deviation of each axis, not below what can be noticed. [6] float64"""
    away = np.abs(expressions - np.nanmedian(expressions, axis=0))
    return np.maximum(1.4826 * np.nanmedian(away, axis=0), _SPREADS / 2)
