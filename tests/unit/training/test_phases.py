"""Phases end when they should, change what they say, and a file of them is read or refused by the phase's number."""

from pathlib import Path

import pytest

from konterfei.errors import ConfigError, KonterfeiError
from konterfei.training.objectives import Objectives
from konterfei.training.phases import read_change, read_phases
from konterfei.training.plan import PLATEAU_REPORTS, Phase, Plan, Progress

FILE = """
[[phase]]
name = "likeness"
steps = 100
uniform_yaw = true

[[phase]]
name = "sharpen"
random_warp = false
plateau = 0.01
images = 4000

[[phase]]
gan_power = 0.1
rate = 0.5
"""


def write(path, text):
    path.write_text(text, "utf-8")
    return path


def test_a_file_of_phases(tmp_path):
    phases = read_phases(write(tmp_path / "plan.toml", FILE), Objectives(clip_grad=True))
    assert phases == (
        Phase(name="likeness", steps=100, changes={"uniform_yaw": True}),
        Phase(name="sharpen", plateau=0.01, images=4000, changes={"random_warp": False}),
        Phase(name="phase 3", rate=0.5, changes={"gan_power": 0.1}),
    )
    plan = Plan(objectives=Objectives(clip_grad=True), phases=phases)
    assert plan.of(phases[0]) == Objectives(clip_grad=True, uniform_yaw=True)
    assert plan.of(phases[2]) == Objectives(clip_grad=True, gan_power=0.1)


def test_the_example_of_the_manual_is_one(tmp_path):
    manual = (Path(__file__).parents[3] / "docs" / "training.md").read_text("utf-8")
    example = manual.split("```toml")[1].split("```")[0]
    phases = read_phases(write(tmp_path / "plan.toml", example), Objectives())
    assert [phase.name for phase in phases] == ["likeness", "sharpen", "detail"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[phase]]\nsteps = 1\n", "phase 1 goes on to the end of the run: leave its ends out"),
        ("[[phase]]\n[[phase]]\n", "phase 1 needs an end: steps, images, plateau, patience, share"),
        ("[[phase]]\ngan_pover = 1\n", "phase 1: 'gan_pover' is not known. Known are .*gan_power"),
        ("[[phase]]\npretrain = true\n", "'pretrain' is not known"),
        ("[[phase]]\nsteps = 0\n[[phase]]\n", "phase 1: steps = 0: must be a number above 0"),
        ("[[phase]]\nshare = 1\n[[phase]]\n", "share = 1: must be below 1"),
        ("[[phase]]\nrate = true\n", "rate = True: must be"),
        ("[[phase]]\nsteps = 5\n[[phase]]\ngan_power = 9\n", "phase 2: --gan-power is 9"),
        ("[[phase]]\ngan_power = true\n", "gan_power = True is of the wrong kind"),
        ("[[phase]]\nrandom_warp = 1\n", "random_warp = 1 is of the wrong kind"),
        ("[[phase]]\ncolor_transfer = 1\n", "color_transfer = 1 is of the wrong kind"),
        ("steps = 5\n", r"expected \[\[phase\]\] tables"),
        ("[phase]\nsteps = 5\n", r"expected \[\[phase\]\] tables"),
        ("[[phase\n", "cannot be read"),
    ],
)
def test_nonsense_is_refused_by_phase(tmp_path, text, said):
    with pytest.raises(ConfigError, match=said):
        read_phases(write(tmp_path / "plan.toml", text), Objectives())


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml' cannot be read"):
        read_phases(tmp_path / "nowhere.toml", Objectives())


def test_phases_end_by_steps_or_images_whichever_comes_first():
    progress = Progress(step=110, phase=1, phase_began=100)
    assert Phase(steps=10).is_over(progress, 4) and not Phase(steps=11).is_over(progress, 4)
    assert Phase(images=40).is_over(progress, 4) and not Phase(images=41).is_over(progress, 4)
    assert Phase(steps=99, images=40).is_over(progress, 4)
    assert not Phase().is_over(progress, 4)


def test_a_phase_ends_when_the_loss_falls_no_more():
    plan = Plan(phases=(Phase(plateau=0.01), Phase()))

    def reports_until_it_turns(loss_of):
        progress = Progress()
        for report in range(1, 1000):
            progress.step = 20 * report
            plan.note(progress, loss_of(report))
            if plan.turns(progress, 4):
                return report
        return None

    assert reports_until_it_turns(lambda report: 1.0) == PLATEAU_REPORTS
    assert reports_until_it_turns(lambda report: 0.999**report) is None  # 5 % in 50 reports
    slow = reports_until_it_turns(lambda report: 1 + 0.99**report)
    assert PLATEAU_REPORTS < slow < 5 * PLATEAU_REPORTS  # level in the end


