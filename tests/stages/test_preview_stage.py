"""preview: the pixels of the merge, marked as it marks them; sheets; what is remembered; watching."""

import dataclasses
import shutil

import cv2
import numpy as np
import pytest
from merge_material import (
    FRAMES,
    HEIGHT,
    WIDTH,
    Painter,
    config_for,
    decode,
    face,
    make_consent,
    make_faces,
    make_plate,
)

from konterfei.cli import main
from konterfei.compositing import Keys, MergeSettings
from konterfei.errors import Cancelled, ConfigError, ConsentError, OutputError, UnknownNameError
from konterfei.io.images import bit_depth, read_image, write_image
from konterfei.provenance.label import label_region
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder, Silent
from konterfei.stages import _preview_memory
from konterfei.stages._preview_settings import grid_choices
from konterfei.stages._preview_sheet import sheet
from konterfei.stages.merge import merge
from konterfei.stages.preview import Preview, PreviewConfig, preview


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preview")
    plate = make_plate(folder / "plate.mp4", sound=False)
    make_faces(folder / "faces", plate, range(2, FRAMES))
    make_consent(folder / "consent.toml")
    return folder


def config_of(place, **changes):
    given = {
        "video": place / "plate.mp4",
        "faces": place / "faces",
        "model": place / "run",
        "output": place / "look.png",
        "consent": place / "consent.toml",
        "batch": 3,
    }
    return PreviewConfig(**{**given, **changes})


KEYS = '[[keys]]\nframe = 5\nerode = 0.0\n[[keys]]\nframe = 30\nerode = 0.2\ncolor = "none"\n'


@pytest.mark.parametrize("deep", [False, True])
def test_the_pixels_are_those_of_the_merge(place, deep):
    if deep:
        make_plate(place / "plate.mp4", sound=False, deep=True)
        shutil.rmtree(place / "faces")
        make_faces(place / "faces", place / "plate.mp4", range(2, FRAMES))
    (place / "merge.toml").write_text(KEYS)
    changes = {"label": "corner", "color_smoothing": 0.2, "sharpen": 0.5, "keys": place / "merge.toml"}
    whole = config_for(place, place / "plate.mp4", place / "faces", output=place / "whole", **changes)
    merge(whole, Silent(), Painter())
    wanted = (0, 2, 6, 20, FRAMES - 1)  # without a face; beside a border of parts; the last
    config = config_of(place, output=place / "some", frame=("0,2", "6", f"20,{FRAMES - 1}"), **changes)
    result = preview(config, Silent(), Painter())
    assert [path.name for path in result.pictures] == [f"{index:06d}.png" for index in wanted]
    assert result.notes == ("frame 0 is as it was: no face in the faceset",)
    for path in result.pictures:
        assert bit_depth(path) == bit_depth(whole.output / path.name)
        assert (read_image(path, deep=True) == read_image(whole.output / path.name, deep=True)).all()


def test_a_picture_says_what_it_is(place):
    config = config_of(place, frame=("9",), use="a test", erode=0.1)
    preview(config, Silent(), Painter(is_preview=True))
    told = verify(config.output)
    assert told.untouched and told.consent["person"] == "Painter's model"
    assert (told.swap["frame"], told.swap["frames_swapped"], told.swap["model"]) == (9, 1, "painter")
    assert told.swap["settings"]["erode"] == 0.1 and told.swap["use"] == "a test"
    assert told.swap["is_preview"] is True and told.swap["label_text"] == "AI MODIFIED (PREVIEW)"
    rows, columns = label_region(WIDTH, HEIGHT, "corner", "AI MODIFIED (PREVIEW)")
    plate = decode(config.video)[0][9]
    assert np.abs(read_image(config.output)[rows, columns].astype(int) - plate[rows, columns]).max() > 100


def test_without_a_frame_it_is_the_middle_one_of_those_with_a_face(place):
    result = preview(config_of(place), Silent(), Painter())
    assert verify(result.pictures[0]).swap["frame"] == 21


def test_compare_puts_the_plate_beside_it(place):
    config = config_of(place, frame=("9",), compare=True, label="none")
    preview(config, Silent(), Painter())
    both, plate = read_image(config.output), decode(config.video)[0][9]
    assert both.shape == (HEIGHT, 2 * WIDTH, 3) and (both[:, :WIDTH] == plate).all()
    alone = Preview(config, Silent(), Painter()).frame(9)
    assert (both[:, WIDTH:] == alone.image).all() and (alone.image != plate).any()


