"""Is the person in the result the src person?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Fault, Measurement
from konterfei.metrics.series import Array, People, Series, mean, quantile

_UNLIKE = 0.7
"""1 - cosine at which a face is plainly not src's: recognizers tell people apart at cosines of about 0.3."""
_STILL_DST = 0.5
"""Cosine with dst that another person hardly reaches."""


def cosines(embeddings: Array, person: Array) -> Array:
    """Of each embedding [N, D] with the person's [D]; NaN where there is none. [N] float64"""
    if not len(person) or embeddings.shape[1:] != person.shape:
        return np.full(len(embeddings), np.nan)
    return embeddings.astype(np.float64) @ person.astype(np.float64)


def identity(plate: Series, result: Series, people: People) -> Measurement:
    """Mean cosine of the result's embeddings with the src person's mean embedding.

    `margin` (to src minus to dst) is the honest single figure: a blurred face is like nobody, and an unswapped one is
    all dst. `plate_to_src` is where the plate started: below it nothing was gained.
    """
    return likeness((plate.embeddings, result.embeddings), people.src, people.dst)


def likeness(embeddings: tuple[Array, Array], src: Array, dst: Array) -> Measurement:
    """The same by any recognizer.

    Args:
        embeddings: of plate and result. [N, D] each
        src, dst: mean embeddings, unit length. [D] each
    """
    plate, result = embeddings
    to_src, to_dst = cosines(result, src), cosines(result, dst)
    return Measurement(
        value=mean(to_src),
        unit="cosine",
        better="higher",
        perfect=1.0,
        parts={
            "to_dst": mean(to_dst),
            "margin": mean(to_src - to_dst),
            "worst_5_percent": quantile(to_src, 0.05),
            "plate_to_src": mean(cosines(plate, src)),
            "plate_to_dst": mean(cosines(plate, dst)),
        },
        per_frame=to_src,
        faults={"unlike src": Fault(1 - to_src, _UNLIKE), "still like dst": Fault(to_dst, _STILL_DST)},
    )
