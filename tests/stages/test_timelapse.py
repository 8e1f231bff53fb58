"""The timelapse: every preview in order, words and label beside the faces, signed, whole or not there."""

from pathlib import Path

import av
import numpy as np
import pytest

from konterfei.errors import Cancelled, ConfigError, ConsentError, NoFacesError, OutputError, StoreError
from konterfei.io.preview_file import COLUMNS, MASKED, PreviewLayout
from konterfei.io.run import Run
from konterfei.provenance.consent import Consent
from konterfei.provenance.label import label_region
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder
from konterfei.stages import timelapse as module
from konterfei.stages._timelapse_frames import Film, film_label
from konterfei.stages.timelapse import TimelapseConfig, timelapse

CELL, ROWS = 48, 2
NAMES = [*COLUMNS, *(name + MASKED for name in COLUMNS)]
LAYOUT = PreviewLayout(tuple((name, i * CELL) for i, name in enumerate(NAMES)), CELL, 24, ROWS)
STEPS = [1, 40, 100, 300, 500, 900]


def preview(level):
    """Faces of one grey; the swap is red and brighter in the second row."""
    image = np.full((24 + ROWS * CELL, len(NAMES) * CELL, 3), 32, np.uint8)
    for name in NAMES:
        for row in range(ROWS):
            LAYOUT.face(image, name, row)[:] = (level + 60 * row, 0, 0) if name.startswith("src-dst") else level
    return image


@pytest.fixture
def run(tmp_path):
    config = {
        "model": "df",
        "preset": "quick",
        "src": {"video": "anna.mp4", "video_sha256": "aa" * 32, "faces": "anna", "hash": "cc" * 32},
        "dst": {"video": "", "video_sha256": "", "faces": "films/plates", "hash": "dd" * 32},
    }
    made = Run.create(tmp_path / "run", config)
    for number, step in enumerate(STEPS):
        made.save_preview(step, preview(20 + 30 * number), LAYOUT)
        made.log({"step": step, "trained_s": 6.0 * step})
    return made


@pytest.fixture
def consent(tmp_path):
    path = tmp_path / "anna.toml"
    Consent(person="Anna", basis="synthetic", scope=("lakeside",)).save(path)
    return path


@pytest.fixture
def make(run, consent, tmp_path):
    """make(**changes) -> result, reporter."""

    def go(reporter=None, **changes):
        reporter = reporter or Recorder()
        given = {"run": run.folder, "output": tmp_path / "t.mp4", "consent": consent, "use": "lakeside", **changes}
        return timelapse(TimelapseConfig(**given), reporter), reporter

    return go


