"""Encoder, inter and decoder give the numbers of the original networks (dfl-spec A.11, A.12, 7.2.4)."""

from functools import partial

import numpy as np
import pytest
import torch

from konterfei.nets.autoencoders import Decoder, Dims, Encoder, Inter
from original_layout import decoder_shapes, encoder_shapes, fill, inter_shapes, wave_image

WHOLE_NETWORKS = """
df | 0.500932 | 0.011626 | 0.490909 0.494546 0.500749 | 0.495542 0.507828 0.516427 | 0.489115 0.492912 0.500045 | 0.511431 | 0.509761 | 0.018234
df-d | 0.496632 | 0.009885 | 0.493663 0.504986 0.513960 | 0.485354 0.490236 0.499712 | 0.490205 0.485348 0.487379 | 0.520449 | 0.509625 | 0.018516
df-t | 0.525282 | 0.044220 | 0.536714 0.579305 0.584738 | 0.484363 0.486966 0.495700 | 0.548426 0.595358 0.597821 | 0.517309 | 0.506429 | 0.020828
df-c | 0.498992 | 0.027403 | 0.472159 0.464860 0.474052 | 0.508828 0.532482 0.540838 | 0.475121 0.469014 0.477456 | 0.507408 | 0.502484 | 0.032349
df-ud | 0.496645 | 0.009935 | 0.493610 0.505157 0.514275 | 0.485315 0.490091 0.499530 | 0.490334 0.485363 0.487274 | 0.520459 | 0.509456 | 0.026297
df-udt | 0.500764 | 0.024668 | 0.482799 0.490113 0.502082 | 0.484417 0.486439 0.494839 | 0.493723 0.485865 0.484655 | 0.520499 | 0.509952 | 0.073962
liae | 0.501027 | 0.012191 | 0.489237 0.494822 0.502844 | 0.490389 0.497358 0.505570 | 0.487060 0.492920 0.502112 | 0.511534 | 0.509684 | 0.019862
liae-d | 0.496709 | 0.010223 | 0.499883 0.516715 0.525672 | 0.484908 0.487593 0.496115 | 0.492971 0.485977 0.485578 | 0.520724 | 0.509805 | 0.018736
liae-t | 0.525307 | 0.044214 | 0.539748 0.584649 0.589924 | 0.484113 0.486033 0.494523 | 0.550070 0.598517 0.601048 | 0.517311 | 0.506804 | 0.025675
liae-ud | 0.496736 | 0.010318 | 0.498805 0.514733 0.523720 | 0.485075 0.487847 0.496336 | 0.492896 0.486079 0.485807 | 0.520734 | 0.509608 | 0.019077
liae-udt | 0.500782 | 0.024795 | 0.482558 0.489586 0.501516 | 0.484333 0.485396 0.493327 | 0.494957 0.486234 0.483986 | 0.520524 | 0.509769 | 0.347477
liae-udtc | 0.494203 | 0.036292 | 0.401888 0.398789 0.442666 | 0.473406 0.476619 0.490828 | 0.489588 0.475982 0.473669 | 0.514074 | 0.499545 | 0.170249
"""  # noqa: E501
"""A.11: architecture, face mean and std, face at [10,20], [11,20], [10,21], mask mean, mask at [10,20], mean |code|"""

ROWS = [[cell.strip() for cell in line.split("|")] for line in WHOLE_NETWORKS.strip().splitlines()]


def small(architecture):
    letters = architecture.partition("-")[2]
    options = {"unit": "u", "double": "d", "deep": "t", "cosine": "c"}
    return Dims(
        resolution=64, ae=8, encoder=4, decoder=4, mask=2, **{name: key in letters for name, key in options.items()}
    )


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
@torch.no_grad()
def test_whole_networks_give_the_original_numbers(row):
    dims = small(row[0])
    is_liae = row[0].startswith("liae")
    out, into = (2 * dims.ae, 4 * dims.ae) if is_liae else (dims.ae, dims.ae)
    encoder, inter, decoder = Encoder(dims), Inter(dims, out), Decoder(dims, into)
    fill(encoder, encoder_shapes(dims))
    fill(inter, inter_shapes(dims, out))
    fill(decoder, decoder_shapes(dims, into))

    code = inter(encoder(wave_image(64)))
    face, mask = decoder(torch.cat([code, code], dim=1) if is_liae else code)

    assert face.shape == (1, 3, 64, 64)
    assert mask.shape == (1, 1, 64, 64)
    got = [face.mean(), face.std(unbiased=False), *face[0, :, 10, 20], *face[0, :, 11, 20], *face[0, :, 10, 21]]
    got += [mask.mean(), mask[0, 0, 10, 20], code.abs().mean()]
    wanted = [float(number) for cell in row[1:] for number in cell.split()]
    np.testing.assert_allclose([float(value) for value in got], wanted, rtol=0, atol=2e-6)


