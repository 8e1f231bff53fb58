"""Files that want more than arrays and numbers are refused before anything happens; damaged ones say so."""

import builtins
import os
import pickle
import struct
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from dfl_models import pickled
from konterfei.errors import DamagedFileError, StoreError
from konterfei.io import legacy_pickle
from konterfei.io.legacy_pickle import RefusedError, load_pickle, parse_pickle


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class State:
    def __init__(self):
        self.x = 1


MARK = "it-was-here"
HOSTILE = {
    "os.system": Calls(os.system, f"touch {MARK}"),
    "eval": Calls(builtins.eval, f"open('{MARK}', 'w')"),
    "exec": Calls(builtins.exec, f"open('{MARK}', 'w')"),
    "getattr": Calls(getattr, "text", "upper"),
    "import": Calls(__import__, "antigravity"),
    "open": Calls(open, MARK, "w"),
    "popen": Calls(subprocess.Popen, ["touch", MARK]),
    "path": Path(MARK),
    "nested": {"decoder/weight:0": [{"deep": ("inside", Calls(os.system, f"touch {MARK}"))}]},
    "numpy.load": Calls(np.load, "weights.npy", None, True),
    "numpy.fromfile": Calls(np.fromfile, "/etc/passwd"),
    "numpy.memmap": Calls(np.memmap, MARK, "uint8", "w+", 0, (10,)),
    "numpy.zeros": Calls(np.zeros, 10**12),
    "numpy.frombuffer": Calls(np.frombuffer, b"1234"),
    "ndarray called": Calls(np.ndarray, (10**12,)),
    "objects in an array": np.array([Calls(os.system, f"touch {MARK}")], dtype=object),
    "record array": np.zeros(3, dtype=[("a", "f4"), ("b", "i4")]),
    "text array": np.array(["text"]),
    "dates": np.array(["2026-11-22"], dtype="datetime64[D]"),
    "complex": np.zeros(2, np.complex64),
    "object with state": State(),
    "set": {1, 2},
    "bytearray": bytearray(b"12"),
    "class": dict,
    "slice": slice(1, 2),
    "complex number": 1j,
    "key is a tuple": {(1, 2): 3},
}


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_and_do_nothing(name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "anna_SAEHD_encoder.npy"
    data = pickled(HOSTILE[name], protocol)
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"encoder\.npy' is refused: it .* get the model from its maker"):
        load_pickle(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_the_fixture_would_do_harm(tmp_path, monkeypatch):
    """The refusals above are of files that do what they say, in Python's own reader."""
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickled(HOSTILE["nested"]))
    assert Path(MARK).exists()


def opcodes(*parts):
    return b"\x80\x04" + b"".join(parts) + b"."


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


ARRAY = name("numpy.core.multiarray", "_reconstruct")
NDARRAY = name("numpy", "ndarray")
DTYPE = name("numpy", "dtype")
FLOAT = DTYPE + b"\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
EMPTY = ARRAY + NDARRAY + b"K\x00\x85C\x01b\x87R"