def frames(path):
    with av.open(str(path)) as container:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def test_every_preview_is_shown_in_order_for_its_time_and_the_last_one_longer(make):
    result, _ = make(fps=4.0)
    shown = frames(result.video)
    assert [time for time, _ in shown] == [i / 4 for i in range(len(STEPS) + 4)]
    levels = [image[-CELL // 2, CELL // 2].mean() for _, image in shown]
    np.testing.assert_allclose(levels, [20 + 30 * min(i, 5) for i in range(10)], atol=4)
    assert (result.previews, result.steps, result.seconds) == (6, (1, 900), 2.5)
    assert shown[0][1].shape[0] % 2 == shown[0][1].shape[1] % 2 == 0


def test_seconds_say_how_long_it_lasts(make):
    result, _ = make(seconds=2.0)
    shown = frames(result.video)
    assert shown[5][0] == pytest.approx(2 * 5 / 6, abs=0.001)
    assert result.seconds == 3.0


def test_it_is_signed_labelled_and_says_what_it_is_made_of(make):
    result, _ = make()
    verdict = verify(result.video)
    assert verdict.untouched
    assert verdict.swap["frames_swapped"] == len(frames(result.video))
    assert (verdict.swap["model"], verdict.swap["steps"], verdict.swap["is_preview"]) == ("df", 900, True)
    assert (verdict.swap["label_text"], verdict.swap["use"]) == ("AI MODIFIED (PREVIEW)", "lakeside")
    assert verdict.consent["person"] == "Anna"
    assert [(item.name, item.relation, item.sha256) for item in verdict.ingredients] == [
        ("dst faceset plates", "parentOf", "dd" * 32),
        ("anna.mp4", "inputTo", "aa" * 32),
    ]
    assert "labelled and signed" in result.summary()[1]
    bare, _ = make(label="none", output=result.video.with_name("bare.mp4"))
    assert verify(bare.video).swap["label"] == "none"
    assert "no visible label (recorded)" in bare.summary()[1]


@pytest.mark.parametrize("label", ["corner", "caption"])
@pytest.mark.parametrize("only", [None, "plain", "masked", "swap"])
@pytest.mark.parametrize("row", [None, 2])
def test_the_label_is_there_and_covers_no_face(label, only, row):
    green = np.full_like(preview(0), 32)
    for name in NAMES:
        for number in range(ROWS):
            LAYOUT.face(green, name, number)[:] = (0, 200, 0)
    frame = Film(LAYOUT, only, row, label).frame(green, "step 900")
    bare = Film(LAYOUT, only, row, "none").frame(green, "")
    height, width = frame.shape[:2]
    rows, columns = label_region(width, height, label, film_label(label))
    letters = frame[rows, columns]
    assert letters.max() > 230 and letters.min() < 30

    def faces(image):
        return int((image == (0, 200, 0)).all(axis=2).sum())

    assert faces(bare) > 1000
    assert faces(frame) == faces(bare)
    assert height % 2 == width % 2 == 0


def test_only_the_swap_of_one_row(make):
    result, _ = make(only="swap", row=2)
    image = frames(result.video)[-1][1]
    assert image.shape[1] == 480  # one face, enlarged
    np.testing.assert_allclose(image[-240, 240], (20 + 30 * 5 + 60, 0, 0), atol=6)


def test_again_it_does_nothing_until_something_changes(make, run):
    result, _ = make()
    before = result.video.read_bytes()
    again, reporter = make()
    assert again.was_done and "Nothing to do" in reporter.notes[-1]
    assert result.video.read_bytes() == before
    run.save_preview(1000, preview(190), LAYOUT)
    newer, _ = make()
    assert not newer.was_done and newer.previews == 7
    assert len(frames(newer.video)) > len(STEPS) + 8


def test_what_something_else_made_is_not_replaced_unasked(make, tmp_path):
    (tmp_path / "t.mp4").write_bytes(b"dear")
    with pytest.raises(OutputError, match="was not made by this timelapse"):
        make()
    assert (tmp_path / "t.mp4").read_bytes() == b"dear"
    result, _ = make(force=True)
    assert verify(result.video).untouched


def test_what_fails_leaves_nothing_behind(make, tmp_path, monkeypatch):
    def fail(*_args):
        raise OSError("power cut")

    before = sorted(tmp_path.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(module, "sign", fail)
        with pytest.raises(OSError, match="power cut"):
            make()
    stopped = Recorder()
    stopped.stop = True
    with pytest.raises(Cancelled):
        make(stopped)
    assert sorted(tmp_path.iterdir()) == before
    torn = tmp_path / ".t.mp4.timelapse"  # what kill -9 leaves
    torn.mkdir()
    (torn / "unsigned.mp4").write_bytes(b"half")
    result, _ = make()
    assert verify(result.video).untouched
    assert not torn.exists()


def test_older_previews_of_another_layout_are_left_out_with_a_word(make, run):
    run.save_preview(0, np.zeros((40, 60, 3), np.uint8))
    result, reporter = make()
    assert result.previews == len(STEPS)
    assert any("1 previews are laid out otherwise" in note for note in reporter.notes)


def test_previews_without_a_layout_are_shown_whole_or_refused(make, tmp_path):
    run = Run.create(tmp_path / "old", {"model": "df"})
    run.save_preview(5, np.full((100, 640, 3), 90, np.uint8))
    result, _ = make(run=run.folder, output=tmp_path / "old.mp4")
    assert verify(result.video).untouched
    with pytest.raises(ConfigError, match="do not say where their columns are"):
        make(run=run.folder, output=tmp_path / "x.mp4", only="swap")


def test_what_cannot_be_made_is_said_and_nothing_is_written(make, run, tmp_path):
    empty = Run.create(tmp_path / "empty", {"model": "df"})
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    for error, match, changes in (
        (NoFacesError, "has no previews yet", {"run": empty.folder}),
        (StoreError, "holds no run", {"run": tmp_path / "nothing"}),
        (ConsentError, "covers 'lakeside' only", {"use": None}),
        (ConsentError, "does not cover 'other'", {"use": "other"}),
        (ConfigError, "the previews have 2 rows", {"row": 3}),
    ):
        with pytest.raises(error, match=match):
            make(**changes)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before
    for error, match, changes in (
        (OutputError, "can carry Content Credentials", {"output": Path("a.mkv")}),
        (ConfigError, "exclude each other", {"fps": 5.0, "seconds": 5.0}),
        (ConfigError, "--fps", {"fps": 0.0}),
        (ConfigError, "--row", {"row": 0}),
    ):
        with pytest.raises(error, match=match):
            TimelapseConfig(**{"run": run.folder, "output": Path("a.mp4"), "consent": Path("c.toml"), **changes})
