"""The true swap of two performers, seen beside the plate and results made from it."""

import json
import shutil
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.geometry import Crop, Face, FaceType, smooth_hull_mask
from konterfei.io.manifest import Manifest
from konterfei.io.video import VideoWriter, open_frames
from konterfei.metrics.ground_truth import TRUTHS
from konterfei.metrics.observation import Eyes, Observer
from konterfei.metrics.truth_observation import measure_truths
from konterfei.performers import PerformerConfig, read_truth, render_performer
from konterfei.performers.render import truth_path
from konterfei.reporting import Recorder, Silent
from konterfei.stages._evaluate_truth import TrueClip
from konterfei.stages.evaluate import EvaluateConfig, evaluate
from konterfei.stages.extract import ExtractConfig, extract

FRAMES, SIZE = 8, 160
FPS = Fraction(5)  # few frames in which much happens


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """clip(person, **changes) -> a rendering; each is made once."""
    pytest.importorskip("openpeople", reason="no pictures of performers: pip install konterfei[demo]")
    folder = tmp_path_factory.mktemp("performers")

    def rendered(person, **changes):
        name = "_".join([person, *(f"{key}{value}".replace("/", "-") for key, value in changes.items())])
        settings = {"seconds": FRAMES / float(FPS), "fps": FPS, "size": SIZE, "seed": 3, "sound": False, **changes}
        return render_performer(PerformerConfig(person=person, output=folder / f"{name}.mp4", **settings), Silent())

    return rendered


@pytest.fixture(scope="module")
def plate(clip):
    return clip("P005")


@pytest.fixture(scope="module")
def truth(clip):
    return clip("P006", set_of="P005")


def copied(clip, folder):
    """The clip with all that lies beside it, to be changed."""
    folder.mkdir()
    for path in (clip, truth_path(clip), Manifest.file_for(clip)):
        shutil.copy(path, folder / path.name)
    return folder / clip.name


def face_of(points):
    return Face(box=[*points.min(axis=0), *points.max(axis=0)], landmarks=points)


def swapped(true, plates, truths, index, shown):
    """Frame `index` of the plate with the face of frame `shown` of the truth."""
    own, theirs = true.plate_exact[index], true.exact[shown]
    crop, taken = (Crop.fit(points, FaceType.WHOLE, 128) for points in (own, theirs))
    mask = smooth_hull_mask(taken.crop_from_frame @ theirs, (128, 128))
    return crop.paste(taken.cut(truths[shown]), mask, plates[index])


@pytest.fixture(scope="module")
def seen(plate, truth):
    """Truth and, in dst's aligned space: the plate, the true face pasted in, the same with the next frame's mouth."""
    from konterfei.landmarkers.mesh478 import Mesh478
    from konterfei.recognizers import RECOGNIZERS

    eyes = Eyes(type("Nobody", (), {"detect": lambda self, image: []})(), Mesh478(threads=1),
                RECOGNIZERS.load("mobilefacenet")(threads=1))  # fmt: skip
    true = TrueClip.open(truth, plate)
    plates, truths = ([frame.image for frame in open_frames(path)] for path in (plate, truth))

    observer = Observer(eyes, 96, num_results=2)
    with closing(true.watch(eyes, 96, (1, FRAMES), 3)) as watch:
        for index in range(1, FRAMES, 2):
            results = [swapped(true, plates, truths, index, shown % FRAMES) for shown in (index, index + 3)]
            observer.add(index, plates[index], results, face_of(true.plate_exact[index]))
            watch.add(index, [plates[index], *results])
    own, results = observer.series()
    return watch.observer.series([own, *results])


def test_the_pasted_truth_is_far_better_than_the_plate_and_than_another_moment(seen):
    true, (own, best, late) = seen
    assert true.indices.tolist() == [1, 3, 5, 7]
    good, other, none = (dict(measure_truths(true, one, own)) for one in (best, late, own))
    assert set(good) == set(TRUTHS)
    for name in ("truth_ssim", "truth_psnr", "truth_color", "truth_landmarks", "truth_expression", "truth_identity"):
        assert good[name].error < 0.7 * none[name].error, name
        assert good[name].error < other[name].error, name
        assert none[name].parts["plate"] == pytest.approx(none[name].value)
        assert good[name].parts["plate"] == pytest.approx(none[name].value)
    assert good["truth_ssim"].value > 0.85
    assert good["truth_psnr"].value > 25
    assert good["truth_identity"].value > 0.8
    assert np.isnan(good["truth_flicker"].value)  # no two neighbours were looked at


def test_crops_lie_on_one_another(seen):
    """By the exact landmarks, eyes lie in one place in truth and plate."""
    true, (own, _, _) = seen
    assert true.crops.shape == own.crops.shape == (4, 96, 96, 3)
    assert np.array_equal(true.masks, own.masks)
    assert 0.1 < true.masks.mean() < 0.6
    eyes = [points[:, 36:48].mean(axis=1) for points in (true.exact, true.landmarks, own.landmarks)]
    assert np.abs(eyes[0] - eyes[1]).max() < 3
    assert np.abs(eyes[0] - eyes[2]).max() < 5