def test_the_handmade_parts_are_honest():
    array = parse_pickle(opcodes(EMPTY, b"(K\x01K\x01\x85", FLOAT, b"\x89C\x04\0\0\x80?tb"))
    assert array.tolist() == [1.0] and array.dtype == np.float32


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(opcodes(name("os", "system"), b"\x8c\x04true\x85R"), id="os.system by hand"),
        pytest.param(opcodes(b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R"), id="by stack"),
        pytest.param(opcodes(b"(", b"\x8c\x04true", b"ios\nsystem\n"), id="INST"),
        pytest.param(opcodes(b"(", name("numpy", "ndarray"), b"o"), id="OBJ"),
        pytest.param(opcodes(NDARRAY, b")\x81"), id="NEWOBJ"),
        pytest.param(opcodes(NDARRAY, b")}\x92"), id="NEWOBJ_EX"),
        pytest.param(opcodes(b"Psomething\n"), id="persistent"),
        pytest.param(opcodes(b"\x82\x01"), id="extension registry"),
        pytest.param(opcodes(b"\x97"), id="buffer from outside"),
        pytest.param(opcodes(name("numpy.core.multiarray", "_reconstruct.__globals__")), id="dotted name"),
        pytest.param(opcodes(name("numpy", "dtype.__class__")), id="dotted dtype"),
        pytest.param(opcodes(DTYPE, b"\x8c\x01O\x89\x88\x87R"), id="dtype of objects"),
        pytest.param(opcodes(DTYPE, b"\x8c\x06f4, O8\x89\x88\x87R"), id="dtype of a record"),
        pytest.param(opcodes(DTYPE, b"]\x89\x88\x87R"), id="dtype of a list"),
        pytest.param(opcodes(DTYPE, b"\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<]NNK\x00K\x00K\x00tb"), id="dtype state"),
        pytest.param(opcodes(ARRAY, ARRAY, b"K\x00\x85C\x01b\x87R"), id="array of a function"),
        pytest.param(opcodes(ARRAY, NDARRAY, b"J\xff\xff\xff\x7f\x85C\x01b\x87R"), id="array of a size"),
        pytest.param(opcodes(EMPTY, b"(K\x01K\x01\x85", FLOAT, b"\x89]tb"), id="array with a list inside"),
        pytest.param(opcodes(EMPTY, b"(K\x01K\x01\x85", EMPTY, b"\x89C\x04\0\0\0\0tb"), id="array as a dtype"),
        pytest.param(opcodes(b"}}b"), id="state of a dict"),
        pytest.param(opcodes(b"K\x01)R"), id="a number called"),
        pytest.param(opcodes(EMPTY, b")R"), id="what a call gave, called"),
        pytest.param(opcodes(name("_codecs", "encode"), b"\x8c\x01x\x8c\x03hex\x86R"), id="another encoding"),
    ],
)
def test_handmade_opcodes_are_refused(data):
    with pytest.raises(RefusedError):
        parse_pickle(data)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x04.", id="nothing"),
        pytest.param(b"not a pickle at all", id="text"),
        pytest.param(b"\x93NUMPY\x01\x00v\x00{'descr'", id="a real npy"),
        pytest.param(opcodes(b"K\x01K\x02"), id="two values"),
        pytest.param(opcodes(b"("), id="a mark"),
        pytest.param(opcodes(b"0"), id="pop of nothing"),
        pytest.param(opcodes(b"t"), id="tuple without a mark"),
        pytest.param(opcodes(b"K\x01\x86"), id="half a pair"),
        pytest.param(opcodes(b"(\x85"), id="a tuple of a mark"),
        pytest.param(opcodes(b"K\x01a"), id="append to a number"),
        pytest.param(opcodes(b"h\x07"), id="memo that is not there"),
        pytest.param(opcodes(b"}(K\x01u"), id="key without a value"),
        pytest.param(opcodes(NDARRAY), id="a name alone"),
        pytest.param(opcodes(EMPTY), id="an array that is never filled"),
        pytest.param(opcodes(EMPTY, b"(K\x01K\x02\x85", FLOAT, b"\x89C\x04\0\0\0\0tb"), id="too few bytes"),
        pytest.param(opcodes(EMPTY, b"(K\x01J\xff\xff\xff\xff\x85", FLOAT, b"\x89C\x04\0\0\0\0tb"), id="negative"),
        pytest.param(opcodes(b"\x8e" + struct.pack("<Q", 2**62) + b"abc"), id="claims 4 EiB of bytes"),
        pytest.param(opcodes(b"\x8d" + struct.pack("<Q", 2**62) + b"abc"), id="claims 4 EiB of text"),
        pytest.param(opcodes(b"\x8b" + struct.pack("<i", 2**31 - 1) + b"abc"), id="claims a number of 2 GiB"),
        pytest.param(opcodes(b"I" + b"9" * 5000 + b"\n"), id="a number of 5000 digits"),
        pytest.param(opcodes(name("numpy", "dtype"), b")R"), id="a dtype of nothing"),
    ],
)
def test_damaged_files_say_so(data, tmp_path):
    (tmp_path / "x.npy").write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"x\.npy' cannot be read .* _autobackups"):
        load_pickle(tmp_path / "x.npy")


def test_a_file_cut_off_anywhere_says_so():
    whole = pickled({"a/weight:0": np.arange(6, dtype=np.float32).reshape(2, 3), "steps": np.int64(5)})
    for length in range(len(whole)):
        with pytest.raises(ValueError):
            parse_pickle(whole[:length])


