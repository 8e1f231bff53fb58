"""Is the person in the result the src person?"""

from __future__ import annotations

import numpy as np

from konterfei.metrics import Measurement
from konterfei.metrics.series import Array, People, Series, mean, quantile


def _cosines(embeddings: Array, person: Array) -> Array:
    return embeddings.astype(np.float64) @ person.astype(np.float64)


def identity(plate: Series, result: Series, people: People) -> Measurement:
    """Mean cosine of the result's embeddings with the src person's mean embedding.

    `margin` (to src minus to dst) is the honest single figure: a blurred face is like nobody, and an unswapped one is
    all dst. `plate_to_src` is where the plate started: below it nothing was gained. `steadiness` is the standard
    deviation over time.
    """
    to_src, to_dst = _cosines(result.embeddings, people.src), _cosines(result.embeddings, people.dst)
    found = to_src[np.isfinite(to_src)]
    return Measurement(
        value=mean(to_src),
        unit="cosine",
        better="higher",
        perfect=1.0,
        parts={
            "to_dst": mean(to_dst),
            "margin": mean(to_src - to_dst),
            "worst_5_percent": quantile(to_src, 0.05),
            "steadiness": float(found.std()) if found.size else float("nan"),
            "plate_to_src": mean(_cosines(plate.embeddings, people.src)),
            "plate_to_dst": mean(_cosines(plate.embeddings, people.dst)),
        },
        per_frame=to_src,
    )