def test_turning_is_noted_and_the_last_phase_stays():
    plan = Plan(phases=(Phase(steps=10), Phase()))
    progress = Progress(step=9, pending=[[1.0, 1.0]], reports=[1.0])
    assert not plan.turns(progress, 4)
    progress.step = 10
    assert plan.turns(progress, 4)
    assert (progress.phase, progress.phase_began, progress.pending, progress.reports) == (1, 10, [], [])
    progress.step = 1000
    assert not plan.turns(progress, 4)
    assert plan.phase(Progress(phase=7)) is plan.phases[1]  # of a plan that was longer once
    single = Plan()
    plan_less = Progress()
    single.note(plan_less, 1.0)
    assert plan_less.reports == [] and single.of(single.phases[0]) == Objectives()


def test_a_phase_ends_with_its_share_of_the_run_or_when_the_score_rises_no_more():
    plan = Plan(phases=(Phase(name="a", share=0.5), Phase(name="b", patience=2), Phase(name="c")))
    progress = Progress(step=49, total=100)
    assert not plan.turns(progress, 4)
    progress.step = 50
    assert plan.turns(progress, 4) and progress.phase == 1
    for score, turns in ((0.5, False), (0.4, False), (0.6, False), (0.6, False), (0.59, True)):
        progress.score(score)
        assert plan.turns(progress, 4) == turns
    assert progress.phase == 2 and progress.top_score is None, "the next phase begins without the last one's score"


def test_a_run_that_was_made_longer_goes_back_as_far_as_shares_tell():
    plan = Plan(phases=(Phase(share=0.5), Phase(share=0.75), Phase()))
    progress = Progress(step=100, total=100, phase=2)
    assert not plan.rewind(progress)
    progress.total = 180
    assert plan.rewind(progress) and progress.phase == 1
    progress.total = 300
    assert plan.rewind(progress) and progress.phase == 0
    by_steps = Plan(phases=(Phase(steps=10), Phase()))
    assert not by_steps.rewind(Progress(step=100, total=1000, phase=1)), "other ends are over once and for all"


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("gan_power=0.1", {"gan_power": 0.1}),
        ("--gan-power = 1", {"gan_power": 1}),
        ("random_warp=false", {"random_warp": False}),
        ("color_transfer=rct", {"color_transfer": "rct"}),
        ('lr_dropout="yes"', {"lr_dropout": "yes"}),
        ("rate=0.5", {"rate": 0.5}),
    ],
)
def test_changes_as_people_write_them(text, change):
    assert read_change(text, Objectives()) == change


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gan_power", "expected NAME=VALUE"),
        ("gan_power=", "expected NAME=VALUE"),
        ("gan_pover=1", "'gan_pover' is not known. Known are .*gan_power.*rate"),
        ("pretrain=true", "'pretrain' is not known"),
        ("steps=5", "'steps' is not known"),
        ("gan_power=9", "--gan-power is 9; allowed: 0 to 5"),
        ("gan_power=much", "gan_power = 'much' is of the wrong kind"),
        ("random_warp=1", "random_warp = 1 is of the wrong kind"),
        ("gan_dims=20.5", "gan_dims = 20.5 is of the wrong kind"),
        ("gan_patch_size=8.5", "gan_patch_size = 8.5 is of the wrong kind"),
        ("rate=0", "rate = 0: must be a number above 0"),
        ("color_transfer=rtc", "rct"),
    ],
)
def test_changes_that_make_no_sense_are_refused(text, said):
    with pytest.raises(KonterfeiError, match=said):
        read_change(text, Objectives())


def test_a_change_lasts_as_long_as_its_phase():
    plan = Plan(phases=(Phase(name="a", steps=9, rate=0.5, changes={"eyes_mouth": True}), Phase(name="b")))
    progress = Progress(step=3)
    plan.change(progress, {"gan_power": 0.1})
    plan.change(progress, {"rate": 0.25, "eyes_mouth": False})
    assert plan.now(progress) == Objectives(gan_power=0.1) and plan.rate(progress) == 0.25
    plan.begin(progress, 1)
    assert plan.now(progress) == Objectives() and plan.rate(progress) == 1
