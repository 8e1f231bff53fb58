"""The desk: wishes are heard, done and answered; figures and backups go where they belong."""

import struct

import numpy as np
import pytest

from konterfei.errors import ConfigError
from konterfei.io.backups import backups
from konterfei.io.mailbox import Answer, Mailbox
from konterfei.io.run import Checkpoint, Run
from konterfei.reporting import Course, Recorder
from konterfei.training.commands import COMMANDS, KEYS, MAILBOX
from konterfei.training.desk import Desk
from konterfei.training.plan import Phase, Plan, Progress
from konterfei.training.validation import Scores


class Person(Recorder):
    """Also takes down figures and keys."""

    def __init__(self):
        super().__init__()
        self.shown, self.keys = [], []

    def advance(self, done, **figures):
        self.shown.append((done, figures))

    def listen(self, keys):
        self.keys.append(dict(keys))


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "run", {"model": "df"})


@pytest.fixture
def made(run):
    """made(**settings) -> desk, person, clock; the clock is a list of one number."""

    def make(**settings):
        clock, person = [0.0], Person()
        return Desk(run, person, now=lambda: clock[0], **settings), person, clock

    return make


def at(step, trained_s=None, minutes=None):
    seconds = float(step) if trained_s is None else trained_s
    return Progress(step=step, trained_s=seconds, total=100, budget=(100, minutes))


def save(run, progress):
    tensors = {"weights/a": np.full(8, progress.step, np.float32)}
    state = {"progress": {"trained_s": progress.trained_s, "loss": 0.5}}
    run.save_checkpoint(Checkpoint(progress.step, tensors, state))
    run.save_snapshot(progress.step, {"a": tensors["weights/a"]}, {"steps": progress.step})


def test_every_command_says_what_the_loop_does_and_no_key_is_given_twice():
    assert {command.does for command in COMMANDS.values()} == {"save", "preview", "validate", "stop"}
    assert len(KEYS) == sum(len(command.keys) for command in COMMANDS.values())
    assert KEYS == {"s": "save", "p": "preview", "v": "validate", "b": "backup", "q": "stop", "\n": "stop"}


def test_a_wish_of_another_process_lasts_until_it_is_done_and_is_answered_then(run, made):
    desk, _, clock = made()
    box = Mailbox(run.folder / MAILBOX)
    with desk:
        asked = box.post("save"), box.post("preview")
        clock[0] = 1.0
        assert desk.look(at(1)) == {"save", "preview"}
        assert desk.look(at(2)) == {"save", "preview"}  # not done yet
        assert box.take_answer(asked[0]) is None
        desk.saved(at(2))
        assert desk.look(at(3)) == {"preview"}
        assert box.take_answer(asked[0]) == Answer(True, "Checkpoint and snapshot of step 2 are written.")
        desk.previewed(at(3), run.preview_path())
        assert box.take_answer(asked[1]).done
        assert desk.look(at(4)) == set()


def test_it_looks_at_most_once_a_second(run, made, monkeypatch):
    desk, _, clock = made()
    looks = []
    monkeypatch.setattr(Mailbox, "requests", lambda self: looks.append(clock[0]) or [])
    for tick in range(1000):
        clock[0] = tick / 100
        desk.look(at(tick))
    assert len(looks) == 9
    assert min(np.diff(looks)) >= 1.0


def test_keys_are_offered_while_it_listens_and_heard(run, made):
    desk, person, clock = made()
    with desk:
        assert person.keys == [dict(KEYS)]
        person.wishes += ["backup", "stop"]
        clock[0] = 1.0
        assert desk.look(at(5)) == {"save", "stop"}
        save(run, at(5))
        desk.saved(at(5))
        assert [backup.step for backup in backups(run)] == [5]
        assert "Backup of step 5" in person.notes[-1] and "free" in person.notes[-1]
        assert desk.look(at(6)) == {"stop"}
    assert person.keys == [dict(KEYS), {}]


def test_what_cannot_be_done_is_answered_and_not_tried(run, made):
    desk, _, clock = made()
    box = Mailbox(run.folder / MAILBOX)
    with desk:
        asked = box.post("dance"), box.post("backup", "../evil")
        clock[0] = 1.0
        assert desk.look(at(1)) == set()
        answers = [box.take_answer(request) for request in asked]
    assert [answer.done for answer in answers] == [False, False]
    assert "knows no command 'dance'; it knows save" in answers[0].text
    assert "no name for a backup" in answers[1].text


