"""What merge makes beside the result: right in its pictures, marked, kept part by part, never half there."""

import dataclasses
import json
import random
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import merge_material
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
    picture,
    sound_packets,
)

from konterfei.errors import ConfigError, OutputError, UnknownNameError
from konterfei.imaging.transfer import TRANSFERS
from konterfei.io.exr import read_exr
from konterfei.io.images import read_image, write_image
from konterfei.io.video import probe
from konterfei.provenance.label import label_region
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder, Silent
from konterfei.stages._merge_extras import EXTRAS
from konterfei.stages._merge_output import Drawn
from konterfei.stages._merge_review import SideBySide
from konterfei.stages.merge import MergeConfig, merge
from konterfei.stages.verify import VerifyConfig
from konterfei.stages.verify import verify as verify_stage
from konterfei.turnover import verify_package

ALL = ",".join(EXTRAS)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A plate, its faceset without a face in frame 3, a consent record."""
    folder = tmp_path_factory.mktemp("extras")
    plate = make_plate(folder / "plate.mp4")
    make_faces(folder / "faces", plate, frames=[i for i in range(FRAMES) if i != 3])
    make_consent(folder / "consent.toml")
    return folder


def config_in(folder, shelf, **changes):
    for name in ("plate.mp4", "consent.toml"):
        shutil.copy(shelf / name, folder / name)
    shutil.copytree(shelf / "faces", folder / "faces")
    return config_for(folder, folder / "plate.mp4", folder / "faces", **{"extras": ALL, "label": "corner", **changes})


@pytest.fixture
def config(tmp_path, shelf):
    return config_in(tmp_path, shelf)


def beside(config, ending):
    return config.output.with_name(f"out.{ending}")


@pytest.fixture(scope="module")
def made(tmp_path_factory, shelf):
    """A merge with all extras, done: its settings and result."""
    config = config_in(tmp_path_factory.mktemp("made"), shelf, crf=4)
    return config, merge(config, Silent(), Painter())


def test_all_lie_beside_the_result_and_nothing_else(made):
    config, result = made
    names = {path.name for path in config.output.parent.iterdir()} - {"plate.mp4", "faces", "consent.toml"}
    assert names == {
        *("out.mp4", "out.mp4.manifest.json"),
        *("out.mask.mp4", "out.side-by-side.mp4", "out.wipe.mp4", "out.turnover"),
    }
    assert set(result.extras) == set(EXTRAS) and any("beside it: mask" in line for line in result.summary())


@pytest.mark.parametrize("name", ["mask", "side-by-side", "wipe"])
def test_every_video_is_signed_and_says_what_it_is(made, name):
    config, result = made
    found = verify(beside(config, f"{name}.mp4"))
    assert found.untouched and found.swap["label"] == "corner" and found.swap["settings"]["extra"] == name
    assert found.swap["frames_swapped"] == result.swapped == FRAMES - 1
    assert found.consent["record_sha256"] == verify(config.output).consent["record_sha256"]


def test_the_mask_is_white_where_the_face_was_swapped(made):
    config, _ = made
    masks, times = decode(beside(config, "mask.mp4"))
    frames, there = decode(config.output)
    assert times == there and masks.shape == frames.shape
    plates = decode(config.video)[0]
    rows, columns = label_region(WIDTH, HEIGHT, "corner")
    for index in (0, 20, 39):
        changed = (np.abs(frames[index].astype(int) - plates[index]) > 25).any(axis=2)
        changed[rows, columns] = False
        assert masks[index][changed].mean() > 200 and masks[index][0, 0].max() < 5
        x, y = face(index).landmarks[30].astype(int)
        assert masks[index][y, x].min() > 250
    assert masks[3].max() < 5


def test_side_by_side_shows_plate_and_labelled_result(made):
    config, _ = made
    pairs, _ = decode(beside(config, "side-by-side.mp4"))
    frames, plates = decode(config.output)[0], decode(config.video)[0]
    assert pairs.shape == (FRAMES, HEIGHT, 2 * WIDTH, 3)
    assert np.abs(pairs[:, :, :WIDTH].astype(int) - plates).mean() < 2
    assert np.abs(pairs[:, :, WIDTH:].astype(int) - frames).mean() < 2
    rows, columns = label_region(WIDTH, HEIGHT, "corner")
    right = slice(WIDTH + columns.start, WIDTH + columns.stop)
    assert np.abs(pairs[:, rows, right].astype(int) - frames[:, rows, columns]).mean() < 4
    sound = sound_packets(beside(config, "side-by-side.mp4"))
    assert sound == sound_packets(config.output)


@pytest.mark.parametrize(
    ("plate", "pair"),
    [((1920, 1080), (3840, 1080)), ((2048, 858), (4096, 858)), ((3840, 2160), (3840, 1080)), ((641, 361), (1280, 360))],
)
def test_a_pair_is_even_and_not_too_wide(plate, pair):
    info = SimpleNamespace(width=plate[0], height=plate[1])
    video = SideBySide(Path("out.mp4"), "side-by-side")
    assert video.size(info) == pair
    black = np.zeros((plate[1], plate[0], 3), np.uint8)
    shown = video.picture(Drawn(0, black + 200, Fraction(0), None, "swapped", black), SimpleNamespace(info=info))
    assert shown.shape == (pair[1], pair[0], 3)
    assert (shown[:, : pair[0] // 2] == 0).all() and (shown[:, pair[0] // 2 :] == 200).all()


def test_of_a_deep_plate_every_player_shows_the_reviews(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4", frames=8, deep=True)
    make_faces(tmp_path / "faces", plate, frames=range(8))
    make_consent(tmp_path / "consent.toml")
    merge(config_for(tmp_path, plate, tmp_path / "faces", extras=ALL), Silent(), Painter())
    assert probe(tmp_path / "out.mp4").pixel_format == "yuv420p10le"
    for name in ("mask", "side-by-side", "wipe"):
        assert probe(tmp_path / f"out.{name}.mp4").pixel_format == "yuv420p"
    assert verify_package(tmp_path / "out.turnover").untouched


def line_of(frame, around):
    """The column of the white line."""
    return int(frame[around].min(axis=(0, 2)).argmax())


def test_the_wipes_line_moves_and_every_frame_keeps_its_label(made):
    config, _ = made
    wiped, _ = decode(beside(config, "wipe.mp4"))
    frames, plates = decode(config.output)[0], decode(config.video)[0]
    low = slice(HEIGHT - 30, HEIGHT)
    places = [line_of(frame, low) for frame in wiped]
    assert places[1] < places[12] < places[20] < places[39] < WIDTH
    wanted = [(0.5 - 0.5 * np.cos(2 * np.pi * i / 25 / 4)) * WIDTH for i in (12, 20, 39)]
    assert [places[i] for i in (12, 20, 39)] == pytest.approx(wanted, abs=2)
    rows, columns = label_region(WIDTH, HEIGHT, "corner")
    for index in (0, 20, 39):
        place = places[index]
        left, right = slice(0, max(place - 3, 0)), slice(place + 4, WIDTH)
        below = slice(rows.stop + 2, None)
        assert np.abs(wiped[index][below, right].astype(int) - frames[index][below, right]).mean() < 2
        assert index == 0 or np.abs(wiped[index][below, left].astype(int) - plates[index][below, left]).mean() < 2
        assert np.abs(wiped[index][rows, columns].astype(int) - frames[index][rows, columns]).mean() < 8


def test_a_wipe_may_stand(tmp_path, shelf):
    config = config_in(tmp_path, shelf, extras="wipe", wipe=0.25, range="0:9")
    merge(config, Silent(), Painter())
    wiped, _ = decode(beside(config, "wipe.mp4"))
    assert {line_of(frame, slice(HEIGHT - 30, HEIGHT)) for frame in wiped} <= {WIDTH // 4 - 1, WIDTH // 4}


def test_the_package_gives_every_merged_frame_back(tmp_path, shelf):
    """Beside pictures, which are not encoded: equal to the last bit."""
    config = config_in(tmp_path, shelf, output=tmp_path / "out", extras="turnover", range="0:12")
    merge(config, Silent(), Painter())
    folder = tmp_path / "out.turnover"
    assert verify_package(folder).untouched
    plates, transfer = decode(config.video)[0], TRANSFERS["bt709"]
    for index in range(12):
        exr = read_exr(folder / f"frames/frame.{index + 1:06d}.exr")
        rest = 1 - exr.over_picture("A").astype(np.float64)[..., None]
        change = np.stack([exr.over_picture(letter) for letter in "RGB"], axis=2)
        rebuilt = np.rint(transfer.encode(change + rest * transfer.light(plates[index])) * 255)
        assert (rebuilt == read_image(tmp_path / "out" / f"{index:06d}.png")).all()
        assert ("face0_swap.R" in exr.channels) == (index != 3)
    told = json.loads((folder / "transforms.json").read_text("utf-8"))
    assert [frame["frame"] for frame in told["frames"]] == list(range(1, 13))
    assert (
        told["marking"]["models"][0]["consent_record_sha256"]
        == verify(tmp_path / "out" / "000000.png").consent["record_sha256"]
    )


def test_verify_looks_at_the_whole_package(made, tmp_path):
    config, _ = made
    folder = tmp_path / "out.turnover"
    shutil.copytree(beside(config, "turnover"), folder)
    verdict = verify_stage(VerifyConfig(video=folder, consent=config.consent), Silent())
    assert verdict.untouched and verdict.consent_fits and verdict.exit_code == 0
    text = (folder / "transforms.json").read_text("utf-8")
    (folder / "transforms.json").write_text(text.replace("synthetic", "authentic"), "utf-8")
    verdict = verify_stage(VerifyConfig(video=folder), Silent())
    assert verdict.exit_code == 1 and verdict.problems == ("transforms.json was changed",)


def test_pictures_keep_their_numbers_in_the_package(tmp_path, shelf):
    plate = tmp_path / "plate"
    for index in range(8):
        write_image(plate / f"take.{1001 + index}.png", picture(index))
    make_faces(tmp_path / "faces", plate, frames=range(8))
    make_consent(tmp_path / "consent.toml")
    config = config_for(tmp_path, plate, tmp_path / "faces", extras="turnover")
    merge(config, Silent(), Painter())
    names = {path.name for path in (tmp_path / "out.turnover" / "frames").iterdir()}
    assert names == {f"frame.{1001 + index:06d}.exr" for index in range(8)}
    assert json.loads((tmp_path / "out.turnover/transforms.json").read_text())["light"]["transfer"] == "srgb"


def test_run_again_it_does_nothing_and_makes_what_is_gone(config):
    config = dataclasses.replace(config, range="0:9", keep_parts=True)
    merge(config, Silent(), Painter())
    assert merge(config, Silent(), Painter()).was_done
    (beside(config, "turnover") / "face0.nk").unlink()
    with pytest.raises(OutputError, match=r"out\.turnover"):  # it is not as it was made: perhaps worked on
        merge(dataclasses.replace(config, keep_parts=False, morph=0.5), Silent(), Painter())
    with pytest.raises(OutputError, match=r"out\.turnover"):
        merge(config, Silent(), Painter())
    painter = Painter()
    result = merge(dataclasses.replace(config, force=True), Silent(), painter)
    assert not result.was_done and not painter.batches  # of the parts that were kept
    assert verify_package(beside(config, "turnover")).untouched


def test_a_part_without_its_extra_is_made_again(config):
    config = dataclasses.replace(config, keep_parts=True, color_smoothing=0.0, steady=0.0)
    merge(config, Silent(), Painter())
    wanted = {name: decode(beside(config, f"{name}.mp4"))[0] for name in ("mask", "side-by-side", "wipe")}
    parts = config.parts_folder
    assert (parts / "part_000002.mask.mp4").is_file() and (parts / "part_000002.turnover/crops").is_dir()
    beside(config, "mask.mp4").unlink()

    def again(damage):
        damage()
        painter = Painter()
        merge(config, Silent(), painter)
        beside(config, "mask.mp4").unlink()
        return sum(painter.batches)

    assert again(lambda: None) == 0
    assert 0 < again((parts / "part_000002.mask.mp4").unlink) <= 9  # one part of seven, and its neighbours
    exr = next((parts / "part_000001.turnover/frames").iterdir())
    assert 0 < again(lambda: exr.write_bytes(exr.read_bytes()[:-9])) <= 9
    merge(config, Silent(), Painter())
    assert all((decode(beside(config, f"{name}.mp4"))[0] == frames).all() for name, frames in wanted.items())


def test_another_place_of_the_line_makes_the_video_anew(config):
    config = dataclasses.replace(config, keep_parts=True, extras="wipe", range="0:14")
    merge(config, Silent(), Painter())
    painter = Painter()
    merge(dataclasses.replace(config, wipe=0.5), Silent(), painter)
    assert sum(painter.batches) >= 14
    assert line_of(decode(beside(config, "wipe.mp4"))[0][1], slice(HEIGHT - 30, HEIGHT)) in (WIDTH // 2 - 1, WIDTH // 2)


def test_what_lies_there_already_is_not_replaced(config):
    beside(config, "turnover").mkdir()
    (beside(config, "turnover") / "my.nk").write_text("work of a week")
    with pytest.raises(OutputError, match=r"out\.turnover' is there already"):
        merge(config, Silent(), Painter())
    shutil.rmtree(beside(config, "turnover"))
    beside(config, "mask.mp4").mkdir()
    with pytest.raises(OutputError, match="a folder is in its way"):
        merge(config, Silent(), Painter())
    beside(config, "mask.mp4").rmdir()
    shutil.copy(config.video, beside(config, "mask.mp4"))
    with pytest.raises(OutputError, match="--extras mask"):
        merge(dataclasses.replace(config, video=beside(config, "mask.mp4")), Silent(), Painter())
    with pytest.raises(OutputError, match=r"out\.mask\.mp4' is there already"):
        merge(config, Silent(), Painter())
    merge(dataclasses.replace(config, force=True, range="0:9"), Silent(), Painter())
    assert verify(beside(config, "mask.mp4")).untouched


def test_names_and_the_line_are_checked_before_anything(tmp_path):
    with pytest.raises(UnknownNameError, match="side-by-side"):
        config_for(tmp_path, tmp_path / "plate.mp4", tmp_path / "faces", extras="mask,sidebyside")
    with pytest.raises(ConfigError, match="--extras wipe"):
        config_for(tmp_path, tmp_path / "plate.mp4", tmp_path / "faces", extras="mask", wipe=0.5)
    with pytest.raises(ConfigError, match="--wipe is 2"):
        config_for(tmp_path, tmp_path / "plate.mp4", tmp_path / "faces", extras="wipe", wipe=2.0)
    with pytest.raises(ConfigError, match="--extras need"):
        config_for(tmp_path, tmp_path / "a", tmp_path / "b", extras="mask", mode="raw-predict")
    assert isinstance(config_for(tmp_path, tmp_path / "a", tmp_path / "b", extras=" wipe , mask "), MergeConfig)


def contents(folder):
    """Every frame's layers, and what is told of the faces."""
    layers = {}
    for path in sorted(folder.glob("*/*.exr")):
        exr = read_exr(path)
        layers[path.name] = {name: values.tobytes() for name, values in exr.channels.items()} | {"at": exr.left}
    return layers, json.loads((folder / "transforms.json").read_text("utf-8"))["frames"]


