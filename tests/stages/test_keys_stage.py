"""keys: the file that it begins, and what it says of one."""

import re

import pytest
from merge_material import face, make_faces, make_plate

from konterfei.cli import main
from konterfei.compositing import Keys, MergeSettings
from konterfei.compositing.layers import controls
from konterfei.errors import ConfigError, OutputError, UnknownNameError
from konterfei.reporting import Silent
from konterfei.stages.keys import KeysConfig, keys


def run(path, **settings):
    return keys(KeysConfig(file=path, **settings), Silent())


def test_a_new_file_changes_nothing_until_a_line_is_used(tmp_path):
    path = tmp_path / "merge.toml"
    run(path, new=True)
    assert Keys.load(path).at(7, MergeSettings()) == MergeSettings()
    assert "command line" in run(path).lines[0]
    with pytest.raises(OutputError, match="--force"):
        run(path, new=True)
    path.write_text("[settings]\nerode = 0.1\n")
    run(path, new=True, force=True)
    assert Keys.load(path) == Keys(path=path)


def test_every_control_of_a_new_file_is_its_usual_value_and_every_example_works(tmp_path):
    path = tmp_path / "merge.toml"
    run(path, new=True)
    text = path.read_text()
    names = re.findall(r"(?m)^# (\w+) = .*$", text.split("# --- keys")[0])
    assert names == list(controls())
    path.write_text(re.sub(r"(?m)^# (\w+ = |\[+(?:keys|shots|faces))", r"\1", text))
    found = Keys.load(path)
    assert found.plate.settings.keys() == set(controls())
    assert found.at(0, MergeSettings(), person=0) == MergeSettings(feather=0.05)  # the first key holds before it
    assert found.at(180, MergeSettings()).feather == 0.12
    assert [(shot.start, shot.stop) for shot in found.shots] == [(300, 420)] and found.shots[0].keys["erode"]
    assert [(entry.who, entry.swap) for entry in found.faces] == [("track 3", None), ("person 1", False)]


def test_the_settings_of_a_frame(tmp_path):
    path = tmp_path / "merge.toml"
    path.write_text('[[keys]]\nframe = 0\nerode = 0.0\n[[keys]]\nframe = "00:00:01:00"\nerode = 0.1\n'
                    "[[faces]]\nperson = 1\n[faces.settings]\nsharpen = 1.5")  # fmt: skip
    told = run(path, frame=10, fps="20").lines
    assert any(re.fullmatch(r"erode +0\.05 +\(from the file\)", line) for line in told)
    assert any(re.fullmatch(r"sharpen +0\.0", line) for line in told) and len(told) == len(controls())
    assert any(re.match(r"sharpen +1\.5", line) for line in run(path, frame=10, person=1, fps="20").lines)
    with pytest.raises(ConfigError, match="rate of the plate is not known"):
        run(path, frame=10)


def test_who_is_in_a_faceset_and_what_each_is_swapped_with(tmp_path):
    plate = make_plate(tmp_path / "plate.mp4", frames=6, sound=False)
    both = [*((i, face(i).with_(person=0)) for i in range(6)), (4, face(4, x=30, track=1).with_(person=1))]
    make_faces(tmp_path / "faces", plate, frames=(), more=both)
    path = tmp_path / "merge.toml"
    path.write_text('[[faces]]\nperson = 1\nmodel = "bea"\nconsent = "bea.toml"')
    told = run(path, faces=tmp_path / "faces").lines
    assert "  track 0 of person 0, frames 0 to 5 (6 faces): swapped with the model of the command line" in told
    assert told[-1] == f"  track 1 of person 1, frames 4 to 4 (1 faces): swapped with '{tmp_path / 'bea'}'"
    path.write_text("[[faces]]\ntrack = 1\nswap = false")
    assert run(path, faces=tmp_path / "faces").lines[-1].endswith("left as it is")


def test_what_makes_no_sense_is_refused(tmp_path, capsys):
    for settings, flag in (({"frame": -1}, "--frame"), ({"track": 1}, "--track"), ({"fps": "fast"}, "--fps")):
        with pytest.raises(ConfigError, match=flag):
            KeysConfig(file=tmp_path / "merge.toml", **settings)
    with pytest.raises(ConfigError, match="FILE"):
        KeysConfig(file=tmp_path / "plate.mp4", new=True)
    (tmp_path / "merge.toml").write_text("[settings]\nfether = 0.1")
    with pytest.raises(UnknownNameError, match=r"line 2.*feather"):
        run(tmp_path / "merge.toml")
    assert main(["keys", str(tmp_path / "merge.toml")]) == 2
    assert "feather" in capsys.readouterr().err
