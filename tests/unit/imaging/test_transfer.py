"""Transfer functions against figures of their standards, and there and back."""

import numpy as np
import pytest

from konterfei.imaging.transfer import TRANSFERS, transfer_of

# value of the picture -> light, from the standards' own tables and definitions
KNOWN = {
    "srgb": [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404114), (1.0, 1.0)],
    "bt709": [(0.0, 0.0), (0.0812428583, 0.0180539685), (0.5, 0.25969), (1.0, 1.0)],
    "bt1886": [(0.5, 0.5**2.4), (1.0, 1.0)],
    # BT.2100: PQ codes 0.5081 and 0.7518 are 100 and 1000 cd/m2; HLG's knee is at 1/12, its reference white at 0.75
    "pq": [(0.0, 0.0), (0.508078, 1.0), (0.751827, 10.0), (1.0, 100.0)],
    "hlg": [(0.0, 0.0), (0.5, 1 / 12), (0.75, 0.26496256), (1.0, 1.0)],
    "gamma22": [(0.5, 0.5**2.2)],
    "gamma28": [(0.5, 0.5**2.8)],
    "linear": [(0.3, 0.3)],
}


@pytest.mark.parametrize("name", TRANSFERS)
def test_figures_of_the_standard(name):
    for value, light in KNOWN[name]:
        assert TRANSFERS[name].decode(np.array([value])) == pytest.approx(light, rel=2e-4, abs=1e-9)


@pytest.mark.parametrize("name", TRANSFERS)
def test_there_and_back_is_the_identity(name):
    values = np.linspace(-1, 1, 4001)
    transfer = TRANSFERS[name]
    # PQ's own curve begins at 7.3e-7, not at 0
    assert np.abs(transfer.encode(transfer.decode(values)) - values).max() < (1e-6 if name == "pq" else 1e-9)
    assert (np.diff(transfer.decode(values)) > -1e-15).all()
    assert transfer.decode(values.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize(("kind", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_every_step_of_a_picture_survives(name, kind, white):
    steps = np.arange(white + 1).astype(kind)[None]
    light = TRANSFERS[name].light(steps)
    back = np.rint(TRANSFERS[name].encode(light.astype(np.float64)) * white)
    # from white on, PQ's 16-bit steps are finer than float32 light can tell by the last bit
    assert light.dtype == np.float32 and np.abs(back - steps).max() <= (1 if (name, white) == ("pq", 65535) else 0)


def test_halves_hold_eight_and_ten_bits():
    for name in ("srgb", "bt709", "pq", "hlg", "bt1886"):
        steps = np.arange(1024) / 1023
        light = TRANSFERS[name].decode(steps).astype(np.float16).astype(np.float64)
        away = np.abs(TRANSFERS[name].encode(light) - steps)[8:] * 1023  # next to black a display curve's steps vanish
        assert away.max() < 0.5


def test_tags_name_a_curve():
    names = {1: "bt709", 2: "bt709", 6: "bt709", 13: "srgb", 14: "bt709", 16: "pq", 18: "hlg", 8: "linear"}
    assert {code: transfer_of(code).name for code in names} == names
