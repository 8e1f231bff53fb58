"""Settings that change over frames and faces: what a merge.toml says, and what it is told when it makes no sense."""

from fractions import Fraction
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from konterfei.compositing import MergeSettings
from konterfei.compositing.keys import Keys
from konterfei.compositing.keys_file import parse
from konterfei.compositing.layers import EASES, Key, Layer, controls, value_at
from konterfei.errors import ConfigError, UnknownNameError

BASE = MergeSettings()
FILE = Path("film/merge.toml")

TEXT = """
[settings]
color = "mkl"
erode = 0.02

[[keys]]
frame = 120
feather = 0.05
mask = "hull"

[[keys]]
frame = 180
feather = 0.12
ease = "smooth"

[[shots]]
from = 300
to = 420
mask = "full"
[[shots.keys]]
frame = 310
erode = 0.1
[[shots.keys]]
frame = 320
erode = 0.2

[[faces]]
track = 3
model = "models/anna"
consent = "anna.toml"
[faces.settings]
erode = 0.3
[[faces]]
person = "others"
swap = false
"""


def keys_of(text, fps=None):
    plate, shots, faces = parse(text, FILE, fps)
    return Keys(plate=plate, shots=shots, faces=faces, path=FILE)


def test_an_artists_file():
    keys = keys_of(TEXT)
    assert keys.at(0, BASE).color == keys.at(10_000, BASE).color == "mkl"
    assert keys.at(0, BASE).feather == keys.at(120, BASE).feather == 0.05  # before the first key as at it
    assert keys.at(150, BASE).feather == pytest.approx(0.085)
    assert keys.at(135, BASE).feather == pytest.approx(0.05 + 0.07 * (3 / 16 - 2 / 64))
    assert keys.at(180, BASE).feather == keys.at(9999, BASE).feather == 0.12
    assert keys.at(299, BASE).mask == keys.at(420, BASE).mask == "hull"
    assert keys.at(300, BASE).mask == keys.at(419, BASE).mask == "full"
    assert keys.at(310, BASE).feather == 0.12  # a shot changes only what it names
    assert keys.at(299, BASE).erode == keys.at(420, BASE).erode == 0.02  # nothing leaks over a border
    assert [keys.at(frame, BASE).erode for frame in (300, 310, 320, 419)] == [0.1, 0.1, 0.2, 0.2]
    assert keys.at(315, BASE).erode == pytest.approx(0.15)
    assert keys.at(315, BASE, track=3).erode == 0.3  # a face counts for more than a shot
    assert keys.at(315, BASE, track=3).mask == "full"
    assert keys.at(315, BASE, track=2) == keys.at(315, BASE)
    assert keys.at(0, BASE).sharpen == BASE.sharpen
    assert keys.at(0, MergeSettings(sharpen=0.5)).sharpen == 0.5


def test_models_lie_beside_the_file_and_others_are_those_not_named():
    keys = keys_of(TEXT)
    ((three,), (other,)) = keys.entries((3, 0)), keys.entries((2, 0))
    assert (three.model, three.consent, three.swap) == (
        FILE.parent.absolute() / "models/anna",
        FILE.parent.absolute() / "anna.toml",
        None,
    )
    assert other.swap is False


def test_a_track_counts_for_more_than_its_person():
    keys = keys_of(
        "[[faces]]\nperson = 1\n[faces.settings]\nerode = 0.1\nfeather = 0.2\n"
        "[[faces]]\ntrack = 3\n[faces.settings]\nerode = 0.3\n"
    )
    assert [keys.at(0, BASE, *who).erode for who in ((3, 1), (4, 1), (3, None), (3, 0), (4, 0))] == [
        0.3, 0.1, 0.3, 0.3, 0.0,
    ]  # fmt: skip
    assert keys.at(0, BASE, 3, 1).feather == 0.2


def test_equal_settings_are_one_object():
    keys = keys_of(TEXT)
    held = keys.at(200, BASE)
    assert keys.at(201, MergeSettings()) is held is keys_of(TEXT).at(250, BASE)
    assert keys.at(150, BASE) is not held


def test_hold_stays_and_jumps_at_the_key_as_names_do():
    keys = keys_of(
        '[[keys]]\nframe = 10\nerode = 0.1\nmask = "hull"\n'
        '[[keys]]\nframe = 20\nerode = 0.2\nmask = "full"\nease = "hold"\n'
    )
    assert [keys.at(f, BASE).erode for f in (0, 10, 19, 20, 21)] == [0.1, 0.1, 0.1, 0.2, 0.2]
    assert [keys.at(f, BASE).mask for f in (0, 10, 19, 20, 21)] == ["hull", "hull", "hull", "full", "full"]


