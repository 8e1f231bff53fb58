"""What finding faces costs, and how calm their landmarks are, on clips of your own.

For each clip: processor milliseconds a frame of decoding, of finding faces as `extract` does it, of the same with the
detector at every frame, and of detector, two landmarker passes and embedding at every frame (the plain way); then
jitter and what smoothing keeps of mouth openings and blinks. One thread; prints a table.

    python benchmarks/vision.py a.mp4 b.mp4 [--frames 128]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "media"))

from vision_material import (
    blinks_kept,
    find,
    images,
    jitter,
    mouth_kept,
    points_of,
    stack,
)

from konterfei.tracking.cuts import find_cuts
from konterfei.tracking.link import link
from konterfei.tracking.smoothing import smooth


def cost(work, count: int, rounds: int = 2) -> float:
    """Processor milliseconds a frame, the best of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        work()
        best = min(best, (time.process_time() - begin) / count * 1000)
    return best


def plain(frames) -> None:
    detector, landmarker, recognizer = stack()
    for frame in frames:
        answers = landmarker.landmarks(frame, [seen for seen in detector.detect(frame) if seen.score >= 0.7])
        recognizer.embed(frame, [answer.points for answer in answers])


def shares(kept) -> str:
    return f"{np.mean(kept):.3f} of {len(kept)}" if len(kept) else "none seen"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=128)
    options = parser.parse_args()
    for clip in options.clips:
        frames = images(clip, options.frames)
        count = len(frames)
        decode = cost(lambda clip=clip, count=count: images(clip, count), count)
        followed = cost(lambda frames=frames: find(frames), count)
        every = cost(lambda frames=frames: find(frames, detect_every=1), count)
        plainly = cost(lambda frames=frames: plain(frames), count)
        print(f"{clip.name} {frames[0].shape[1]} x {frames[0].shape[0]}, {count} frames")
        print(f"  ms: decode {decode:.1f}, followed {followed:.1f}, every frame {every:.1f}, plain {plainly:.1f}")
        found = find(frames)
        tracks = link(found, find_cuts([frame.change for frame in found]))
        if not tracks:
            print("  no face")
            continue
        raw = points_of(max(tracks, key=len))
        calm = smooth(raw)
        print(
            f"  {len(tracks)} tracks, longest {len(raw)}; jitter {jitter(raw):.3f} -> {jitter(calm):.3f} % of the eye "
            f"distance; kept: mouth {shares(mouth_kept(raw, calm))}, blinks {shares(blinks_kept(raw, calm))}"
        )


if __name__ == "__main__":
    main()