def test_names_stand_beside_the_faces_of_the_result(place):
    config = config_of(place, frame=("9",))
    preview(config, Silent(), Painter())
    plain = read_image(config.output).astype(int)
    preview(dataclasses.replace(config, names=True), Silent(), Painter())
    change = np.abs(read_image(config.output) - plain).max(axis=2)
    left, top, right, bottom = np.rint(face(9).box).astype(int)
    assert (change[top : bottom + 1, left] > 20).all() and (change[top, left : right + 1] > 20).all()
    assert change[top + 3 : bottom - 3, left + 3 : right - 3].max() == 0
    assert verify(config.output).swap["frames_swapped"] == 1


@pytest.mark.parametrize(("grid", "count"), [("color=none,rct,mkl", 4), ("erode=0,0.1", 3), ("match-masked", 3)])
def test_a_grid_shows_every_choice_beside_the_plate(place, grid, count, monkeypatch):
    seen = {}

    def spy(title, pictures, *rest):
        seen.update(pictures)
        return sheet(title, pictures, *rest)

    monkeypatch.setattr("konterfei.stages._preview_frames.sheet", spy)
    config = config_of(place, frame=("9",), grid=grid, output=place / "grid.png")
    painter = Painter()
    preview(config, Silent(), painter)
    assert len(seen) == count and next(iter(seen)) == "plate" and sum("(now)" in name for name in seen) <= 1
    control, values = grid_choices(grid)
    for name, picture in list(seen.items())[1:]:
        value = next(value for value in values if str(value) == name.removesuffix(" (now)"))
        alone = dataclasses.replace(config, grid=None, label="none", **{control: value})
        assert (Preview(alone, Silent(), Painter()).frame(9).image == picture).all()
    told = verify(config.output)
    assert told.untouched and told.swap["settings"]["grid"] == grid


def test_every_control_with_names_can_be_a_grid_and_what_is_impossible_is_told(place):
    result = preview(config_of(place, frame=("9",), grid="mask"), Silent(), Painter())
    assert any("xseg is not shown" in note and "--segmenter" in note for note in result.notes)
    result = preview(config_of(place, frame=("9",), grid="mode"), Silent(), Painter())
    assert result.notes == ()


def test_the_label_of_a_sheet_covers_no_picture():
    pictures = {name: np.full((90, 160, 3), 200, np.uint8) for name in "abcdef"}
    made = sheet("title", pictures, [face(9)], "corner", None)
    rows, columns = label_region(made.shape[1], made.shape[0], "corner")
    assert (made[rows, columns] < 100).all() and (made > 190).any()


def test_nonsense_is_refused_by_its_flag(place):
    for changes, error, said in (
        ({"frame": ("nine",)}, ConfigError, "--frame is 'nine'"),
        ({"frame": ("1", "2")}, ConfigError, r"one picture .*look.%04d.png"),
        ({"output": place / "look.mp4"}, ConfigError, "--output"),
        ({"grid": "colour"}, UnknownNameError, "color"),
        ({"grid": "color=rtc"}, UnknownNameError, "rct"),
        ({"grid": "erode"}, ConfigError, "--grid erode needs values"),
        ({"grid": "erode=much"}, ConfigError, "'much' is no number"),
        ({"watch": True}, ConfigError, "--keys"),
        ({"batch": 0}, ConfigError, "--batch"),
        ({"mask": "xseg"}, ConfigError, "--segmenter"),
    ):
        with pytest.raises(error, match=said):
            config_of(place, **changes)
    with pytest.raises(ConfigError, match=f"There is no frame {FRAMES} in"):
        preview(config_of(place, frame=(str(FRAMES),)), Silent(), Painter())
    with pytest.raises(ConfigError, match="--erode is 3"):
        preview(config_of(place, frame=("9",), grid="erode=3"), Silent(), Painter())
    with pytest.raises(ConsentError):
        preview(config_of(place, consent=place / "none.toml"), Silent(), Painter())
    assert not (place / "look.png").exists()


