import cv2
import numpy as np
import pytest

from konterfei.compositing import FaceDetail, MergeSettings, match_detail, measure_detail, merge_frame, smooth_detail
from konterfei.compositing.detail import OCTAVES

SIDE = 220
STEP = 1 / 255


def photograph(seed=3, blur=0.8, grain=0.0, wrinkles=0.004):
    """A face-like picture: shading, some dark features with edges, fine texture on the skin. [SIDE, SIDE, 3] float32"""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    picture = 0.6 + 0.1 * np.cos((x - 110) / 90) * np.cos((y - 110) / 90)
    for cx, cy, a, b in ((75, 80, 22, 8), (145, 80, 22, 8), (110, 160, 32, 9), (110, 120, 10, 5), (75, 60, 26, 5)):
        picture -= 0.25 * ((((x - cx) / a) ** 2 + ((y - cy) / b) ** 2) < 1)
    picture = picture + rng.normal(0, wrinkles, picture.shape)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), blur)
    return np.clip(cv2.merge([picture] * 3) * np.float32([1.0, 0.8, 0.7]) + noise(seed, grain), 0, 1)


def noise(seed, sigma):
    grey = np.random.default_rng(seed + 100).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    return np.float32(sigma) * cv2.GaussianBlur(grey, (0, 0), 0.6)[..., None]


def drawn(picture, times):
    """What a model of 1 / times the resolution would draw of it: soft, without grain."""
    side = SIDE // times
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return np.clip(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), 0, 1)