@pytest.mark.timeout(900)
def test_killed_at_random_moments_the_extras_are_the_same(tmp_path, shelf):
    whole = config_in(tmp_path, shelf, output=tmp_path / "whole.mp4")
    merge(whole, Silent(), Painter())
    chance, frames, kills, parts = random.Random(8), 5, 0, tmp_path / "out.mp4.parts"
    told = {"folder": str(tmp_path), "output": str(tmp_path / "out.mp4"), "more": {"extras": ALL, "label": "corner"}}

    def run(frames, milliseconds):
        words = json.dumps({**told, "frames": frames, "milliseconds": milliseconds})
        return subprocess.run(
            [sys.executable, str(Path(merge_material.__file__)), words],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    while frames < FRAMES:
        died = run(frames, chance.uniform(1, 80))
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not list(tmp_path.glob("out.*mp4")) and not (tmp_path / "out.turnover").exists()
        kills += 1
        frames += chance.choice([9, 16])
    assert kills >= 2 and list(parts.glob("part_*.wipe.mp4"))
    for milliseconds in (10, 150, 400):  # while parts are joined and signed
        run(FRAMES, milliseconds)
        found = [path for path in tmp_path.glob("out.*mp4") if path.is_file()]
        assert all(verify(path).untouched for path in found)
        assert not (tmp_path / "out.turnover").exists() or verify_package(tmp_path / "out.turnover").untouched
    last = run(-1, 0)
    assert last.returncode == 0, last.stderr
    for name in ("mask", "side-by-side", "wipe"):
        mine, other = tmp_path / f"out.{name}.mp4", tmp_path / f"whole.{name}.mp4"
        assert (decode(mine)[0] == decode(other)[0]).all() and decode(mine)[1] == decode(other)[1]
        assert verify(mine).untouched
    assert verify_package(tmp_path / "out.turnover").untouched
    assert contents(tmp_path / "out.turnover") == contents(tmp_path / "whole.turnover")
    assert not parts.exists() and not list(tmp_path.glob(".*"))


def test_two_processes_make_the_same(tmp_path, shelf):
    config = config_in(tmp_path, shelf, extras="mask,turnover", range="0:21")
    merge(config, Silent(), Painter())
    wanted = decode(beside(config, "mask.mp4"))[0], contents(beside(config, "turnover"))
    other = dataclasses.replace(config, output=tmp_path / "two.mp4", processes=2)
    reporter = Recorder()
    merge(other, reporter, Painter())
    assert (decode(tmp_path / "two.mask.mp4")[0] == wanted[0]).all()
    assert contents(tmp_path / "two.turnover") == wanted[1]
