"""An HDR plate: the model is shown ordinary pictures, and what it draws comes back in the plate's numbers."""

from fractions import Fraction

import numpy as np
import pytest
from merge_material import HEIGHT, WIDTH, Painter, config_for, make_consent, make_faces, picture

from konterfei.compositing import cut_face
from konterfei.geometry import FaceType
from konterfei.imaging import sdr_look, to_float
from konterfei.io.faceset import Faceset
from konterfei.io.video import ColorTags, VideoReader, VideoWriter
from konterfei.reporting import Silent
from konterfei.stages.merge import merge

SHOT = 6


class Mirror(Painter):
    """Draws what it is shown, and keeps it."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def draw(self, images):
        self.shown.append(images.copy())
        return images.astype(np.float32) / 255, *super().draw(images)[1:]


@pytest.mark.parametrize("transfer", [16, 18])
def test_a_face_goes_through_the_model_as_an_ordinary_picture(tmp_path, transfer):
    plate, look = tmp_path / "plate.mp4", sdr_look(transfer, 9)
    with VideoWriter(plate, WIDTH, HEIGHT, color=ColorTags(9, transfer, 9, 1), codec="hevc", crf=1, preset="veryfast",
                     like_format="yuv444p10le") as writer:  # fmt: skip
        for index in range(SHOT):
            image = look.back(to_float(picture(index)))
            writer.write(np.rint(image * 65535).astype(np.uint16), Fraction(index, 25))
    faces = make_faces(tmp_path / "faces", plate, range(SHOT))
    make_consent(tmp_path / "consent.toml")
    mirror = Mirror()
    config = config_for(tmp_path, plate, faces, crf=1, color="none", detail=0.0, grain=0.0, steady=0.0,
                        encoder_preset="veryfast", mode="overlay")  # fmt: skip
    assert merge(config, Silent(), mirror).swapped == SHOT
    record = Faceset.open(faces).faces_at(0)[0]
    ordinary = cut_face(picture(0), record.face, FaceType.WHOLE, 64)[1]
    assert np.abs(mirror.shown[0][0].astype(int) - ordinary).mean() < 2.5  # not the grey that PQ and HLG look like
    before, after = (
        np.stack([f.image for f in VideoReader(path, deep=True)]).astype(int) for path in (plate, config.output)
    )
    change = np.abs(after - before)[:, 40:90, 40:80]
    assert np.median(change) < 0.006 * 65535  # the mirror's face is the plate's, but for what 64 pixels do not hold
