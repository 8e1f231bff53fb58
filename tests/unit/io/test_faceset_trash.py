import os

import pytest
from faceset_fixtures import fill, header, picture, record
from hypothesis import given, settings
from hypothesis import strategies as st

from konterfei.errors import FacesetError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder


@pytest.fixture
def folder(tmp_path):
    with Faceset.create(tmp_path / "faces", header()) as faceset:
        fill(faceset, 6)
    return tmp_path / "faces"


def test_aside_and_back_is_as_before(folder):
    with Faceset.open(folder) as faceset:
        before = faceset.content_hash()
        assert faceset.set_aside(["000001_0.jpg", "000004_0.jpg", "gone.jpg"], "blurred") == 1
        assert faceset.set_aside(["000002_0.jpg"], "another person") == 2
        assert faceset.set_aside(["gone.jpg"], "nothing") == 0
        assert faceset.frame_indices() == [0, 3, 5]
        first, second = faceset.set_asides()
        assert (first.number, first.why, sorted(first.names)) == (1, "blurred", ["000001_0.jpg", "000004_0.jpg"])
        assert (second.number, second.why) == (2, "another person")
        assert faceset.take_back([1]) == {name: name for name in first.names}
        assert [batch.number for batch in faceset.set_asides()] == [2]
        faceset.take_back(names=["000002_0.jpg"])
        assert faceset.set_asides() == []
        assert faceset.content_hash() == before


def test_names_that_are_taken_get_another(folder):
    with Faceset.open(folder) as faceset:
        faceset.set_aside(["000001_0.jpg"], "once")
        assert faceset.add(picture(1, 1), record(1, 1)) == "000001_0.jpg"
        faceset.set_aside(["000001_0.jpg"], "twice")
        assert [dict(batch.names) for batch in faceset.set_asides()] == [
            {"000001_0.jpg": "000001_0.jpg"},
            {"000001_0-2.jpg": "000001_0.jpg"},
        ]
        came = faceset.take_back()
    assert sorted(came.values()) == ["000001_0-2.jpg", "000001_0.jpg"]
    assert len(Faceset.open(folder)) == 7


def test_moved_by_hand_is_aside_too(folder):
    (folder / "trash").mkdir()
    (folder / "000003_0.jpg").rename(folder / "trash" / "000003_0.jpg")
    with Faceset.open(folder) as faceset:
        (batch,) = faceset.set_asides()
        assert (batch.number, list(batch.names)) == (0, ["000003_0.jpg"])
        faceset.take_back([0])
        assert len(faceset) == 6


def test_a_kill_loses_nothing_and_the_same_again_ends_it(folder, monkeypatch):
    real, moved = os.replace, []

    def breaking(source, target):
        if len(moved) == 2 and "trash" in str(target):
            raise KeyboardInterrupt
        moved.append(source)
        return real(source, target)

    names = [f"00000{i}_0.jpg" for i in range(4)]
    with Faceset.open(folder) as faceset:
        monkeypatch.setattr(os, "replace", breaking)
        with pytest.raises(KeyboardInterrupt):
            faceset.set_aside(names, "why")
    monkeypatch.setattr(os, "replace", real)
    with Faceset.open(folder) as faceset:
        assert len(faceset) == 4
        assert sum(len(batch.names) for batch in faceset.set_asides()) == 2
        faceset.set_aside(names, "why")
        assert len(faceset) == 2
        faceset.take_back()
        assert len(faceset) == 6


def test_a_cut_off_journal_line_is_passed_over(folder):
    with Faceset.open(folder) as faceset:
        faceset.set_aside(["000001_0.jpg"], "first")
        journal = folder / "trash" / "journal.jsonl"
        journal.write_bytes(journal.read_bytes() + b'{"batch": 2, "wh')
        faceset.set_aside(["000002_0.jpg"], "second")
        assert [batch.why for batch in faceset.set_asides()] == ["first", "second"]
        journal.write_text('{"batch": 1, "when": "", "why": "", "names": {"000001_0.jpg": "../../x.jpg"}}\n')
        faceset.take_back()
    assert not (folder.parent.parent / "x.jpg").exists()
    assert len(Faceset.open(folder)) == 6


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_whatever_is_set_aside_and_taken_back_nothing_is_lost(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("trash") / "faces"
    with Faceset.create(folder, header()) as faceset:
        everything = set(fill(faceset, 4))
        digests = {record.frame_index for record in faceset.records()}
        for _ in range(data.draw(st.integers(1, 5))):
            if data.draw(st.booleans()):
                faceset.set_aside(data.draw(st.sets(st.sampled_from(sorted(everything)))), "why")
            else:
                faceset.take_back(data.draw(st.sets(st.integers(0, 4))))
            aside = {name for batch in faceset.set_asides() for name in batch.names}
            assert aside | set(faceset.names()) == everything
            assert not aside & set(faceset.names())
        faceset.take_back()
        assert {record.frame_index for record in faceset.records()} == digests


def test_an_order_is_data(folder):
    names = Faceset.open(folder).names()[::-1]
    FacesetOrder(by="yaw", names=tuple(names), values=(3.5, None, float("nan"), 1.0, 0.5, 0.0)).save(folder)
    order = FacesetOrder.load(folder)
    assert (order.by, order.names, order.values) == ("yaw", tuple(names), (3.5, None, None, 1.0, 0.5, 0.0))
    (folder / names[0]).unlink()
    there = order.over([*Faceset.open(folder).names(), "new.jpg"])
    assert there.names == (*names[1:], "new.jpg")
    assert there.values == (None, None, 1.0, 0.5, 0.0, None)


def test_no_order_and_a_damaged_one(folder):
    assert FacesetOrder.load(folder) is None
    (folder / "order.json").write_text('{"version": 1, "by": "yaw", "names": ["a"], "values": [], "about": ""}')
    with pytest.raises(FacesetError, match=r"order\.json.*sort again"):
        FacesetOrder.load(folder)
