"""Requests and answers through a folder: whole, in order, answered once."""

import json

from konterfei.io.mailbox import Answer, Mailbox


def test_a_request_arrives_and_its_answer_comes_back(tmp_path):
    asks, hears = Mailbox(tmp_path / "box"), Mailbox(tmp_path / "box")
    assert hears.requests() == []
    first, second = asks.post("backup", "before gan"), asks.post("stop")
    assert hears.requests() == sorted([first, second], key=lambda request: request.key)
    assert {(r.name, r.value) for r in hears.requests()} == {("backup", "before gan"), ("stop", "")}
    assert asks.take_answer(first) is None
    hears.answer(first, True, "kept")
    hears.answer(second, False, "no")
    assert hears.requests() == []
    assert asks.take_answer(first) == Answer(True, "kept")
    assert asks.take_answer(second) == Answer(False, "no")
    assert asks.take_answer(first) is None
    assert list((tmp_path / "box").iterdir()) == []


def test_older_requests_come_first(tmp_path, monkeypatch):
    ticks = iter([2_000_000_000_000_000_000, 1_900_000_000_000_000_000])
    monkeypatch.setattr("konterfei.io.mailbox.time.time_ns", lambda: next(ticks))
    box = Mailbox(tmp_path)
    box.post("late")
    box.post("early")
    assert [request.name for request in box.requests()] == ["early", "late"]


def test_what_was_withdrawn_gets_no_answer(tmp_path):
    box = Mailbox(tmp_path)
    request = box.post("save")
    box.withdraw(request)
    box.answer(request, True, "done")
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_no_request_are_removed_and_never_run(tmp_path):
    for name, text in {"1-a.json": "{", "2-b.json": "[1]", "3-c.json": '{"value": "x"}'}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / ".half.konterfei-tmp-1.json").write_text("{")
    (tmp_path / "4-d.json").write_text(json.dumps({"name": "save"}))
    box = Mailbox(tmp_path)
    assert [(r.key, r.name, r.value) for r in box.requests()] == [("4-d", "save", "")]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".half.konterfei-tmp-1.json", "4-d.json"]
    (tmp_path / "0-z.answer.json").write_text("{}")
    box.tidy()
    assert [path.name for path in tmp_path.iterdir()] == ["4-d.json"]
