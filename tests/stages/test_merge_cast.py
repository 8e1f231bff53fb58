"""merge with a merge.toml: settings over time, and several people, each drawn by a model of their own."""

import dataclasses

import numpy as np
import pytest
from merge_material import FRAMES, Painter, config_for, decode, face, make_consent, make_faces, make_plate

from konterfei.errors import ConfigError, ConsentError, NoFacesError
from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.io.images import read_image
from konterfei.io.manifest import Manifest
from konterfei.provenance.consent import Consent
from konterfei.provenance.verification import verify
from konterfei.reporting import Recorder, Silent
from konterfei.stages import _merge_checks
from konterfei.stages._train_records import warn_of_oddities
from konterfei.stages.merge import merge
from konterfei.stages.verify import VerifyConfig
from konterfei.stages.verify import verify as verify_stage

LEFT, RIGHT = 25, 120  # where the second person is, and the first in frames that they share


class Bluer(Painter):
    """Another model: larger crops of another face type, another colour."""

    resolution = 64
    face_type = FaceType.FULL

    def __init__(self):
        super().__init__()
        self.info = {**self.info, "model": "bluer", "steps": 9, "snapshot_sha256": "cd" * 32}

    def draw(self, images):
        drawn, mask, plate_mask = super().draw(images)
        return drawn[..., ::-1].copy(), mask, plate_mask


@pytest.fixture(scope="session")
def shelf(tmp_path_factory):
    """A plate with two people in some of its frames: person 0 is track 0, person 1 is track 1."""
    folder = tmp_path_factory.mktemp("cast")
    plate = make_plate(folder / "plate.mp4", sound=False)
    second = [(i, face(i, x=LEFT, track=1).with_(person=1)) for i in range(3, 9)]
    first = [(i, face(i, x=RIGHT).with_(person=0)) for i in range(FRAMES)]
    make_faces(folder / "faces", plate, frames=(), more=[*first, *second])
    make_consent(folder / "consent.toml")
    Consent(person="Bea", basis="synthetic", scope=("any",)).save(folder / "bea.toml")
    return folder


@pytest.fixture
def config(place):
    return config_for(place, place / "plate.mp4", place / "faces", output=place / "out", range="0:14")


@pytest.fixture
def opened(monkeypatch):
    """Models that are asked for by folder; what was."""
    asked = []

    def open_swapper(run, device, threads, reporter, morph=1.0, which="newest"):
        asked.append((run.name, morph, which))
        return Bluer()

    monkeypatch.setattr(_merge_checks, "open_swapper", open_swapper)
    return asked


def keyed(config, text, **changes):
    path = config.video.with_name("merge.toml")
    path.write_text(text)
    return dataclasses.replace(config, keys=path, **changes)


def frame(config, index):
    return read_image(config.output / f"{index:06d}.png").astype(int)


BEA = """
[[faces]]
person = 1
model = "models/bea"
consent = "bea.toml"
"""


def test_every_frame_has_the_settings_of_its_keys(place, config):
    config = dataclasses.replace(config, detail=0.0, grain=0.0)  # what they aim at is averaged over frames
    soft = dataclasses.replace(config, output=place / "soft", feather=0.2)
    for one in (config, soft):
        merge(one, Silent(), Painter())
    keys = keyed(config, '[[keys]]\nframe = 0\nfeather = 0.04\n[[keys]]\nframe = 6\nfeather = 0.2\nease = "hold"',
                 output=place / "keyed")  # fmt: skip
    merge(keys, Silent(), Painter())
    for index in range(14):
        same, other = (config, soft) if index < 6 else (soft, config)
        assert (frame(keys, index) == frame(same, index)).all()
        assert (frame(keys, index) != frame(other, index)).any()
    apart = dataclasses.replace(keys, output=place / "apart", processes=2)
    merge(apart, Silent(), Painter())
    assert all((frame(apart, index) == frame(keys, index)).all() for index in range(14))