def test_a_phase_is_begun_at_once_saved_and_answered(run, made):
    plan = Plan(phases=(Phase(name="begin", steps=9), Phase(name="sharpen", steps=9), Phase(name="end")))
    desk, person, clock = made(plan=plan)
    box = Mailbox(run.folder / MAILBOX)
    progress = at(5)
    with desk:
        asked = box.post("phase", "end"), box.post("phase", "dance")
        clock[0] = 1.0
        assert desk.look(progress) == {"save"}
        assert "has no phase 'dance'. It has: begin, sharpen, end" in box.take_answer(asked[1]).text
        assert desk.turns(progress)
        assert (progress.phase, progress.phase_began) == (2, 5)
        assert not desk.turns(progress)
        assert box.take_answer(asked[0]) is None
        desk.saved(progress)
        assert box.take_answer(asked[0]) == Answer(True, "'end' began at step 5; it is saved.")
        late = box.post("phase")
        clock[0] = 2.0
        assert desk.look(progress) == set()
        assert "'end' is the last phase" in box.take_answer(late).text
        desk.report(progress, {"src": 0.5}, 1e-3, "steady", 7.0)
    assert person.shown[-1][1]["phase"] == "end (3/3)"


def test_without_a_plan_there_is_no_next_phase(run, made):
    desk, _, clock = made()
    with desk:
        asked = Mailbox(run.folder / MAILBOX).post("phase")
        clock[0] = 1.0
        assert desk.look(at(1)) == set()
    assert "no phases" in Mailbox(run.folder / MAILBOX).take_answer(asked).text


def test_what_was_asked_of_a_dead_training_is_not_done_by_the_next(run, made):
    box = Mailbox(run.folder / MAILBOX)
    asked = box.post("stop")
    desk, _, clock = made()
    with desk:
        clock[0] = 1.0
        assert desk.look(at(1)) == set()
    assert box.take_answer(asked) == Answer(False, "The training was only beginning. Ask again.")


def test_at_the_end_everyone_is_answered(run, made):
    desk, _, clock = made()
    box = Mailbox(run.folder / MAILBOX)
    with desk:
        heard = box.post("stop")
        clock[0] = 1.0
        desk.look(at(1))
        late = box.post("save")
    assert box.take_answer(heard) == Answer(True, "The training has ended; everything is saved.")
    assert not box.take_answer(late).done


def test_a_training_that_fails_says_so_to_who_asked(run, made):
    desk, _, clock = made()
    box = Mailbox(run.folder / MAILBOX)
    with pytest.raises(OSError), desk:
        heard = box.post("stop")
        clock[0] = 1.0
        desk.look(at(1))
        raise OSError("the disk is gone")
    assert box.take_answer(heard) == Answer(False, "The training has failed: the disk is gone")


def test_backups_come_at_whole_multiples_whatever_pauses_there_were(run, made):
    made_at = []
    for begin, end in ((0, 25), (25, 31), (31, 60)):  # three trainings of one run
        desk, _, _ = made(backup_s=10.0)
        with desk:
            for second in range(begin + 1, end + 1):
                desk.look(at(second, float(second)))
                if second % 3 == 0:  # a checkpoint every three seconds
                    save(run, at(second))
                    desk.saved(at(second))
        made_at = [backup.step for backup in backups(run)]
    assert made_at == [12, 21, 30, 42, 51, 60]


def test_no_backups_unless_they_are_wanted(run, made):
    desk, _, _ = made()
    desk.look(at(1))
    save(run, at(10, 1e6))
    desk.saved(at(10, 1e6))
    assert backups(run) == []


def test_figures_are_logged_and_shown_again_with_the_age_of_the_last_save(run, made):
    desk, person, clock = made(batch=4, memory=lambda: "1.2 GB")
    desk.look(at(1))
    assert person.shown == []
    desk.report(at(20), {"src": 0.51239, "dst": 0.4}, 1e-3, "steady", 7.123)
    assert run.metrics() == [{"step": 20, "trained_s": 20.0, "src": 0.5124, "dst": 0.4, "it/s": 7.12, "rate": 1e-3}]
    done, figures = person.shown[-1]
    assert done == 20
    assert figures == {
        "src": 0.5124,
        "dst": 0.4,
        "it/s": 7.12,
        "images/s": 57,
        "rate": "0.001 steady",
        "memory": "1.2 GB",
    }
    assert isinstance(figures["src"], Course) and not isinstance(figures["it/s"], Course)
    desk.saved(at(21))
    clock[0] = 40.0
    desk.look(at(25))
    assert person.shown[-1] == (25, {**figures, "saved": "40 s ago"})
    desk.look(at(26, 26.0, minutes=1.0))
    clock[0] = 42.0
    desk.look(at(27, 27.4, minutes=1.0))
    assert person.shown[-1] == (27, {"step": 27, **figures, "saved": "42 s ago"})


# --- TensorBoard


def events(folder):
    """(step, tag, value) of every scalar, and the steps at which files say that what follows is anew."""
    from tensorboardX.proto.event_pb2 import Event

    scalars, pictures, purged = [], [], []
    for path in sorted(folder.iterdir()):
        data, place = path.read_bytes(), 0
        while place < len(data):  # records: length, checksum, content, checksum
            (length,) = struct.unpack_from("<Q", data, place)
            event = Event.FromString(data[place + 12 : place + 12 + length])
            place += length + 16
            if event.HasField("session_log"):
                purged.append(event.step)
            for value in event.summary.value:
                if value.HasField("image"):
                    pictures.append((event.step, value.tag, value.image.height, value.image.width))
                else:
                    scalars.append((event.step, value.tag, round(value.simple_value, 6)))
    return scalars, pictures, purged