def test_only_its_own_pictures_are_replaced(place):
    config = config_of(place, frame=("9",))
    preview(config, Silent(), Painter())
    preview(dataclasses.replace(config, erode=0.1), Silent(), Painter())
    write_image(config.output, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(OutputError, match="konterfei did not make it"):
        preview(config, Silent(), Painter())
    preview(dataclasses.replace(config, force=True), Silent(), Painter())
    assert verify(config.output).untouched


def test_another_setting_draws_nothing_anew_and_decodes_nothing(place, monkeypatch):
    painter, opened = Painter(), []
    open_frames = _preview_memory.open_frames
    monkeypatch.setattr(
        _preview_memory, "open_frames", lambda *given, **named: opened.append(given) or open_frames(*given, **named)
    )
    looking = Preview(config_of(place, label="none"), Silent(), painter)
    first = looking.frame(12).image
    batches, reads = len(painter.batches), len(opened)
    assert batches and reads == 1
    for settings in (MergeSettings(erode=0.2), MergeSettings(color="none"), looking.settings):
        last = looking.frame(12, settings).image
        assert (len(painter.batches), len(opened)) == (batches, reads)
    assert (last == first).all() and (looking.frame(12, MergeSettings(erode=0.2)).image != first).any()
    later = looking.frame(13).image
    assert len(opened) == 1  # reading goes on
    looking.frame(3)
    assert len(opened) == 2
    looking.close()
    assert (looking.frame(13).image == later).all()


def test_memory_has_a_bound_and_gives_the_same_with_little_of_it(place, monkeypatch):
    looking = Preview(config_of(place, steady=0.0), Silent(), Painter())
    usual = [looking.frame(index).image for index in range(5, 15)]
    monkeypatch.setattr(_preview_memory, "FRAME_BYTES", 1)
    monkeypatch.setattr(_preview_memory, "FACES", 1)
    looking = Preview(config_of(place, steady=0.0), Silent(), Painter())
    assert all((looking.frame(index).image == usual[index - 5]).all() for index in range(5, 15))
    assert len(looking._frames._frames) < FRAMES / 2
    (model,) = looking._memory._models.values()
    assert len(model._drawn) <= 3


def test_keys_that_make_no_sense_leave_the_old_ones(place):
    looking = Preview(config_of(place), Silent(), Painter())
    before = looking.frame(9).image
    (place / "bad.toml").write_text("[[faces]]\ntrack = 9\nswap = false")
    with pytest.raises(ConfigError, match="no track 9"):
        looking.use_keys(Keys.load(place / "bad.toml"))
    assert (looking.frame(9).image == before).all()
    (place / "good.toml").write_text("[settings]\nface_scale = 0.8")
    looking.use_keys(Keys.load(place / "good.toml"))
    assert (looking.frame(9).image != before).any()


class Watcher(Recorder):
    """Saves the next text of the file after each picture, or each warning; at the end asks to stop."""

    def __init__(self, path, texts):
        super().__init__()
        self.path, self.texts, self.seen = path, list(texts), []

    def preview(self, path):
        self.seen.append(read_image(path))
        self._go_on()

    def warn(self, text):
        super().warn(text)
        self._go_on()

    def _go_on(self):
        if self.texts:
            self.path.write_text(self.texts.pop(0))
        else:
            self.stop = True


def test_watching_looks_again_whenever_the_file_is_saved(place, monkeypatch):
    monkeypatch.setattr("konterfei.stages.preview._LOOK_EVERY_S", 0.01)
    path = place / "merge.toml"
    path.write_text("[settings]\nerode = 0.0")
    watcher = Watcher(path, ["[settings]\nerode = 0.25", "[settings]\nerode = 0.2.5", "# as before"])
    painter = Painter()
    config = config_of(place, frame=("9",), keys=path, watch=True)
    result = preview(config, watcher, painter)
    assert result.pictures == (config.output,)
    first, second, last = watcher.seen
    assert (first != second).any() and (first == last).all() and (read_image(config.output) == last).all()
    assert len(watcher.warnings) == 1 and "line 2" in watcher.warnings[0]
    assert len(painter.batches) == 7  # for the first picture only: twenty-one frames, three at a time
    assert verify(config.output).untouched


def test_stopped_before_the_first_picture(place):
    reporter = Recorder()
    reporter.stop = True
    with pytest.raises(Cancelled):
        preview(config_of(place), reporter, Painter())
    assert not (place / "look.png").exists()


def test_from_the_command_line(place, capsys, monkeypatch):
    monkeypatch.setattr("konterfei.stages._merge_checks.open_swapper", lambda *given: Painter())
    words = [f"{place}/plate.mp4", "--faces", f"{place}/faces", "--model", f"{place}/run", "--consent"]
    assert main(["preview", *words, f"{place}/consent.toml", "-o", f"{place}/at.%03d.png", "--frame", "3,4"]) == 0
    assert sorted(path.name for path in place.glob("at.*")) == ["at.003.png", "at.004.png"]
    assert "at.003.png" in capsys.readouterr().out
    assert cv2.imread(str(place / "at.003.png")).shape == (HEIGHT, WIDTH, 3)