def compressed(picture, quality):
    _, data = cv2.imencode(".jpg", np.rint(picture[..., ::-1] * 255), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255


@pytest.fixture
def alpha():
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.clip((100 - np.hypot(x - 110, y - 110)) / 8, 0, 1).astype(np.float32)


def laplacian(picture, alpha):
    """Variance of the Laplacian of what would be written, inside the mask."""
    grey = cv2.cvtColor(np.rint(picture * 255).astype(np.float32), cv2.COLOR_RGB2GRAY)
    core = cv2.erode((alpha > 0.98).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return float(cv2.Laplacian(grey, cv2.CV_32F)[core].var())


def matched(face, plate, alpha, pixel=2.0, detail=1.0, grain=1.0):
    return match_detail(face, plate, alpha, measure_detail(plate, alpha), pixel, detail, grain, STEP)


PLATES = {
    "sharp": lambda: photograph(),
    "grainy": lambda: photograph(grain=0.02),
    "blurred": lambda: photograph(blur=1.8),
    "blurred and grainy": lambda: photograph(blur=2.5, grain=0.015),
    "compressed": lambda: compressed(photograph(grain=0.01), 30),
    "heavily compressed": lambda: compressed(photograph(grain=0.01), 12),
}


@pytest.mark.parametrize("name", PLATES)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_drawn_face_becomes_as_sharp_as_the_plate(name, times, alpha):
    plate = np.rint(PLATES[name]() * 255).astype(np.float32) / 255
    face = drawn(photograph(seed=8), times) if times > 1 else photograph(seed=8)
    before, wanted = laplacian(face, alpha), laplacian(plate, alpha)
    after = laplacian(matched(face, plate, alpha, float(times)), alpha)
    least = 0.9 if times < 3 else 0.8  # edges may be steepened only so far
    most = 1.25 if name == "blurred" else 1.1  # so blurred that half of what is left is 8-bit rounding
    assert least < after / wanted < most, f"{before / wanted:.2f} before, {after / wanted:.2f} after"


def test_a_sharp_face_over_a_blurred_plate_is_softened(alpha):
    plate, face = photograph(blur=3.0, wrinkles=0.0), photograph(seed=8, blur=0.6)
    softer = matched(face, plate, alpha, pixel=0.5)
    assert laplacian(face, alpha) > 10 * laplacian(plate, alpha)
    assert laplacian(softer, alpha) < 2 * laplacian(plate, alpha)
    rows = softer[80, :, 1]
    assert np.ptp(rows[40:110]) > 0.05  # features are still there


def test_no_halos_and_no_ringing(alpha):
    """However sharp the plate: no value beyond those that the drawn face has near by."""
    plate, face = photograph(blur=0.4, wrinkles=0.0), drawn(photograph(seed=3, wrinkles=0.0), 4)
    sharper = matched(face, plate, alpha, 4.0, grain=0.0)
    assert laplacian(sharper, alpha) > 1.5 * laplacian(face, alpha)
    window = np.ones((9, 9), np.uint8)
    grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (face, sharper)]
    assert (grey[1] <= cv2.dilate(grey[0], window) + 1e-4).all()
    assert (grey[1] >= cv2.erode(grey[0], window) - 1e-4).all()


def test_features_of_the_plate_do_not_come_along(alpha):
    """Glasses on the plate, none on the drawn face: grain comes over, the rims do not."""
    plate = photograph(grain=0.01, wrinkles=0.0)
    cv2.rectangle(plate, (50, 95), (170, 100), (0.1, 0.1, 0.1), 2)
    face = drawn(photograph(seed=3, wrinkles=0.0), 3)
    rims = np.zeros((SIDE, SIDE), bool)
    rims[92:104, 48:173] = True
    change = matched(face, plate, alpha, 3.0, detail=0.0) - face
    elsewhere = (alpha > 0.98) & ~rims
    assert change[elsewhere].std() > 0.3 * noise(3, 0.01)[elsewhere].std()
    assert np.abs(change[rims]).max() < 8 * change[elsewhere].std()


def test_grain_is_the_plates_and_the_same_each_time(alpha):
    plate, face = photograph(grain=0.02, wrinkles=0.0), drawn(photograph(seed=8, wrinkles=0.0), 3)
    once, again = matched(face, plate, alpha), matched(face.copy(), plate.copy(), alpha)
    assert np.array_equal(once, again)
    change = (matched(face, plate, alpha, detail=0.0) - face)[..., 0]
    skin = np.zeros((SIDE, SIDE), bool)
    skin[110:140, 40:90] = True
    fine = noise(3, 0.02)[..., 0] - cv2.GaussianBlur(noise(3, 0.02)[..., 0], (0, 0), 4)
    assert np.corrcoef(change[skin], fine[skin])[0, 1] < -0.85  # turned over
    assert change[skin].std() == pytest.approx(fine[skin].std(), rel=0.15)


def test_fine_features_of_the_plate_do_not_come_over(alpha):
    """Nobody is to be known by what the grain carries: lines of the plate's face are nowhere lines of the result's."""
    plate, face = photograph(grain=0.01), drawn(photograph(seed=8, wrinkles=0.0), 3)
    change = (matched(face, plate, alpha, detail=0.0) - face)[..., 0]
    fine = plate[..., 0] - cv2.GaussianBlur(plate[..., 0], (0, 0), 2)
    inside = alpha > 0.98
    assert np.corrcoef(change[inside], fine[inside])[0, 1] < 0.0


def test_a_face_with_grain_of_its_own_gets_no_more(alpha):
    plate, face = photograph(grain=0.015, wrinkles=0.0), photograph(seed=8, grain=0.015, wrinkles=0.0)
    assert np.abs(matched(face, plate, alpha, 1.0, detail=0.0) - face).std() < 0.3 * 0.015


def test_each_can_be_switched_off(alpha):
    plate, face = photograph(grain=0.02), drawn(photograph(seed=8), 3)
    assert matched(face, plate, alpha, detail=0.0, grain=0.0) is face
    sharpness, grain = matched(face, plate, alpha, grain=0.0), matched(face, plate, alpha, detail=0.0)
    found = [measure_detail(picture, alpha) for picture in (face, sharpness, grain)]
    assert found[1].energy[0] > 2 * found[0].energy[0] and found[1].grain[0] < 3 * found[0].grain[0] + 1e-7
    assert found[2].grain[0] > 5 * found[0].grain[0]
    half = matched(face, plate, alpha, detail=0.5, grain=0.0)
    assert laplacian(face, alpha) < laplacian(half, alpha) < laplacian(sharpness, alpha)


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_flat_faces_and_flat_plates(level, alpha):
    flat = np.full((SIDE, SIDE, 3), level, np.float32)
    assert np.array_equal(matched(flat, flat, alpha), flat)
    face = photograph()
    assert np.array_equal(matched(face, flat, alpha), face)  # nothing to be sharp or soft like
    smooth = matched(flat, photograph(grain=0.0, wrinkles=0.0), alpha)
    assert np.isfinite(smooth).all() and smooth.std() < 0.01


def test_faces_too_small_to_measure_stay_as_they_are():
    plate, face = photograph()[:30, :30], photograph(seed=8)[:30, :30]
    alpha = np.zeros((30, 30), np.float32)
    alpha[8:22, 8:22] = 1
    measured = measure_detail(plate, alpha)
    assert not measured.is_measured
    assert match_detail(face, plate, alpha, measured, 2.0) is face
    tiny = np.ones((5, 40), np.float32)
    assert not measure_detail(plate[:5, :1].repeat(40, axis=1), tiny).is_measured


def test_energy_of_a_known_picture(alpha):
    """White noise has no more than its variance in the octaves, most of it in the finest; each blur halves the rest."""
    white = np.random.default_rng(1).normal(0.5, 0.05, (SIDE, SIDE)).astype(np.float32)
    found = measure_detail(cv2.merge([white] * 3), alpha)
    assert found.energy.shape == (OCTAVES,) and found.energy.sum() < 0.05**2
    assert found.energy[0] == pytest.approx(0.64 * 0.05**2, rel=0.05)  # 1 - 2 (1/2)^2 + (3/8)^2
    assert (np.diff(found.energy) < 0).all()
    assert found.grain[:3] == pytest.approx(found.energy[:3], rel=0.25)


# over time


def series(energy, track=lambda i: 0, fps=25):
    many = []
    for i in range(40):
        fine = energy(i)
        levels = np.array([fine, fine, 2e-4, 4e-4])
        many.append(FaceDetail(levels, levels / 10, fine, True, i / fps, track(i)))
    return many


def fine_of(many, sigma_s=0.15):
    return np.array([smooth_detail(d, many, sigma_s).energy[0] for d in many])


def test_what_is_aimed_at_does_not_tremble():
    jitter = np.random.default_rng(0).normal(0, 0.05, 40)
    level = fine_of(series(lambda i: 1e-4 * np.exp(jitter[i])))
    assert np.abs(np.diff(np.log(level))).mean() < 0.25 * np.abs(np.diff(jitter)).mean()
    assert fine_of(series(lambda i: 1e-4 * np.exp(jitter[i])), 0.0) == pytest.approx(1e-4 * np.exp(jitter))


def test_no_lag_and_a_whip_of_the_head_is_not_smeared():
    ramp = np.exp(np.linspace(-0.4, 0.4, 40))
    assert fine_of(series(lambda i: 1e-4 * ramp[i]))[10:30] == pytest.approx(1e-4 * ramp[10:30], rel=0.01)
    whip = lambda i: 1e-6 if 18 <= i < 22 else 1e-4  # noqa: E731
    assert fine_of(series(whip)) == pytest.approx([whip(i) for i in range(40)], rel=0.02)


def test_cuts_are_respected():
    step = lambda i: 1e-4 if i < 20 else 1.3e-4  # noqa: E731
    assert fine_of(series(step))[19] > 1.02e-4
    assert fine_of(series(step, track=lambda i: i // 20)) == pytest.approx([step(i) for i in range(40)])


def test_frames_without_a_measure_neither_give_nor_take():
    many = series(lambda i: 1e-4)
    nothing = FaceDetail(np.zeros(OCTAVES), np.zeros(OCTAVES), 0.0, False, many[5].time_s, 0)
    assert smooth_detail(nothing, many, 0.15) is nothing
    assert fine_of([*many[:5], nothing, *many[6:]])[4] == pytest.approx(1e-4)


# in the frame


def test_in_a_frame_only_the_face_changes(frame, face_at, swap):
    rng = np.random.default_rng(2)
    grainy = np.clip(frame + rng.normal(0, 6, frame.shape[:2])[..., None], 0, 255).astype(np.uint8)
    face = face_at()
    item = swap(grainy, face)
    plain, textured = (
        merge_frame(grainy, [face], [item], MergeSettings(detail=level, grain=level)) for level in (0.0, 1.0)
    )
    outside = (plain == grainy).all(axis=2) & (textured == grainy).all(axis=2)
    assert outside[:100].all() and outside[-60:].all()
    inside = np.s_[240:300, 290:350]
    noise_of = lambda picture: float(cv2.Laplacian(picture[inside][..., 1], cv2.CV_32F).var())  # noqa: E731
    assert noise_of(plain) < 0.3 * noise_of(grainy)
    assert 0.75 < noise_of(textured) / noise_of(grainy) < 1.25


def test_depth_of_the_frame_does_not_matter(frame, face_at, swap):
    rng = np.random.default_rng(2)
    grainy = np.clip(frame + rng.normal(0, 6, frame.shape[:2])[..., None], 0, 255).astype(np.uint8)
    face = face_at()
    item = swap(grainy, face)
    merged = merge_frame(grainy.astype(np.uint16) * 257, [face], [item], MergeSettings()).astype(np.float64) / 65535
    eight = merge_frame(grainy, [face], [item], MergeSettings()).astype(np.float64) / 255
    assert np.abs(merged - eight).mean() < 1 / 255
