import numpy as np
import pytest

from drawn_hands import draw_hand, hand_points
from konterfei.geometry import smooth_hull_mask
from konterfei.occluders.hand_networks import Hand, HandFinder
from konterfei.occluders.hands import Hands, hand_mask
from occluder_scenes import LANDMARKS, S, clean_frame, in_crop, overlap, view

MIDDLE = LANDMARKS.mean(axis=0)
WITHIN = smooth_hull_mask(view(clean_frame()).crop.crop_from_frame @ LANDMARKS, (S, S)) > 0.5
OTHER_SKIN = (170, 120, 95)


@pytest.fixture(scope="module")
def finder():
    return HandFinder(1)


@pytest.fixture(scope="module")
def hands():
    return Hands(1)


@pytest.mark.parametrize(("palm", "turn"), [(60, 0.0), (80, 0.4), (110, -0.5), (80, 2.0)])
def test_finds_where_a_hand_is(finder, palm, turn):
    wrist = np.array([192, 192]) + 0.9 * palm * np.array([-np.sin(turn), np.cos(turn)])
    picture, _ = draw_hand(np.full((384, 384, 3), (70, 90, 110), np.uint8), wrist, palm, turn)
    (hand,) = finder.find(picture)
    assert np.abs(hand.points - hand_points(wrist, palm, turn)).mean() < 0.05 * palm
    assert hand.palm == pytest.approx(palm, rel=0.2)
    assert hand.presence > 0.9


def test_finds_two_hands_and_no_more(finder):
    picture = np.full((384, 384, 3), (70, 90, 110), np.uint8)
    wrists = [(100, 250), (290, 260)]
    for wrist in wrists:
        picture, _ = draw_hand(picture, wrist, 75)
    found = finder.find(picture)
    assert sorted(round(float(hand.points[0, 0]), -1) for hand in found) == pytest.approx([100, 290], abs=10)
    assert len(HandFinder(1, most=1).find(picture)) == 1


def test_no_hand_no_answer(finder):
    assert finder.find(np.full((384, 384, 3), 90, np.uint8)) == []
    assert finder.find(clean_frame()[:480, :480]) == []


@pytest.mark.parametrize("skin", [OTHER_SKIN, (120, 82, 62), (235, 200, 180)], ids=["browner", "dark", "light"])
@pytest.mark.parametrize(("shift", "turn"), [((-50, 150), 0.2), ((10, 170), 0.0), ((60, 140), -0.4)])
def test_what_is_hand_in_front_of_a_face(hands, skin, shift, turn):
    frame, truth = draw_hand(clean_frame(), MIDDLE + shift, 85, turn, skin)
    truth = in_crop(truth)
    assert ((truth > 0.5) & WITHIN).sum() > 0.05 * WITHIN.sum()  # the hand does cover some of it
    found = hands.find(view(frame))
    assert overlap(found, truth, WITHIN) > 0.75
    wrong = ((found > 0.5) & (truth < 0.02) & WITHIN).sum() / WITHIN.sum()
    assert wrong < 0.02


def test_small_hands_are_none(hands):
    """Such as an ear is taken for."""
    frame, truth = draw_hand(clean_frame(), np.add(MIDDLE, [0, 60]), 52, 0.0, OTHER_SKIN)
    assert in_crop(truth).max() == 1
    assert HandFinder(1).find(frame[120:420, 150:450]) != []
    assert hands.find(view(frame)).max() == 0


def test_a_hand_far_from_the_face_covers_nothing(hands):
    frame, truth = draw_hand(clean_frame(), (560, 400), 80, 0.0, OTHER_SKIN)
    assert truth.max() == 1
    assert hands.find(view(frame)).max() == 0


def test_colours_decide_where_flesh_ends():
    """Bones that lie a little off are made up for by the picture, within what flesh reaches."""
    background = np.full((S, S, 3), (60, 90, 140), np.uint8)
    picture, truth = draw_hand(background, (130, 200), 90)
    everywhere = np.ones((S, S), bool)
    moved = Hand(hand_points((133, 203), 90), 1.0)
    assert overlap(hand_mask(picture, [moved]), truth, everywhere) > 0.85
    unseen = hand_mask(background, [moved])
    assert overlap(unseen, truth, everywhere) < overlap(hand_mask(picture, [moved]), truth, everywhere)
