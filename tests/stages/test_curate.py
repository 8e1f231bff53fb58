"""Curating: what goes, that it shows why, that it comes back, that nothing else is touched."""

from dataclasses import replace

import pytest

from drawn_faces import BERT
from konterfei.errors import ConfigError, FacesetError, UnknownNameError
from konterfei.io.faceset import Faceset
from konterfei.reporting import Recorder
from konterfei.stages.curate import CurateConfig, curate
from posed_faces import Posed, faceset


@pytest.fixture
def folder(tmp_path):
    """Sixty sound faces in six poses, each ten times with small moves; five bad ones, six doubles."""
    faces = [Posed(yaw=-45 + 18 * (n % 6) + 1.6 * (n // 6), mouth=2 * (n // 6)) for n in range(60)]
    faces += [faces[n] for n in range(6)]
    for n in (7, 14, 21):
        faces[n] = replace(faces[n], skin=BERT)
    for n in (28, 35):
        faces[n] = replace(faces[n], blur=3.0)
    return faceset(tmp_path / "faces", faces, pooled=True)


def run(folder, **changes):
    reporter = Recorder()
    return curate(CurateConfig(faceset=folder, **changes), reporter), reporter


def names(folder):
    return set(Faceset.open(folder).names())


def test_bad_faces_and_doubles_go_in_a_batch_for_each_reason_and_come_back(folder):
    before, content = names(folder), Faceset.open(folder).content_hash()
    result, reporter = run(folder)
    assert {name: result.aside[name] for name in ("other_person", "blurred")} == {"other_person": 3, "blurred": 2}
    assert result.left == len(names(folder))
    gone = before - names(folder)
    pairs = [{f"{n:06d}_0.jpg", f"{60 + n:06d}_0.jpg"} for n in range(6)]
    assert sum(bool(pair & gone) for pair in pairs) >= 3 and not any(pair <= gone for pair in pairs)
    assert {f"{n:06d}_0.jpg" for n in (7, 14, 21, 28, 35)} <= gone
    with Faceset.open(folder) as opened:
        whys = {batch.number: batch.why for batch in opened.set_asides()}
        assert set(whys) == set(result.batches.values())
        assert whys[result.batches["other_person"]].startswith("another person (less than 0.42")
        opened.take_back()
    assert Faceset.open(folder).content_hash() == content
    assert reporter.warnings == []


def test_the_page_and_the_picture_show_what_went(folder):
    result, _ = run(folder)
    assert result.page == folder.parent / "faces.curated.html"
    text = result.page.read_text("utf-8")
    assert "another person: 3" in text and "000007_0.jpg" in text and "--restore 1" in text
    assert result.picture.read_bytes()[:2] == b"\xff\xd8"
    assert any("konterfei trash" in line for line in result.summary())


def test_a_second_time_there_is_nothing_to_do_and_the_page_stays(folder):
    first, _ = run(folder)
    kept = first.page.read_bytes()
    again, _ = run(folder)
    assert again.page is None and again.summary()[0].startswith("Nothing to do")
    assert first.page.read_bytes() == kept


def test_a_dry_run_moves_nothing(folder):
    before = names(folder)
    result, reporter = run(folder, dry_run=True)
    assert names(folder) == before and not (folder / "trash").exists()
    assert result.page.name == "faces.would-go.html" and result.batches == {} and result.aside["other_person"] == 3
    assert reporter.warnings == []


def test_what_is_left_out_stays(folder):
    result, _ = run(folder, leave=("other_person", "blurred"), keep_duplicates=0)
    assert result.aside == {}
    result, _ = run(folder, keep_duplicates=2, leave=("other_person", "blurred"))
    assert "doubles" not in result.aside or result.aside["doubles"] < 6


def test_no_more_go_than_may_the_gravest_first(folder):
    result, reporter = run(folder, most=0.05)
    assert result.aside == {"other_person": 3}
    assert any("--most 0.05" in warning for warning in reporter.warnings)


def test_a_shot_that_is_to_be_merged_is_warned_of(tmp_path):
    faces = [Posed(yaw=n, shift=(n, 0)) for n in range(12)]
    shot = faceset(tmp_path / "shot", [replace(face, blur=3.0 if n == 5 else 0) for n, face in enumerate(faces)])
    _, reporter = run(shot, keep_duplicates=0)
    assert any("will not be swapped" in warning for warning in reporter.warnings)


def test_stopped_between_two_reasons_the_rest_is_moved_the_next_time(folder):
    class Stopping(Recorder):
        def advance(self, done, **figures):
            self.stop = "setting aside" in self.tasks

    before = names(folder)
    with pytest.raises(Exception, match="Stopped on request"):
        curate(CurateConfig(faceset=folder), Stopping())
    assert len(Faceset.open(folder).set_asides()) == 1
    run(folder)
    once = names(folder)
    with Faceset.open(folder) as opened:
        opened.take_back()
    assert names(folder) == before
    run(folder)
    assert names(folder) == once


def test_nonsense_is_refused(folder):
    for changes, flag in (
        ({"most": 0.0}, "--most"),
        ({"keep_duplicates": -1}, "--keep-duplicates"),
        ({"output": folder / "x.txt"}, "--output"),
    ):
        with pytest.raises(ConfigError, match=flag):
            CurateConfig(faceset=folder, **changes)
    with pytest.raises(UnknownNameError, match="blurred"):
        CurateConfig(faceset=folder, leave=("blured",))


def test_no_page_says_that_faces_went_where_another_process_writes(folder, tmp_path):
    with Faceset.open(folder) as busy:
        busy.hold()
        with pytest.raises(FacesetError, match="Another process"):
            run(folder, output=tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists() and not (tmp_path / "page.jpg").exists()


def test_the_page_takes_back_what_went_and_nothing_that_was_set_aside_before(folder, tmp_path):
    with Faceset.open(folder) as faceset:
        faceset.set_aside(faceset.names()[:1], "by hand")
    result, _ = run(folder, output=tmp_path / "page.html")
    numbers = ",".join(map(str, result.batches.values()))
    assert 1 not in result.batches.values() and f"--restore {numbers}<" in (tmp_path / "page.html").read_text()