def test_what_may_be_unset_is_unset_by_an_empty_text():
    keys = keys_of('[settings]\ndfl_exact = "defaults"\n[[shots]]\nfrom = 3\nto = 5\ndfl_exact = ""')
    assert [keys.at(frame, BASE).dfl_exact for frame in (2, 3, 5)] == ["defaults", None, "defaults"]
    assert keys_of('[settings]\nmode = "raw-predict"').at(0, BASE).is_square


def test_timecodes_need_the_rate_of_the_plate():
    text = '[[keys]]\nframe = "00:01:05:10"\nerode = 0.1\n[[keys]]\nframe = 0\nerode = 0.0'
    assert keys_of(text, Fraction(25)).plate.keys["erode"][1].frame == 65 * 25 + 10
    assert keys_of(text, Fraction(30000, 1001)).plate.keys["erode"][1].frame == 65 * 30 + 10
    with pytest.raises(ConfigError, match=r"line 2: 'frame' is a timecode"):
        keys_of(text)
    with pytest.raises(ConfigError, match="no timecode at 25"):
        keys_of(text.replace("05:10", "05:25"), Fraction(25))


def test_without_a_file_the_base_holds():
    assert Keys().at(5, MergeSettings(erode=0.1)) == MergeSettings(erode=0.1)
    assert "command line" in Keys().describe()[0]


def test_what_is_told():
    told = "\n".join(keys_of(TEXT).describe())
    for part in ('color = "mkl"', "feather = 0.05 at 120, 0.12 at 180 (smooth)", "frames 300 to 420",
                 "erode = 0.1 at 310, 0.2 at 320", "track 3: swapped with", "others: left as it is"):  # fmt: skip
        assert part in told


def test_the_largest_value_counts_keys_and_shots_and_faces():
    assert keys_of(TEXT).largest("erode", BASE) == 0.3
    assert keys_of(TEXT).largest("feather", BASE) == 0.12
    assert keys_of(TEXT).largest("feather", MergeSettings(feather=0.5)) == 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[setings]\nerode = 0.1", r"line 1: .*settings"),
        ("erode = 0.1", r"line 1: 'erode' is a control: it stands below a line \[settings\]"),
        ("[settings]\n# what?\nfether = 0.1", r"line 3: .*feather"),
        ("[settings]\nerode = 2", r"line 2: erode is 2; it goes from"),
        ("[settings]\nerode = nan", r"line 2: erode is nan"),
        ('[settings]\nerode = "wide"', r"line 2: erode is 'wide'; it should be a number"),
        ('[settings]\nmask = "hul"', r"line 2: .*Did you mean .*hull"),
        ("[settings]\nmask = 3", r'line 2: mask is 3; it should be a name in double quotes, such as "rct"'),
        ("[[keys]]\nframe = 3\nerode = 0.1\n[[keys]]\nerode = 0.2", r"line 4: a key has no frame"),
        ("[[keys]]\nframe = 3\nerode = 0.1\n[[keys]]\nframe = 3\nerode = 0.2", r"line 6: erode has a key at frame 3"),
        ("[[keys]]\nframe = -3\nerode = 0.1", r"line 2: 'frame' is -3"),
        ("[[keys]]\nframe = 3.5\nerode = 0.1", r"line 2: 'frame' is 3.5"),
        ("[[keys]]\nframe = 3", r"line 2: the key at frame 3 says nothing"),
        ('[[keys]]\nframe = 3\nerode = 0.1\nease = "smoth"', r"line 4: .*smooth"),
        ("[keys]\nframe = 3\nerode = 0.1", r"line 1: 'keys' is a list: write \[\[keys\]\]"),
        ("[[shots]]\nfrom = 3\nerode = 0.1", r"line 1: a shot has no 'to'"),
        ("[[shots]]\nfrom = 3\nto = 3", r"line 3: the shot goes from 3 to 3"),
        ("[[shots]]\nfrom = 3\nto = 9\n[[shots]]\nfrom = 8\nto = 12", r"line 5: this shot begins at frame 8, inside"),
        ("[[shots]]\nfrom = 3\nto = 9\n[[shots.keys]]\nframe = 9\nerode = 0.1", r"line 5: a key of the shot .* 9"),
        ("[[faces]]\nswap = false", r"line 1: a face is named by one of"),
        ("[[faces]]\ntrack = 1\nperson = 1", r"line 3: a face is named by one of"),
        ("[[faces]]\nperson = 1\n[[faces]]\nperson = 1", r"line 4: person 1 has an entry already"),
        ('[[faces]]\nperson = 1\nmodel = "m"', r'line 3: .*consent = "anna.toml"'),
        ('[[faces]]\nperson = 1\nconsent = "m"', r"line 3: 'consent' belongs to a model"),
        ("[[faces]]\nperson = 1\nmorph = 2", r"line 3: morph is 2"),
        ("[[faces]]\nperson = 1\nswap = false\nmorph = 1.0", r"line 3: a face that is not swapped"),
        ("[[faces]]\nperson = 1\nerode = 0.1", r"line 3: 'erode' is a control: it stands below a line \[faces.sett"),
        ('[[keys]]\nframe = 1\nmode = "raw-predict"', r"line 3: mode = 'raw-predict' makes pictures of another size"),
        ("[settings\nerode = 0.1", r"line 1: .*double quotes"),
        ("[settings]\nerode = 0,1", r"line 2: .*point"),
    ],
)
def test_what_makes_no_sense_is_told_with_line_and_remedy(text, said):
    with pytest.raises((ConfigError, UnknownNameError), match=said) as told:
        keys_of(text)
    assert str(FILE) in str(told.value)