def count(module):
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("dims", "is_liae", "encoder", "inter", "decoder"),
    [
        pytest.param((128, 256, 64, 64, 22, "ud"), True, 4_306_560, 19_933_440, 38_203_115, id="liae-ud-128"),
        pytest.param((128, 256, 64, 64, 22, ""), False, 4_306_560, 14_959_872, 19_136_000, id="df-128"),
        pytest.param((192, 256, 64, 64, 22, "ud"), False, 4_306_560, 23_603_456, 19_181_291, id="df-ud-192"),
        pytest.param((128, 256, 64, 64, 22, "t"), False, 15_654_144, 6_308_096, 34_410_688, id="df-t-128"),
        pytest.param((224, 512, 64, 64, 32, "udt"), True, None, 38_585_856, 86_800_045, id="liae-udt-224"),
    ],
)
def test_parameter_counts_are_the_original_ones(dims, is_liae, encoder, inter, decoder):
    """dfl-spec 7.2.4."""
    resolution, ae, e, d, m, letters = dims
    dims = Dims(resolution=resolution, ae=ae, encoder=e, decoder=d, mask=m, double="d" in letters, deep="t" in letters)
    with torch.device("meta"):  # counted, not allocated
        assert encoder in (None, count(Encoder(dims)))
        assert count(Inter(dims, ae * (2 if is_liae else 1))) == inter
        assert count(Decoder(dims, ae * (4 if is_liae else 1))) == decoder


def test_a_whole_model_counts_as_the_original():
    from konterfei.models import MODELS

    with torch.device("meta"):
        build = partial(Dims, resolution=128, ae=256, encoder=64, decoder=64, mask=22)
        assert count(MODELS.load("liae")(build(unit=True, double=True))) == 82_376_555
        assert count(MODELS.load("df")(build())) == 57_538_432


@pytest.mark.parametrize("architecture", [row[0] for row in ROWS])
def test_the_flattened_length_is_what_the_encoder_gives(architecture):
    dims = small(architecture)
    with torch.no_grad():
        assert Encoder(dims)(wave_image(64)).shape == (1, dims.features)


@pytest.mark.parametrize(
    ("resolution", "letters"), [(63, ""), (72, ""), (80, "d"), (80, "t"), (0, ""), (16, "d"), (-64, "")]
)
def test_sizes_that_do_not_halve_are_refused(resolution, letters):
    with pytest.raises(ValueError, match="multiple of"):
        Dims(resolution=resolution, ae=8, encoder=4, decoder=4, mask=2, double="d" in letters, deep="t" in letters)


def test_no_width_may_be_zero():
    with pytest.raises(ValueError, match="at least 1"):
        Dims(resolution=64, ae=0, encoder=4, decoder=4, mask=2)


@torch.no_grad()
def test_memory_order_does_not_change_the_numbers():
    """The networks run channels-last; features are flattened in C, H, W order all the same (A.12)."""
    dims = small("df-ud")
    encoder = Encoder(dims)
    fill(encoder, encoder_shapes(dims))
    plain = encoder(wave_image(64))
    last = encoder.to(memory_format=torch.channels_last)(wave_image(64).to(memory_format=torch.channels_last))
    torch.testing.assert_close(last, plain, rtol=1e-5, atol=1e-6)  # kernels of other processors sum otherwise
    nhwc = torch.arange(8).view(1, 2, 2, 2)
    assert nhwc.permute(0, 3, 1, 2).contiguous().flatten(1).tolist() == [[0, 2, 4, 6, 1, 3, 5, 7]]
