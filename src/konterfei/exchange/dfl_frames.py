"""Which frame of which film the name of a frame's picture means, as DeepFaceLab's tools name them."""

from __future__ import annotations

from fractions import Fraction

from konterfei.exchange.base import NotTakenError
from konterfei.exchange.dfl_records import Place, frame_of
from konterfei.exchange.film import Film

_USUAL_FPS = 25


def place_of(name: str, number: int, film: Film | None, source: str) -> Place:
    """Where a face was seen.

    Args:
        name: of the picture of its frame, "00123.png"; empty = not known.
        number: of the face in the list of faces, for names without a number.
        film: that it was found in, where it is at hand.
        source: name for faces whose film is not known.

    Raises:
        NotTakenError: the film has no such frame.
    """
    series, count = frame_of(name)
    if film is None:
        index = number if count is None else max(0, count - 1)
        film_name = source if count is None or not series else series
        return Place(source=film_name, frame_index=index, pts=Fraction(index, _USUAL_FPS))
    if film.stems:
        index = film.stems.get(name.rsplit(".", 1)[0], -1)
        if index < 0:
            raise NotTakenError(f"its frame '{name[:80]}' is not among the pictures in '{film.path}'")
    elif count is None:
        raise NotTakenError(f"its frame's name, '{name[:80]}', has no number, so its place in the video is unknown")
    else:
        index = count - 1
    if index not in film.times:
        last = max(film.times, default=-1) + 1
        raise NotTakenError(f"its frame '{name[:80]}' is not in '{film.name}', which has {last} frames")
    return Place(source=film.name, frame_index=index, pts=film.times[index], frame_size=film.frame_size)