def test_tensorboard_gets_curves_and_pictures(run, made):
    desk, _, _ = made(has_board=True)
    with desk:
        desk.report(at(20), {"src": 0.5, "dst": 0.25}, 1e-3, "steady", 7.0)
        run.save_preview(20, np.zeros((8, 12, 3), np.uint8))
        desk.previewed(at(20), run.preview_path())
    scalars, pictures, _ = events(run.folder / "tensorboard")
    assert scalars == [(20, "loss/src", 0.5), (20, "loss/dst", 0.25), (20, "rate", 0.001), (20, "speed/it_s", 7.0)]
    assert pictures == [(20, "preview", 8, 12)]


def test_tensorboard_is_told_when_training_went_back(run, made):
    desk, _, _ = made(has_board=True)
    with desk:
        for step in (20, 40, 60, 40, 60):  # fell apart at 60
            desk.report(at(step), {"src": step / 100, "dst": 0.25}, 1e-3, "steady", 7.0)
    scalars, _, purged = events(run.folder / "tensorboard")
    assert sorted(step for step, tag, _ in scalars if tag == "rate") == [20, 40, 40, 60, 60]
    assert purged == [20, 40]
    assert len(list((run.folder / "tensorboard").iterdir())) == 2


def test_no_event_files_unless_they_are_wanted(run, made):
    desk, _, _ = made()
    with desk:
        desk.report(at(20), {"src": 0.5}, 1e-3, "steady", 7.0)
    assert not (run.folder / "tensorboard").exists()


def test_a_validation_is_answered_shown_and_curved(run, made):
    scores = Scores(identity=0.7, leftover=0.1, expression=float("nan"), distance=4.0, sharpness=0.2, ssim_src=0.9,
                    ssim_dst=0.8, total=0.71)  # fmt: skip
    desk, person, clock = made(can_validate=True, has_board=True)
    with desk:
        person.wishes.append("validate")
        clock[0] = 2.0
        assert desk.look(at(20)) == {"validate"}
        desk.report(at(20), {"src": 1.0, "dst": 1.0}, 1e-3, "steady", 5.0)
        desk.validated(at(20), scores, (0.75, 10))
        desk.report(at(40), {"src": 1.0, "dst": 1.0}, 1e-3, "steady", 5.0)
        assert desk.look(at(40)) == set()
    (note,) = person.notes
    assert "Validation of step 20: score 0.710 (identity 0.70, left of dst 0.10, landmarks 4.0 % off" in note
    assert note.endswith("; the best is that of step 10, 0.750.") and "expression" not in note
    assert person.shown[-1][1]["score"] == 0.71, "the last one is shown until there is another"
    (file,) = (run.folder / "tensorboard").iterdir()
    assert b"validation/identity" in file.read_bytes() and b"validation/expression" not in file.read_bytes()


def test_where_no_faces_are_held_out_a_validation_is_refused(run, made):
    desk, person, clock = made()
    with desk:
        person.wishes.append("validate")
        clock[0] = 2.0
        assert desk.look(at(20)) == set()
    mailbox = Mailbox(run.folder / MAILBOX)
    with desk:
        request = mailbox.post("validate", "")
        clock[0] = 4.0
        desk.look(at(20))
        answer = mailbox.take_answer(request)
    assert not answer.done and "No faces are held out" in answer.text


def test_a_change_is_made_at_once_saved_and_answered(run, made):
    def can_serve(objectives):
        if objectives.eyes_mouth:
            raise ConfigError("no masks of eyes and mouth")

    desk, _, clock = made(can_serve=can_serve)
    box, progress = Mailbox(run.folder / MAILBOX), at(5)
    with desk:
        asked = [box.post("set", text) for text in ("gan_power=0.1", "gan_power=9", "eyes_mouth=true")]
        clock[0] = 1.0
        assert desk.look(progress) == {"save"}
        assert "allowed: 0 to 5" in box.take_answer(asked[1]).text
        assert "no masks of eyes" in box.take_answer(asked[2]).text
        assert desk.turns(progress) and progress.changes == {"gan_power": 0.1}
        assert not desk.turns(progress) and box.take_answer(asked[0]) is None
        desk.saved(progress)
        assert box.take_answer(asked[0]).done


def test_a_change_that_changes_nothing_is_refused(run, made):
    desk, _, clock = made()
    box = Mailbox(run.folder / MAILBOX)
    with desk:
        asked = box.post("set", "random_warp=true")
        clock[0] = 1.0
        assert desk.look(at(5)) == set()
        assert "changes nothing here" in box.take_answer(asked).text
