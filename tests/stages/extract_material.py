"""Extractions of drawn people, as the tests of extract share them."""

from drawn_vision import SETTINGS
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder, Silent
from konterfei.stages.extract import ExtractConfig, extract


def run(video, output, reporter=None, **settings):
    """An extraction with the drawn detector, landmarker and recognizer; `video` may be several inputs."""
    first, *more = video if isinstance(video, list | tuple) else [video]
    config = ExtractConfig(video=first, more=tuple(more), output=output, **{**SETTINGS, **settings})
    return extract(config, reporter or Silent())


def records(folder):
    """All records of a faceset, as they are embedded."""
    return [record.encode() for record in Faceset.open(folder).records()]


def crops(folder):
    """File name -> bytes, of all crops."""
    return {path.name: path.read_bytes() for path in folder.glob("*.jpg")}


class StopAt(Recorder):
    """Asks to stop at the n-th step."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def take_stop(self):
        self.left -= 1
        return self.left == 0
