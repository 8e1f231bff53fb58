"""What is written as a pickle of DeepFaceLab's, Python's own reader and an old NumPy's names agree on."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from konterfei.exchange.dfl_values import packed, same, unpacked
from konterfei.io.legacy_pickle import Choice, RefusedError, parse_pickle
from konterfei.io.legacy_pickle_stream import items_of
from konterfei.io.legacy_pickle_writer import pickle_bytes
from legacy_reader_material import DflFaceType, SampleType, dumped, with_its_modules

plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=300)
)
plain |= st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
arrays = st.sampled_from(["u1", "i4", "i8", "f4", "f8", "bool"]).flatmap(
    lambda kind: st.tuples(st.integers(0, 3), st.integers(0, 3)).map(lambda shape: np.ones(shape, kind))
)
values = st.recursive(
    plain | arrays,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text("ab", max_size=5), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(values)
def test_python_reads_what_was_meant(value):
    data = pickle_bytes(value)
    assert same(pickle.loads(data), value)
    assert same(parse_pickle(data), value)
    assert b"numpy._core" not in data


@given(values)
def test_as_json_and_back(value):
    there = packed(value)
    assert there is not None and same(unpacked(there), value)


def test_choices_are_those_of_deepfacelab():
    with_its_modules()
    data = pickle_bytes([Choice("FaceType", 4), Choice("SampleType", 1)])
    assert pickle.loads(data) == [DflFaceType.WHOLE_FACE, SampleType.FACE]
    assert parse_pickle(dumped([DflFaceType.HEAD])) == [Choice("FaceType", 10)]


@pytest.mark.parametrize("value", [{1, 2}, object(), np.array(["text"]), np.zeros(2, complex), 1j, bytearray(b"1")])
def test_other_kinds_are_not_written(value):
    with pytest.raises(ValueError, match="has no place"):
        pickle_bytes({"a": [value]})


@pytest.mark.parametrize("arguments", [("4",), (4, 5), (-1,), (1.0,), (True,)])
def test_a_choice_is_a_number_and_nothing_else(arguments):
    call = b"\x80\x04cfacelib.FaceType\nFaceType\n" + pickle_bytes(arguments)[2:-1] + b"R."
    with pytest.raises(ValueError):
        parse_pickle(call)


# --- the table of a pak, item by item


def table(count):
    shared = ("a", "tuple")
    return [
        {"filename": f"{n}.jpg", "points": [[1.0, n]] * 3, "mask": np.full(5, n % 256, np.uint8), "t": shared}
        for n in range(count)
    ]


@pytest.mark.parametrize("protocol", [2, 3, 4])
@pytest.mark.parametrize("count", [0, 1, 2, 1000, 1001])
def test_items_come_one_by_one(count, protocol):
    data = dumped(table(count), protocol)
    found = list(items_of(io.BytesIO(data + b"more"), len(data)))
    assert same(found, table(count))


def test_items_that_were_given_are_not_held(monkeypatch):
    from konterfei.io import legacy_pickle_stream

    machines = []
    kept = legacy_pickle_stream._ListMachine.__init__
    monkeypatch.setattr(
        legacy_pickle_stream._ListMachine, "__init__", lambda self: (kept(self), machines.append(self))[0]
    )
    data = dumped(table(3000))
    for _ in items_of(io.BytesIO(data), len(data)):
        pass
    (machine,) = machines
    held = [value for value in machine._memo.values() if isinstance(value, list | dict | np.ndarray)]
    assert len(held) < 10
    assert len(machine.stack[0]) == 0


def test_one_item_may_not_take_all_memory(monkeypatch):
    monkeypatch.setattr("konterfei.io.legacy_pickle_stream.MOST_AN_ITEM", 1000)
    fine = dumped(table(200))
    assert len(list(items_of(io.BytesIO(fine), len(fine)))) == 200
    bomb = b"\x80\x04](" + b"]" * 2000 + b"e."
    with pytest.raises(RefusedError, match="more than 1000 opcodes"):
        list(items_of(io.BytesIO(bomb), len(bomb)))


def test_a_claim_of_terabytes_reads_what_is_there():
    data = b"\x80\x04](\x8e" + (2**40).to_bytes(8, "little") + b"abc"
    with pytest.raises(ValueError):
        list(items_of(io.BytesIO(data), len(data)))


@pytest.mark.parametrize("data", [b"", b"\x80\x04}.", b"\x80\x04](K\x01e.", b"\x80\x04](}", b"\x80\x04cos\nsystem\n."])
def test_what_is_no_list_of_faces_says_so(data):
    with pytest.raises(ValueError):
        list(items_of(io.BytesIO(data), len(data)))