def test_settings_of_one_face_leave_the_other_as_it_is(place, config):
    plain, hard = (dataclasses.replace(config, output=place / name) for name in ("plain", "hard"))
    merge(plain, Silent(), Painter())
    merge(keyed(hard, "[[faces]]\ntrack = 1\n[faces.settings]\nface_scale = 0.7"), Silent(), Painter())
    change = np.abs(frame(plain, 5) - frame(hard, 5)).max(axis=2)
    assert change[:, :70].max() > 20 and change[:, 80:].max() == 0
    assert (frame(plain, 12) == frame(hard, 12)).all()


def test_each_person_is_drawn_by_a_model_of_their_own(place, config, opened):
    plain = dataclasses.replace(config, output=place / "plain")
    merge(plain, Silent(), Painter())
    cast = keyed(config, BEA)
    result = merge(cast, Silent(), Painter())
    assert (result.frames, result.faces) == (14, 20)
    assert opened == [("bea", 1.0, "newest")]  # once, however many faces
    change = (frame(cast, 5) - frame(plain, 5)).astype(float)
    assert np.abs(change[:, 80:]).max() == 0
    assert np.abs(change[:, :70]).max() > 20
    (picture,) = cast.output.glob("000005.png")
    told = verify(picture)
    assert told.untouched
    assert told.swap["others"] == [{"who": "person 1", "model": "bluer", "steps": 9, "preset": "none", "person": "Bea"}]
    assert [one["person"] for one in told.consents] == ["Painter's model", "Bea"]
    assert {item.sha256 for item in told.ingredients} >= {"ab" * 32, "cd" * 32}
    summary = "\n".join(told.summary())
    assert "bluer" in summary and "Bea, basis synthetic" in summary
    for record, code in (("bea.toml", 0), ("consent.toml", 0)):
        assert verify_stage(VerifyConfig(video=picture, consent=place / record), Silent()).exit_code == code
    Consent(person="Eve", basis="synthetic", scope=("any",)).save(place / "eve.toml")
    assert verify_stage(VerifyConfig(video=picture, consent=place / "eve.toml"), Silent()).exit_code == 1
    inputs = Manifest.load(cast.output).inputs
    assert {"model", "model of person 1", "consent", "consent of person 1"} <= set(inputs)
    assert Manifest.load(cast.output).results["cast"] == [
        {"model": "model", "person": 0, "tracks": [0]},
        {"model": "model of person 1", "person": 1, "tracks": [1]},
    ]
    assert merge(cast, Silent(), Painter()).was_done


def test_to_learn_from_several_people_is_warned_of(place):
    recorder, two = Recorder(), Faceset.open(place / "faces")
    warn_of_oddities(two, two, False, recorder)
    assert len(recorder.warnings) == 2 and "holds 2 people" in recorder.warnings[0]
    for name in [record.name for record in two.records() if record.face.person]:
        (place / "faces" / name).unlink()
    one, recorder = Faceset.open(place / "faces"), Recorder()
    warn_of_oddities(one, one, False, recorder)
    assert recorder.warnings == []


def test_a_person_may_be_left_as_they_are(place, config):
    left = keyed(config, "[[faces]]\nperson = 1\nswap = false")
    result = merge(left, Silent(), Painter())
    assert result.faces == 14 and result.swapped == 14
    assert result.cast == [{"model": "model", "person": 0, "tracks": [0]}]
    plate = decode(config.video)[0]
    assert (frame(left, 5)[:, :60] == plate[5][:, :60]).all()
    assert "others" not in verify(left.output / "000005.png").swap


def test_only_those_who_are_named(place, config, opened):
    only = keyed(config, BEA + '[[faces]]\nperson = "others"\nswap = false')
    result = merge(only, Silent())
    assert (result.faces, result.swapped) == (6, 6)
    assert opened == [("bea", 1.0, "newest")]  # the command line's model has nobody to draw
    told = verify(only.output / "000005.png")
    assert told.swap["model"] == "bluer" and [one["person"] for one in told.consents] == ["Bea"]