def test_a_truth_that_ends_too_soon_is_refused_while_reading(plate, truth):
    true = TrueClip.open(truth, plate)
    with closing(true.watch(None, 96, (0, 3), 1)) as watch, pytest.raises(ConfigError, match="ends before frame 5"):
        watch.add(5, [])


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"set_of": "P005", "seed": 4}, "--seed"),
        ({"set_of": "P005", "size": 128}, "--size"),
        ({"set_of": "P005", "fps": Fraction(30), "seconds": FRAMES / 30}, "--fps"),
        ({"set_of": "P005", "seconds": 0.4}, "--seconds"),
        ({}, "--set-of P005"),
    ],
)
def test_what_does_not_belong_is_refused_with_what_to_do(clip, plate, changes, word):
    with pytest.raises(ConfigError, match=word):
        TrueClip.open(clip("P006", **changes), plate)


def test_other_settings_of_the_rendering_are_named(plate, truth, tmp_path):
    other = copied(truth, tmp_path / "other")
    made = Manifest.load(other)
    made.settings["look"] = -1
    made.save(other)
    with pytest.raises(ConfigError, match="other settings: look"):
        TrueClip.open(other, plate)
    Manifest.file_for(other).unlink()  # nothing is known then: the poses decide
    assert len(TrueClip.open(other, plate).exact) == FRAMES


def test_the_plates_own_performer_is_no_truth_about_a_swap(clip, plate):
    for same in (plate, clip("P005", set_of="P005")):
        with pytest.raises(ConfigError, match="nothing is swapped"):
            TrueClip.open(same, plate)


def test_of_two_performers_the_swapped_one_is_compared(clip):
    """Whose faces were swapped is told by where they are; a swap of the partner has another partner as its truth."""
    two, three = clip("P005", partner="P006"), clip("P005", partner="P007")
    own, theirs = read_truth(two), read_truth(three)
    first, second = ({k: face_of(points[k]) for k in (2, 5)} for points in (own.landmarks, own.partner.landmarks))
    true = TrueClip.open(three, two, second)
    assert np.array_equal(true.exact, theirs.partner.landmarks)
    assert np.array_equal(true.plate_exact, own.partner.landmarks)
    with pytest.raises(ConfigError, match="other settings: partner"):
        TrueClip.open(three, two, first)
    with pytest.raises(ConfigError, match="other settings: person"):
        TrueClip.open(clip("P007", partner="P006", set_of="P005"), two, second)
    true = TrueClip.open(clip("P007", partner="P006", set_of="P005"), two, first)
    assert np.array_equal(true.plate_exact, own.landmarks)


def test_a_clip_about_which_nothing_is_known_is_refused(plate, truth, tmp_path):
    bare = shutil.copy(truth, tmp_path / "bare.mp4")
    with pytest.raises(ConfigError, match=r"--truth .* no rendered performer, or 'bare\.landmarks\.npz'"):
        TrueClip.open(Path(bare), plate)
    with pytest.raises(ConfigError, match=r"^the plate .* no rendered performer"):
        TrueClip.open(truth, Path(bare))
    truth_path(Path(bare)).write_bytes(b"nothing of use")
    with pytest.raises(DamagedFileError, match=r"bare\.landmarks\.npz"):
        TrueClip.open(Path(bare), plate)
    with pytest.raises(ConfigError, match="rendered performers only"):
        TrueClip.open(tmp_path / "none.mp4", plate)
    assert read_truth(truth).landmarks.shape == (FRAMES, 68, 2)


def test_the_report_tells_how_far_the_result_is_from_the_truth(clip, plate, truth, tmp_path):
    true = TrueClip.open(truth, plate)
    plates, truths = ([frame.image for frame in open_frames(path)] for path in (plate, truth))
    with VideoWriter(tmp_path / "out.mp4", SIZE, SIZE, crf=4, preset="ultrafast", fps_hint=FPS) as writer:
        for index in range(FRAMES):
            writer.write(swapped(true, plates, truths, index, index), index / FPS)
    for name, path in (("dst", plate), ("src", clip("P006", seed=1))):
        extract(ExtractConfig(video=path, output=tmp_path / name, threads=1), Silent())
    given = {"renders": (tmp_path / "out.mp4",), "faces": tmp_path / "dst", "src": tmp_path / "src", "plate": plate}
    config = EvaluateConfig(**given, truth=truth, threads=1)
    recorder = Recorder()
    found = evaluate(config, recorder)
    assert not recorder.warnings
    assert set(TRUTHS) < set(found.measurements)
    assert found.measurements["truth_ssim"].value > 0.8 > found.measurements["truth_ssim"].parts["plate"]
    assert np.isfinite(found.measurements["truth_flicker"].value)
    data = json.loads(found.report.read_text())
    assert data["inputs"]["truth"]["path"] == str(truth)
    assert "Wang" in data["metrics"]["truth_ssim"]["definition"]
    assert "truth_ssim" in found.page.read_text().replace(" ", "_")
    assert evaluate(config, Recorder()).was_done
    evaluate(replace(config, truth=clip("P007", set_of="P005")), recorder)
    assert [line for line in recorder.warnings if "not like the src faces of 'out" in line]
    without = evaluate(replace(config, truth=None), Recorder())
    assert not without.was_done
    assert not set(TRUTHS) & set(without.measurements)
