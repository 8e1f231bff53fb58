"""`evaluate --truth`: the true swap beside the result, where performers make it known; see `metrics.ground_truth`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from konterfei.errors import ConfigError
from konterfei.geometry import Face
from konterfei.io.manifest import Manifest, input_record
from konterfei.io.video import look, open_frames, read_ahead
from konterfei.metrics import People
from konterfei.metrics.observation import Eyes
from konterfei.metrics.truth_observation import TruthObserver
from konterfei.reporting import Reporter

if TYPE_CHECKING:
    from konterfei.performers import Truth

_OWN = ("set_of", "seconds", "sound")
"""Settings in which the true swap's rendering may differ from the plate's, beside who is swapped."""


@dataclass(frozen=True, eq=False)
class TrueClip:
    """The src performer doing what dst does in the plate, and where both faces are. Made by `open`.

    Attributes:
        clip: of the src performer, on the plate's set.
        exact, plate_exact: landmarks by construction, frame pixels. [F, 68, 2] float32 each
    """

    clip: Path
    exact: NDArray[np.float32]
    plate_exact: NDArray[np.float32]

    @classmethod
    def open(cls, clip: Path, plate: Path, faces: Mapping[int, Face] | None = None) -> TrueClip:
        """The truth about a swap of `clip`'s performer, or of the partner, onto the one in `plate`.

        Args:
            clip: the true swap.
            plate: what was swapped.
            faces: the swapped faces by frame: they tell which of two performers; None = the first.

        Raises:
            ConfigError: they are not renderings of one performance before one camera.
            DamagedFileError: what is known about one of them cannot be read.
        """
        from konterfei.performers import read_truth
        from konterfei.performers.truth import truth_path

        for path, told in ((clip, "--truth"), (plate, "the plate")):
            if not path.is_file():
                raise ConfigError(
                    f"{told} '{path}' is not a video: the true swap is known of rendered performers only."
                )
            if not truth_path(path).is_file():
                raise ConfigError(
                    f"{told} '{path}' is no rendered performer, or '{truth_path(path).name}' was not kept beside it: "
                    "the true swap is known of performers only. Leave --truth out, or put that file back."
                )
        true, own = read_truth(clip), read_truth(plate)
        _check_pictures(clip, plate)
        count = min(len(true.times), len(own.times))
        if not np.allclose(true.times[:count], own.times[:count], atol=1e-6) or len(true.times) < len(own.times):
            raise ConfigError(
                f"--truth '{clip}' and the plate '{plate}' are not shown at the same times, or it ends before. Render "
                "it with the plate's --fps and --seconds."
            )
        if true.poses[:count] != own.poses[:count]:
            raise ConfigError(
                f"--truth '{clip}' moves otherwise than the plate '{plate}'. Render it with the plate's --seed."
            )
        is_partner = faces is not None and own.partner is not None and _is_second(own, faces)
        _check_sets(clip, plate, "partner" if is_partner else "person")
        if is_partner and own.partner is not None:
            if true.partner is None:
                raise ConfigError(
                    f"--truth '{clip}' shows one performer, and the swapped one is the plate's --partner."
                )
            true, own = true.partner, own.partner
        if np.array_equal(true.landmarks[:count], own.landmarks[:count]):
            raise ConfigError(
                f"--truth '{clip}' shows the plate's own performer: nothing is swapped in it. Render the performer "
                "whose face was put there, with --set-of and all else as for the plate."
            )
        return cls(clip, true.landmarks, own.landmarks)

    def record(self) -> dict[str, Any]:
        """What a report names."""
        record = input_record(self.clip)
        return {name: record[name] for name in ("path", "sha256", "size")}

    def watch(self, eyes: Eyes, size: int, span: tuple[int, int], num_pictures: int) -> Watch:
        """Looks at it beside the frames of `span` (first, one after the last) of the plate and the results."""
        return Watch(self, TruthObserver(eyes, self.exact, self.plate_exact, size, num_pictures), span)


class Watch:
    """Reads the true swap along with plate and results. To be closed.

    Args:
        truth: what to read.
        observer: collects what is seen.
        span: first frame to read, and the one after the last.
    """

    def __init__(self, truth: TrueClip, observer: TruthObserver, span: tuple[int, int]) -> None:
        self._clip, self.observer = truth.clip, observer
        self._frames: Any = read_ahead(open_frames(truth.clip, *span), 4)

    def add(self, index: int, pictures: Sequence[NDArray[np.uint8]]) -> None:
        """Frame `index` of plate and results, in ascending order."""
        for frame in self._frames:
            if frame.index >= index:
                break
        else:
            raise ConfigError(f"--truth '{self._clip}' ends before frame {index} of the plate. Render it again.")
        self.observer.add(index, frame.image, pictures)

    def doubt(self, people: People, name: str, least: float, reporter: Reporter) -> None:
        """Warn where the true swap does not look like the src of the render `name`: `least` is the cosine expected."""
        alike = self.observer.likeness(people.src)
        if alike < least:
            reporter.warn(
                f"--truth '{self._clip}' is not like the src faces of '{name}' (cosine {alike:.2f}; one person has "
                f"{least:g} or more): is it another performer? Figures against it then mean nothing."
            )

    def close(self) -> None:
        """Ends the reading."""
        self._frames.close()


def _check_pictures(clip: Path, plate: Path) -> None:
    """Refuse other sizes and frame rates."""
    true, own = look(clip), look(plate)
    shapes = [(info.width, info.height, Fraction(info.fps)) for info in (true, own)]
    if shapes[0] != shapes[1]:
        told = [f"{width}x{height} pixels at {float(fps):g} fps" for width, height, fps in shapes]
        raise ConfigError(
            f"--truth '{clip}' has {told[0]}, the plate '{plate}' has {told[1]}. Render it with the plate's --size and "
            "--fps."
        )


def _is_second(plate: Truth, faces: Mapping[int, Face]) -> bool:
    """Whether the faces are the partner's, by where they are."""
    assert plate.partner is not None
    known = [index for index in faces if index < len(plate.landmarks)]
    apart = [
        np.linalg.norm(one.landmarks[known].mean(axis=1) - [faces[i].landmarks.mean(axis=0) for i in known], axis=1)
        for one in (plate, plate.partner)
    ]
    return bool(np.median(apart[1]) < np.median(apart[0])) if known else False


def _check_sets(clip: Path, plate: Path, role: str) -> None:
    """Refuse another set, light or camera, where the manifests of the renderings tell.

    Args:
        clip: the true swap.
        plate: what was swapped.
        role: the setting that names who is swapped: "person" or "partner".
    """
    true, own = (Manifest.load(path) for path in (clip, plate))
    if true is None or own is None:
        return
    theirs, ours = (made.settings.get("set_of") or made.settings.get("person") for made in (own, true))
    if theirs != ours:
        raise ConfigError(
            f"--truth '{clip}' stands on the set of {ours}, the plate '{plate}' on that of {theirs}: light and colours "
            f"differ. Render it with --set-of {theirs}."
        )
    names = sorted((set(true.settings) | set(own.settings)) - {*_OWN, role})
    changed = [name for name in names if true.settings.get(name) != own.settings.get(name)]
    if changed:
        raise ConfigError(
            f"--truth '{clip}' and the plate '{plate}' were rendered with other settings: {', '.join(changed)}. Render "
            "it with those of the plate."
        )
