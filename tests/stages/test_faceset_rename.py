"""rename: names of the frames again; stopped in between, nothing is lost."""

import os

import pytest

from drawn_faces import faceset
from konterfei.errors import OutputError
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.reporting import Recorder
from konterfei.stages.faceset_rename import FacesetRenameConfig, faceset_rename


def rename(folder, **settings):
    return faceset_rename(FacesetRenameConfig(faceset=folder, **settings), Recorder()).renamed


@pytest.fixture
def faces(tmp_path):
    """Six crops, three of them under other names: two have changed places."""
    folder = faceset(tmp_path / "anna", count=6)
    (folder / "000001_0.jpg").rename(folder / "x.jpg")
    (folder / "000002_0.jpg").rename(folder / "000001_0.jpg")
    (folder / "x.jpg").rename(folder / "000002_0.jpg")
    (folder / "000005_0.jpg").rename(folder / "best one.JPG")
    return folder


def test_every_crop_is_named_after_its_frame(faces):
    before = Faceset.open(faces).digests()
    plan = rename(faces, dry_run=True)
    assert Faceset.open(faces).digests() == before and len(plan) == 3
    assert rename(faces) == plan
    faceset_now = Faceset.open(faces)
    assert set(faceset_now.digests().values()) == set(before.values())
    assert all(record.name.startswith(f"{record.frame_index:06d}_") for record in faceset_now.records())
    assert rename(faces) == {}


def test_the_order_is_kept_even_when_it_is_stopped(faces, monkeypatch):
    names = Faceset.open(faces).names()[::-1]
    FacesetOrder(by="yaw", names=tuple(names), values=tuple(map(float, range(6)))).save(faces)
    wanted = [Faceset.open(faces).digests()[name] for name in names]
    replace, calls = os.replace, []

    def stops(old, new):
        if str(new).endswith(".jpg"):
            calls.append(new)
            if len(calls) == 2:
                raise PermissionError(13, "no", str(new))
        replace(old, new)

    monkeypatch.setattr(os, "replace", stops)
    with pytest.raises(OutputError):
        rename(faces)
    monkeypatch.setattr(os, "replace", replace)
    for _ in range(2):
        now = Faceset.open(faces)
        order = FacesetOrder.load(faces).over(now.names())
        assert [now.digests()[name] for name in order.names] == wanted
        assert order.values == tuple(map(float, range(6)))
        rename(faces)
    assert FacesetOrder.load(faces).names == order.names
