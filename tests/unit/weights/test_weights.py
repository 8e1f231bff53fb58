from pathlib import Path

import numpy as np
import pytest

import konterfei.weights as weights
from konterfei.errors import UnknownNameError, WeightsError
from konterfei.weights import FILES, WEIGHTS, weights_path
from konterfei.weights.bases import BASES
from konterfei.weights.session import open_session

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", sorted(WEIGHTS))
def test_file_is_the_one_on_record(name):
    path = weights_path(name)
    assert path.stat().st_size == WEIGHTS[name].size


@pytest.mark.parametrize("record", WEIGHTS.values(), ids=lambda record: record.name)
def test_every_record_tells_its_whole_history(record):
    assert len(record.sha256) == len(record.origin_sha256) == 64
    assert all((record.origin, record.upstream, record.version, record.licence, record.trained_on, record.changed))
    assert (FILES.parent / "licences" / record.licence_file).read_text("utf-8").strip()


def test_no_file_without_a_record():
    there = {path.name for path in FILES.iterdir() if not path.name.startswith(".")}
    assert there == {record.file for record in (*WEIGHTS.values(), *BASES.values())}


def test_documents_say_what_the_table_says():
    page, notice = (ROOT / "docs" / "weights.md").read_text("utf-8"), (ROOT / "NOTICE").read_text("utf-8")
    for record in WEIGHTS.values():
        for fact in (record.file, record.sha256, record.origin, record.origin_sha256, record.upstream, record.licence):
            assert fact in page, f"docs/weights.md lacks of {record.name}: {fact}"
        assert f"{record.size:,}" in page
    assert "MS-Celeb-1M" in notice and "Shiqi Yu" in notice and "CenterFace" in notice


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """The weights folder, to be spoilt."""
    for record in WEIGHTS.values():
        if record.size < 1e6:
            (tmp_path / record.file).write_bytes((FILES / record.file).read_bytes())
    monkeypatch.setattr(weights, "FILES", tmp_path)
    weights_path.cache_clear()
    yield tmp_path
    weights_path.cache_clear()


def test_altered_file_is_refused(copied):
    data = bytearray((copied / "yunet.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (copied / "yunet.onnx").write_bytes(data)
    with pytest.raises(WeightsError, match=r"yunet.*sha256.*Install konterfei again"):
        open_session("yunet")


def test_missing_file_is_refused(copied):
    with pytest.raises(WeightsError, match=r"mesh478.*cannot be read.*Install konterfei again"):
        weights_path("mesh478")


def test_file_is_read_once_per_process(copied):
    weights_path("yunet")
    (copied / "yunet.onnx").unlink()
    weights_path("yunet")


def test_unknown_name():
    with pytest.raises(UnknownNameError, match="yunet"):
        weights_path("yunett")


def test_sessions_obey_the_thread_count_and_do_not_spin():
    options = open_session("yunet", threads=1).get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_segmentation_runs_on_a_batch():
    session = open_session("selfie_segmentation", threads=1)
    (mask,) = session.run(None, {"x": np.zeros((2, 256, 256, 3), np.float32)})
    assert mask.reshape(2, -1).shape == (2, 256 * 256)


@pytest.mark.parametrize(
    ("asked", "allowed", "cores", "taken"),
    [
        pytest.param(0, 4, 4, 0, id="the-runtime's-choice"),
        pytest.param(0, 1, 4, 1, id="confined"),
        pytest.param(3, 1, 4, 3, id="as-asked"),
    ],
)
def test_threads_stay_within_what_the_process_may_use(monkeypatch, asked, allowed, cores, taken):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(allowed)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    assert open_session("yunet", asked).get_session_options().intra_op_num_threads == taken