def test_each_use_is_told_in_the_credentials(place, config, opened):
    for use in ("lakeside", "mountain"):
        for others in ("", '[[faces]]\nperson = "others"\nswap = false'):
            result = merge(keyed(config, f'{BEA}use = "{use}"\n{others}', use="sea"), Silent(), Painter())
            assert not result.was_done
            told = verify(config.output / "000005.png").swap
            assert (told["use"], told.get("others", [{}])[0].get("use")) == ((use, None) if others else ("sea", use))


def test_snapshot_and_morph_of_a_person(place, config, opened):
    merge(keyed(config, BEA + 'snapshot = "best"\nmorph = 0.5'), Silent(), Painter())
    assert opened == [("bea", 0.5, "best")]


def test_who_or_what_is_not_there_is_refused(place, config, opened):
    for text, error, said in (
        ("[[faces]]\ntrack = 7\nswap = false", ConfigError, "there is no track 7 .* it has tracks 0 to 1"),
        ("[[faces]]\nperson = 2\nswap = false", ConfigError, "there is no person 2 .* --person all"),
        ('[[faces]]\nperson = "others"\nswap = false', NoFacesError, "swap = false of every face"),
        (BEA.replace("bea.toml", "eve.toml"), ConsentError, r"merge.toml', person 1: .*eve.toml: there is no such"),
        ("[settings]\nerode = 3", ConfigError, "line 2: erode"),
    ):
        with pytest.raises(error, match=said):
            merge(keyed(config, text), Silent(), Painter())
        assert not config.output.exists()
    assert not opened


def test_a_model_that_is_not_there_is_told_with_its_entry(place, config):
    with pytest.raises(ConfigError, match=r"merge.toml', person 1: there is no folder .*models.bea"):
        merge(keyed(config, BEA), Silent(), Painter())


def test_another_comment_is_nothing_to_do_and_another_value_is(place, config):
    text = "[[keys]]\nframe = 3\nerode = 0.1\n[[keys]]\nframe = 9\nerode = 0.0\n[[keys]]\nframe = 20\nerode = 0.1"
    merge(keyed(config, text), Silent(), Painter())
    assert merge(keyed(config, "# good\n" + text.replace("= 0.0", "= 0")), Silent(), Painter()).was_done
    assert not merge(keyed(config, text.replace("20", "21")), Silent(), Painter()).was_done  # the way there changes
    later = text.replace("20\nerode = 0.1", "30\nerode = 0.2").replace("9\nerode", "13\nerode")
    recorder = Recorder()
    assert not merge(keyed(config, later), recorder, Painter()).was_done
    assert merge(keyed(config, later.replace("0.2", "0.3")), Silent(), Painter()).was_done  # beyond the range


def test_a_changed_key_makes_only_its_parts_anew(place, config):
    config = dataclasses.replace(
        config, output=place / "out.mp4", range=None, keep_parts=True, color_smoothing=0.0, steady=0.0
    )
    text = "[[keys]]\nframe = 14\nerode = 0.1\n[[keys]]\nframe = 20\nerode = 0.0\n"
    merge(keyed(config, text + "[[shots]]\nfrom = 23\nto = 27\nfeather = 0.1"), Silent(), Painter())
    before, painter, recorder = decode(config.output)[0], Painter(), Recorder()
    merge(keyed(config, text + "[[shots]]\nfrom = 23\nto = 27\nfeather = 0.2"), recorder, painter)
    assert sum(painter.batches) <= 9 + 3  # the part of frames 21 to 27, and one frame on each side
    after = decode(config.output)[0]
    assert [i for i in range(FRAMES) if (before[i] != after[i]).any() and i not in range(21, 28)] == []
    assert (before[25] != after[25]).any()
