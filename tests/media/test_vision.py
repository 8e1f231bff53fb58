"""Finding, following and calming faces of real clips. Figures are printed: pytest -s tests/media/test_vision.py"""

import itertools

import cv2
import numpy as np
import pytest
from vision_material import (
    blinks_kept,
    find,
    found_in,
    images,
    jitter,
    mouth_kept,
    points_of,
    tracks_in,
)

from konterfei.geometry import head_pose
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.stages.extract import ExtractConfig, extract
from konterfei.tracking.cuts import find_cuts
from konterfei.tracking.link import link
from konterfei.tracking.people import group
from konterfei.tracking.smoothing import smooth

pytestmark = pytest.mark.media


def test_still_face_stays_still(media):
    """A slow pan over a painting: all that jitters is the landmarker."""
    (track,) = tracks_in(media("faceswap_test_henry8.mp4"), 91)
    raw = points_of(track)
    before, after = jitter(raw), jitter(smooth(raw))
    print(f"\nhenry8: jitter {before:.3f} % of the eye distance raw, {after:.3f} smoothed ({after / before:.0%})")
    assert len(track) == 91
    assert after < 0.45 * before


@pytest.mark.parametrize(("name", "count"), [("lp_d6.mp4", 120), ("lp_d18.mp4", 160)])
def test_expression_is_not_dulled(media, name, count):
    (track,) = tracks_in(media(name), count)
    raw = points_of(track)
    calm = smooth(raw)
    mouth, blinks = mouth_kept(raw, calm), blinks_kept(raw, calm)
    print(
        f"\n{name}: jitter {jitter(raw):.3f} -> {jitter(calm):.3f}; kept of {len(mouth)} mouth openings "
        f"{mouth.mean():.3f} (least {mouth.min():.3f}), of {len(blinks)} eye closings "
        f"{blinks.mean():.3f} (least {blinks.min():.3f})"
    )
    assert len(track) == count and len(mouth) >= 2 and len(blinks) >= 2
    assert mouth.mean() >= 0.97 and blinks.mean() >= 0.97
    assert mouth.min() >= 0.95 and blinks.min() >= 0.9


def test_smoothing_agrees_better_with_the_pixels(media):
    """Crops of consecutive frames differ less when cut with calm landmarks: the jitter was not the head's."""
    path = media("lp_d18.mp4")
    frames = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) for image in images(path, 40)]
    raw = points_of(tracks_in(path, 160)[0])[:, :68]

    def flicker(points):
        from konterfei.geometry import Crop, FaceType

        crops = [
            cv2.warpAffine(f, Crop.fit(p, FaceType.FULL, 128).crop_from_frame.matrix, (128, 128), flags=cv2.INTER_CUBIC)
            for f, p in zip(frames, points, strict=False)
        ]
        return np.mean([np.abs(a - b)[14:100, 20:108].mean() for a, b in itertools.pairwise(crops)])

    before, after = flicker(raw), flicker(smooth(raw))
    print(f"\nlp_d18: crops of neighbouring frames differ by {before:.2f} levels raw, {after:.2f} smoothed")
    assert after < 0.95 * before


@pytest.mark.parametrize("name", ["asl_bird.mkv", "asl_want.mkv", "asl_book.mkv"])
def test_hands_before_a_small_face(media, name):
    path = media(name)
    frames = found_in(path, 40)
    assert all(len(frame.faces) == 1 for frame in frames)
    sizes = [float(np.ptp(frame.faces[0].points[:, 1])) for frame in frames]
    assert max(sizes) < 1.4 * min(sizes), "the points stay on the face"


def test_scene_cut_ends_the_face(media):
    frames = found_in(media("pyfeat_face_noface.mov"), 80)
    cuts = find_cuts([frame.change for frame in frames])
    assert cuts and cuts[0] == 72
    assert [len(frame.faces) for frame in frames] == [1] * 72 + [0] * 8


def test_face_begins_at_the_cut(media):
    frames = found_in(media("pyfeat_noface_face.mov"), 104)
    assert [len(frame.faces) for frame in frames] == [0] * 96 + [1] * 8


def test_nobody_in_an_animation(media):
    frames = found_in(media("pyfeat_no_face.mp4"), 40)
    assert not any(frame.faces for frame in frames)


def test_crowd(media):
    path = media("crowd_facenet.mp4")
    frames = found_in(path, 8)
    people = group(tracks_in(path, 8), 0.42)
    assert sum(person.num_frames >= 7 for person in people) >= 5, "five walk towards the camera in full view"
    assert all(len(frame.faces) >= 5 for frame in frames)
    for person in people:
        positions = [n for track in person.tracks for n in range(track.start, track.stop)]
        assert len(positions) == len(set(positions)), "nobody is in two places at once"


def test_three_people_cut_together(media):
    """Six scenes: each person is known again after the others, and no track crosses a cut."""
    names = ["lp_d9.mp4", "lp_d18.mp4", "lp_d6.mp4"]
    scenes = {name: images(media(name), 24, lambda image: cv2.resize(image, (400, 400))) for name in names}
    frames = [image for part in (0, 12) for name in names for image in scenes[name][part : part + 12]]
    found = find(frames)
    cuts = find_cuts([frame.change for frame in found])
    assert cuts == [12, 24, 36, 48, 60]
    people = group(link(found, cuts), 0.42)
    assert sorted(sorted(track.start for track in person.tracks) for person in people) == [[0, 36], [12, 48], [24, 60]]
    assert [person.num_frames for person in people] == [24] * 3


@pytest.mark.parametrize("degrees", [0, 40, 90, 180, -120])
def test_turned_head_is_found_in_its_attitude(media, degrees):
    def turn(image):
        side = 680
        matrix = cv2.getRotationMatrix2D((240, 240), -degrees, 1.0)  # OpenCV turns the other way
        matrix[:, 2] += side / 2 - 240
        return cv2.warpAffine(image, matrix, (side, side))

    frames = find(images(media("lp_d18.mp4"), 10, turn))
    assert [len(frame.faces) for frame in frames] == [1] * 10
    for frame in frames:
        roll = np.degrees(head_pose(frame.faces[0].points, (680, 680)).roll)
        assert abs((roll - degrees + 180) % 360 - 180) < 10


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("grey", lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)),
        ("64 px", lambda image: cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)),
        ("dark", lambda image: (image * 0.25).astype(np.uint8)),
        ("4k, small", lambda image: cv2.copyMakeBorder(cv2.resize(image, (120, 120)), 1500, 540, 3000, 720, 0)),
    ],
)
def test_odd_input(media, kind, change):
    frames = find(images(media("lp_d18.mp4"), 9, change))
    assert [len(frame.faces) for frame in frames] == [1] * 9, kind


def test_extract_end_to_end(media, tmp_path):
    recorder = Recorder()
    config = ExtractConfig(video=media("asl_want.mkv"), output=tmp_path / "faces", threads=1)
    result = extract(config, recorder)
    found = Faceset.open(tmp_path / "faces").records()
    assert result.num_faces == len(found) == result.num_frames == 47
    for record in found:
        assert record.size == 256 and record.face_type == "whole"
        assert record.face.embedding is not None and record.face.presence > 0.5
        assert abs(np.degrees(record.pose[2])) < 30 and 0 < record.sharpness < 1
