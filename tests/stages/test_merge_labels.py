"""merge with --mask labels: what was drawn onto the plate's crops decides what is swapped."""

import numpy as np
import pytest
from merge_material import Painter, config_for, decode, make_consent, make_faces, make_plate

from konterfei.errors import DamagedFileError
from konterfei.io.face_labels import FaceLabels, Polygon
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.stages.merge import merge

SQUARE = np.array([[10, 10], [22, 10], [22, 22], [10, 22]], np.float32)
FRAMES = 6


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    plate = make_plate(folder / "plate.mp4", frames=FRAMES, sound=False)
    make_faces(folder / "faces", plate, frames=range(FRAMES))
    make_consent(folder / "consent.toml")
    return folder


def relabel(folder, labels, *frames):
    with Faceset.open(folder / "faces") as faceset:
        for frame in frames:
            faceset.relabel(f"{frame:06d}_0.jpg", labels)


def merged(folder, painter=None, **settings):
    settings = {"mask": "labels", "erode": 0.0, "feather": 0.0, "color": "none", "steady": 0.0, **settings}
    config = config_for(folder, folder / "plate.mp4", folder / "faces", crf=0, **settings)
    merge(config, Recorder(), painter or Painter())
    return decode(config.output)[0]


def changed(folder, frames):
    """Where the merged frames differ from the plate: [N, H, W] bool."""
    plate = decode(folder / "plate.mp4")[0]
    return np.abs(frames.astype(int) - plate).max(axis=-1) > 24


def test_only_what_is_labelled_is_swapped_and_the_hull_where_nothing_is(place):
    relabel(place, FaceLabels(polygons=(Polygon(SQUARE),)), *range(0, FRAMES, 2))
    there = changed(place, merged(place))
    for record in Faceset.open(place / "faces").records():
        y, x = np.mgrid[:128, :160]
        places = record.crop.crop_from_frame @ np.stack([x, y], -1).astype(float)
        outside = ((places < SQUARE[0] - 2) | (places > SQUARE[2] + 2)).any(-1)
        inside = ((places > SQUARE[0] + 1) & (places < SQUARE[2] - 1)).all(-1)
        seen = there[record.frame_index]
        assert seen[inside].mean() > 0.8
        if record.frame_index % 2 == 0:
            assert seen[outside].mean() < 0.002
        else:
            assert seen[outside].sum() > 0.1 * seen.sum()


def test_a_new_outline_makes_its_part_again(place):
    first = merged(place, part_frames=2)
    relabel(place, FaceLabels(polygons=(Polygon(SQUARE),)), 4)
    painter = Painter()
    second = merged(place, painter, part_frames=2)
    differs = [np.abs(a.astype(int) - b).max() > 24 for a, b in zip(first, second, strict=True)]
    assert differs == [False] * 4 + [True, False]
    assert painter.batches  # though nobody said --force
    painter = Painter()
    merged(place, painter, part_frames=2)
    assert not painter.batches


def test_a_mask_that_cannot_be_read_stops_and_names_the_crop(place):
    relabel(place, FaceLabels(mask_file=b"broken"), 3)
    with pytest.raises(DamagedFileError, match="000003_0"):
        merged(place)
    merged(place, mask="hull")