def test_a_changed_byte_never_does_more_than_fail():
    """Each byte of an honest file changed to many others: an error, or still plain data."""
    whole = pickled({"a/weight:0": np.arange(3, dtype=np.float32), "s": np.float64(0.5)})
    rng = np.random.RandomState(0)
    for place in range(len(whole)):
        for other in rng.choice(256, 12):
            changed = bytearray(whole)
            changed[place] = other
            try:
                value = parse_pickle(bytes(changed))
            except ValueError:
                continue
            assert isinstance(value, dict | list | tuple | str | bytes | int | float | np.ndarray | None)


# --- bombs


def test_a_billion_laughs_cost_nothing():
    """Lists of lists of one another: a page of opcodes that would be a billion elements if it were ever walked."""
    data = b"]q\x00(K\x01K\x02e0"
    for level in range(1, 60):
        data += b"](" + b"h" + bytes([level - 1]) + b"h" + bytes([level - 1]) + b"eq" + bytes([level]) + b"0"
    begun = time.monotonic()
    value = parse_pickle(opcodes(data, b"h\x3b"))
    assert isinstance(value, list) and len(value) == 2
    nested = opcodes(b"}", data.replace(b"](", b"(").replace(b"eq", b"tq"), b"h\x3bK\x01s")
    with pytest.raises(ValueError):  # as the key of a dict it would be hashed
        parse_pickle(nested)
    shape = opcodes(EMPTY, b"(K\x01", data.replace(b"](", b"(").replace(b"eq", b"tq"), b"h\x3b", FLOAT, b"\x89C\x00tb")
    with pytest.raises(ValueError):  # as the shape of an array it would be printed
        parse_pickle(shape)
    assert time.monotonic() - begun < 2


def test_a_memo_far_away_takes_no_room():
    assert parse_pickle(opcodes(b"K\x01r\xff\xff\xff\xff")) == 1


def test_too_many_opcodes_are_refused(monkeypatch):
    monkeypatch.setattr(legacy_pickle, "MOST_OPCODES", 1000)
    assert parse_pickle(opcodes(b"]", b"K\x01a" * 400)) == [1] * 400
    with pytest.raises(RefusedError, match="more than 1000 opcodes"):
        parse_pickle(opcodes(b"]", b"}a" * 600))


def test_too_large_files_are_refused_unread(tmp_path, monkeypatch):
    with (tmp_path / "x.npy").open("wb") as file:
        file.truncate(5 << 30)  # a hole: takes no disk
    with pytest.raises(DamagedFileError, match="larger than 4 GiB"):
        load_pickle(tmp_path / "x.npy")


def test_arrays_of_huge_empty_shapes_fail(tmp_path):
    state = b"(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7fK\x00t"
    with pytest.raises(ValueError):
        parse_pickle(opcodes(EMPTY, state, FLOAT, b"\x89C\x00tb"))


# --- what is honest comes through


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_honest_values_come_back(protocol):
    value = {
        "iter": 7,
        "options": {"archi": "liae-ud", "gan_power": np.float64(0.25), "resolution": np.int64(192), "flag": True},
        "history": [[0.5, 1e-3], [], [2**70, -1]],
        "nothing": None,
        "pair": (1, "ä", b"\x00\xff"),
        "bools": np.bool_(True),
    }
    got = parse_pickle(pickled(value, protocol))
    assert got == value
    assert type(got["options"]["gan_power"]) is float and type(got["options"]["resolution"]) is int


@pytest.mark.parametrize("protocol", [0, 2, 3, 4])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i4", "u1", "bool", "i8"])
def test_honest_arrays_come_back(dtype, protocol):
    array = (np.arange(24).reshape(2, 3, 4) % 2).astype(dtype)
    shared = {"c": array, "fortran": np.asfortranarray(array), "scalar": np.array(array[0, 0, 0]), "again": array}
    got = parse_pickle(pickled(shared, protocol))
    for key, wanted in shared.items():
        np.testing.assert_array_equal(got[key], wanted)
        assert got[key].dtype == wanted.dtype and got[key].shape == wanted.shape
    assert got["again"] is got["c"]


def test_names_of_numpy_2_are_known_too():
    value = {"a": np.arange(3, dtype=np.float32)}
    data = pickle.dumps(value, protocol=4)
    assert b"numpy._core" in data or np.__version__.startswith("1.")
    np.testing.assert_array_equal(parse_pickle(data)["a"], value["a"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(StoreError, match=r"nothing\.npy' cannot be read"):
        load_pickle(tmp_path / "nothing.npy")