def test_a_missing_or_unreadable_file(tmp_path):
    with pytest.raises(ConfigError, match=r"konterfei keys .* --new"):
        Keys.load(tmp_path / "merge.toml")
    (tmp_path / "merge.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        Keys.load(tmp_path / "merge.toml")
    (tmp_path / "merge.toml").write_bytes(b"\xef\xbb\xbf[settings]\r\nface-scale = 1.1\r\n")  # as Windows saves it
    assert Keys.load(tmp_path / "merge.toml").at(0, BASE).face_scale == 1.1


numbers = st.floats(0.0, 0.4)
frames = st.integers(0, 200)
one_keys = st.dictionaries(frames, st.tuples(numbers, st.sampled_from(sorted(EASES))), min_size=1, max_size=6)


def text_of(entries, control="erode"):
    return tomli_w.dumps({"keys": [{"frame": frame, control: value, "ease": ease} for frame, (value, ease) in entries]})


@given(one_keys, frames)
def test_interpolation_is_exact_at_keys_and_stays_within_its_neighbours(entries, frame):
    keys = tuple(Key(at, *entries[at]) for at in sorted(entries))
    for key in keys:
        assert value_at("erode", keys, key.frame) == key.value
    around = [max((k for k in keys if k.frame <= frame), key=lambda k: k.frame, default=None),
              min((k for k in keys if k.frame >= frame), key=lambda k: k.frame, default=None)]  # fmt: skip
    values = [key.value for key in around if key is not None]
    assert min(values) <= value_at("erode", keys, frame) <= max(values)


@given(st.floats(0.0, 0.4), st.floats(0.0, 0.4), st.sampled_from(["linear", "smooth"]))
def test_the_way_between_two_keys_goes_in_one_direction(first, second, ease):
    keys = (Key(0, first), Key(40, second, ease))
    way = [value_at("erode", keys, frame) for frame in range(41)]
    assert way == sorted(way, reverse=second < first)


@given(one_keys, st.randoms())
def test_the_order_in_the_file_does_not_matter(entries, random):
    mixed = list(entries.items())
    random.shuffle(mixed)
    one, other = keys_of(text_of(entries.items())), keys_of(text_of(mixed))
    assert one == other
    assert one.fingerprint(range(200), BASE) == other.fingerprint(range(200), BASE)


@given(one_keys, one_keys, frames, st.integers(1, 40))
def test_the_fingerprint_changes_when_and_only_when_a_value_in_the_range_does(first, second, start, length):
    one, other = keys_of(text_of(first.items())), keys_of(text_of(second.items()))
    span = range(start, start + length)
    same = [one.at(f, BASE) for f in span] == [other.at(f, BASE) for f in span]
    assert (one.fingerprint(span, BASE) == other.fingerprint(span, BASE)) is same


def test_comments_and_values_elsewhere_do_not_change_the_fingerprint():
    span, keys = range(100, 200), keys_of(TEXT)
    print_ = keys.fingerprint(span, BASE)
    assert keys_of("# looks better\n" + TEXT.replace("erode = 0.2", "erode = 0.25")).fingerprint(span, BASE) == print_
    assert keys_of(TEXT.replace("erode = 0.02", "erode = 0.03")).fingerprint(span, BASE) != print_
    assert keys.fingerprint(span, MergeSettings(sharpen=1.0)) != print_


def test_only_the_faces_that_are_there_count_where_they_are_known():
    other = TEXT.replace("erode = 0.3", "erode = 0.35")
    for track, is_equal in ((3, False), (2, True)):
        prints = {keys_of(text).fingerprint(range(9), BASE, lambda _, t=track: [(t, 0)]) for text in (TEXT, other)}
        assert (len(prints) == 1) is is_equal
    assert len({keys_of(text).fingerprint(range(9), BASE) for text in (TEXT, other)}) == 2


def test_every_control_can_be_keyed():
    for name, kind in controls().items():
        assert kind in (float, int, bool, str)
        value = getattr(BASE, name)
        layer = Layer(keys={name: (Key(0, value), Key(9, value))})
        assert Keys(plate=layer).at(5, BASE) is Keys().at(0, BASE)
