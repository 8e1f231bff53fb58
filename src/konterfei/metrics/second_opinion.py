"""Does a recognizer that nothing was trained against see the src person too?"""

from __future__ import annotations

from konterfei.metrics import Measurement
from konterfei.metrics.identity import likeness
from konterfei.metrics.series import People, Series


def second_opinion(plate: Series, result: Series, people: People) -> Measurement:
    """Mean cosine with the src person's mean embedding, as `identity`, by a second recognizer that no loss learns from.

    A swap can be trained to please the recognizer of `identity`; this one then stays behind. Cosines of two recognizers
    do not compare: each has its own level for strangers (`plate_to_src`) and for one person (`plate_to_dst`). Not
    measurable where no second recognizer looked.
    """
    return likeness((plate.witness, result.witness), people.witness_src, people.witness_dst)
