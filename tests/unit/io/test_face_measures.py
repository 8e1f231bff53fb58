"""The kept measures: what comes back, and that damage costs no more than measuring anew."""

import sqlite3
from contextlib import closing

import numpy as np
import pytest

from konterfei.io.face_measures import MEASURES_NAME, MEASURES_VERSION, PARTS, load, store
from sorting_material import measures

PART = "ours"


def rows_of(count):
    rng = np.random.default_rng(count)
    rows = np.zeros(count, PARTS[PART])
    rows["sharpness"], rows["thumb"] = rng.random(count), rng.integers(0, 256, rows["thumb"].shape)
    return rows


KEYS = [bytes([number]) * 16 for number in range(5)]


def test_what_is_kept_comes_back(tmp_path):
    rows = rows_of(5)
    store(tmp_path, KEYS[:3], rows[:3], PART)
    store(tmp_path, KEYS[2:4], rows[2:4], PART)
    found, known = load(tmp_path, [KEYS[4], KEYS[1], KEYS[3], KEYS[0]], PART)
    assert known.tolist() == [False, True, True, True]
    assert np.array_equal(found[1:], rows[[1, 3, 0]])


def test_nothing_kept_is_nothing_known(tmp_path):
    rows, known = load(tmp_path, KEYS, PART)
    assert len(rows) == 5 and not known.any()
    assert not (tmp_path / MEASURES_NAME).exists()


@pytest.mark.parametrize("content", [b"", b"rubbish" * 1000, None])
def test_a_damaged_file_is_forgotten(tmp_path, content):
    store(tmp_path, KEYS, rows_of(5), PART)
    path = tmp_path / MEASURES_NAME
    for other in tmp_path.glob(f"{MEASURES_NAME}-*"):
        other.unlink()
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    assert not load(tmp_path, KEYS, PART)[1].any()
    store(tmp_path, KEYS[:1], rows_of(1), PART)
    assert load(tmp_path, KEYS, PART)[1].tolist() == [True, False, False, False, False]


def test_a_changed_byte_is_noticed(tmp_path):
    store(tmp_path, KEYS, rows_of(5), PART)
    with closing(sqlite3.connect(tmp_path / MEASURES_NAME)) as connection:
        (data,) = connection.execute("SELECT data FROM ours WHERE key = ?", (KEYS[1],)).fetchone()
        connection.execute("UPDATE ours SET data = ? WHERE key = ?", (bytes([data[0] ^ 1]) + data[1:], KEYS[1]))
        connection.execute("UPDATE ours SET data = ? WHERE key = ?", (data[:-1], KEYS[2]))
        connection.commit()
    assert load(tmp_path, KEYS, PART)[1].tolist() == [True, False, False, True, True]


def test_another_version_is_forgotten(tmp_path):
    store(tmp_path, KEYS, rows_of(5), PART)
    with closing(sqlite3.connect(tmp_path / MEASURES_NAME)) as connection:
        connection.execute(f"PRAGMA user_version = {MEASURES_VERSION + 1}")
    assert not load(tmp_path, KEYS, PART)[1].any()


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    store(tmp_path / "missing", KEYS, rows_of(5), PART)
    assert not load(tmp_path / "missing", KEYS, PART)[1].any()


def test_some_of_the_faces():
    faces = measures(6)
    some = faces.take([4, 1])
    assert some.names == (faces.names[4], faces.names[1])
    assert np.array_equal(some.histograms, faces.histograms[[4, 1]])
    assert faces.take(np.arange(6) < 2).names == faces.names[:2]
    with pytest.raises(ValueError, match="sharpness"):
        measures(3, sharpness=np.zeros(2, np.float32))
