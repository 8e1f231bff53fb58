"""How the plate is read for a run of parts."""

from __future__ import annotations

from konterfei.geometry import Region
from konterfei.io.video import ImageSequenceReader, VideoReader, open_frames
from konterfei.provenance.label import label_region
from konterfei.stages._merge_job import Job


def seen_always(job: Job, only_regions: bool) -> tuple[Region, ...] | None:
    """Regions that are looked at in every frame: the label's. None where whole frames are wanted."""
    if not only_regions:
        return None
    sign = label_region(job.info.width, job.info.height, job.claim.label, job.claim.label_text)
    return () if sign is None else (sign,)


def plate_frames(job: Job, wanted: range, deep: bool) -> VideoReader | ImageSequenceReader:
    """Frames of the plate: a video's with their own samples, of which RGB is made where it is needed."""
    info = job.info
    return open_frames(
        job.plate, wanted.start, wanted.stop, deep=deep, fps=info.fps, native=True, deinterlace=info.is_deinterlaced
    )
