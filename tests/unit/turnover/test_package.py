"""The folder: all files, what they say of themselves, and that no change goes unseen."""

import json
import shutil
import subprocess
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from turnover_material import HEIGHT, face_at, merged_frame, over, settings_of

from konterfei.errors import UnreadableMediaError
from konterfei.imaging.transfer import TRANSFERS
from konterfei.io.exr import read_exr
from konterfei.provenance.certificate import signing_identity
from konterfei.provenance.credentials import FaceClaim
from konterfei.provenance.verification import verify
from konterfei.turnover import PackagePart, assemble, is_package, verify_package
from konterfei.turnover.readme import readme


@pytest.fixture
def made(tmp_path):
    """A package of three frames in two parts, the second frame without a face; its folder and frames."""
    settings, frames = settings_of(tmp_path), []
    for number, indices in enumerate([(0, 1), (2,)]):
        part = PackagePart(tmp_path / f"part{number}", settings)
        for index in indices:
            faces = [] if index == 1 else [face_at(x=150 + 5 * index)]
            plate, merged, bare, layers = merged_frame(faces, mode="multiband", seed=index)
            part.add(index + 1, index, Fraction(index, 25), plate, merged, bare, layers)
            frames.append((plate, merged, layers))
        part.close()
    parts = [tmp_path / "part0", tmp_path / "part1"]
    assemble(parts, tmp_path / "whole", settings, settings.claim, signing_identity())
    return tmp_path / "whole", frames


def test_every_file_is_there_and_every_frame_comes_back(made):
    folder, frames = made
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == {
        *(f"frames/frame.{n:06d}.exr" for n in (1, 2, 3)),
        *(f"crops/face0.{n:06d}.exr" for n in (1, 3)),
        *("face0.nk", "face0.csv", "face0.ae.txt", "transforms.json", "README.txt", "SHA256SUMS", "preview.png"),
    }
    for number, (plate, merged, _) in enumerate(frames, 1):
        exr = read_exr(folder / f"frames/frame.{number:06d}.exr")
        assert (np.rint(over(exr, plate, TRANSFERS["bt709"]) * 255) == merged).all()


def test_transforms_hold_what_laid_the_faces(made):
    folder, frames = made
    told = json.loads((folder / "transforms.json").read_text("utf-8"))
    assert [frame["frame"] for frame in told["frames"]] == [1, 2, 3]
    assert [len(frame["faces"]) for frame in told["frames"]] == [1, 0, 1]
    face, layer = told["frames"][2]["faces"][0], frames[2][2][0]
    assert np.allclose(face["crop_from_frame"], layer.placed.crop_from_frame.matrix)
    assert np.allclose(face["landmarks"], layer.face.landmarks, atol=1e-3)
    matrix = np.array(face["crop_from_frame"])
    x, y = face["corners"]["top_left"]
    assert matrix @ [x - 0.5, HEIGHT - y - 0.5, 1] == pytest.approx([-0.5, -0.5], abs=1e-9)
    assert (folder / face["file"]).is_file() and told["light"]["transfer"] == "bt709"


def test_every_file_says_what_it_is(made):
    folder, _ = made
    for name in ("README.txt", "transforms.json"):
        text = (folder / name).read_text("utf-8").lower()
        assert "synthetic" in text and "painter" in text and "ai modified" in text
    for path in [*folder.glob("frames/*.exr"), *folder.glob("crops/*.exr")]:
        told = json.loads(read_exr(path).attributes["konterfei"])
        assert "synthetic" in told["content"] and len(told["models"][0]["consent_record_sha256"]) == 64
        assert told["label_text"] == "AI MODIFIED"
    consent = json.loads((folder / "transforms.json").read_text("utf-8"))["marking"]["models"][0][
        "consent_record_sha256"
    ]
    found = verify(folder / "preview.png")
    assert found.untouched and found.consent["record_sha256"] == consent
    assert consent in (folder / "README.txt").read_text("utf-8")


def test_a_package_is_as_it_was_signed_and_any_change_is_seen(made, tmp_path):
    folder, _ = made
    assert verify_package(folder).untouched
    if shutil.which("sha256sum"):
        assert subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=False).returncode == 0

    def changed(change):
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(folder, copy)
        change(copy)
        found = verify_package(copy)
        assert not found.untouched and found.exit_code == 1
        return list(found.problems)

    def flip(path):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    assert changed(lambda f: flip(f / "frames/frame.000002.exr")) == ["frames/frame.000002.exr was changed"]
    assert changed(lambda f: (f / "face0.nk").unlink()) == ["face0.nk is missing"]
    assert changed(lambda f: (f / "more.exr").touch()) == ["more.exr was added"]
    assert any("not the list" in line for line in changed(lambda f: flip(f / "SHA256SUMS")))
    assert changed(lambda f: flip(f / "preview.png"))
    assert not is_package(tmp_path) and is_package(folder)

    with pytest.raises(UnreadableMediaError, match="SHA256SUMS"):
        changed(lambda f: (f / "SHA256SUMS").unlink())


def test_everybody_who_lent_a_face_is_named(tmp_path):
    settings = settings_of(tmp_path)
    other = replace(settings.claim.consent, person="Bert", sha256="ef" * 32)
    berts = FaceClaim(who="track 3", consent=other, model="amp", steps=9, preset="none")
    marking = replace(settings, claim=replace(settings.claim, others=(berts,))).marking
    assert [(m["model"], m["draws"]) for m in marking["models"]] == [("painter", "the other faces"), ("amp", "track 3")]
    text = readme(marking, settings.info, TRANSFERS["bt709"], {})
    assert all(m["consent_record_sha256"] in text for m in marking["models"]) and "amp, 9 training steps" in text


def test_a_package_without_any_face_is_still_whole(tmp_path):
    settings = settings_of(tmp_path, label="none", transfer=13)
    part = PackagePart(tmp_path / "part", settings)
    plate, merged, bare, layers = merged_frame([], label="none")
    part.add(1, 0, Fraction(0), plate, merged, bare, layers)
    part.close()
    assemble([tmp_path / "part"], tmp_path / "whole", settings, settings.claim, signing_identity())
    assert verify_package(tmp_path / "whole").untouched
    text = (tmp_path / "whole/README.txt").read_text("utf-8")
    assert "Faces: none" in text and "srgb" in text and "not here: the merge was made without" in text
