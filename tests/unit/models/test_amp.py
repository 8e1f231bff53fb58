"""amp: which channels come from whom (dfl-spec 7.5), and the slider between two people."""

from unittest.mock import patch

import numpy as np
import pytest
import torch

from konterfei.errors import ConfigError
from konterfei.geometry import FaceType
from konterfei.models import MODELS
from konterfei.models.amp import AMP
from konterfei.models.swapper import Swapper
from konterfei.nets.dims import Dims
from original_layout import amp_shapes, parameter_shapes

DIMS = Dims(resolution=64, ae=6, encoder=4, decoder=4, mask=2, inter=10, morph=0.34)


@pytest.fixture
def model():
    torch.manual_seed(2)
    return AMP(DIMS)


def test_layers_are_those_of_the_weight_files(model):
    expected = {
        f"{part}.{name}": shape
        for part, shapes in amp_shapes(DIMS, 10).items()
        for name, shape in parameter_shapes(shapes)
    }
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == expected


def test_parameter_counts_are_the_original_ones():
    """dfl-spec 7.5: 224/256/1024/64/64/22."""
    with torch.device("meta"):
        model = AMP(Dims(resolution=224, ae=256, encoder=64, decoder=64, mask=22))
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    assert counts == {
        "encoder": 22_076_928,
        "inter_src": 12_895_232,
        "inter_dst": 12_895_232,
        "decoder": 53_477_803,
    }


def codes_of(model, images):
    """What the decoder is given for `images` while training. [2B, I, S, S]"""
    with patch.object(model.decoder, "forward", side_effect=lambda code: (code, code[:, :1])), torch.no_grad():
        return model.reconstruct(images).image


def test_training_mixes_exactly_its_share_of_channels(model):
    images = torch.rand(16, 3, 64, 64)
    with torch.no_grad():
        features = model.encoder(images)
        src, dst = model.inter_src(features), model.inter_dst(features)
    codes = codes_of(model, images)
    torch.testing.assert_close(codes[8:], dst[8:])
    is_src = (codes[:8] - src[:8]).flatten(2).abs().amax(2) < 1e-6
    is_dst = (codes[:8] - dst[:8]).flatten(2).abs().amax(2) < 1e-6
    assert torch.equal(is_src, ~is_dst)  # each channel wholly of one of them
    assert is_src.sum(1).tolist() == [3] * 8  # int(10 * 0.34)
    assert len({tuple(row.tolist()) for row in is_src}) > 1  # drawn for each sample
    again = codes_of(model, images)
    assert not torch.equal(again[:8], codes[:8])  # and for each step
    torch.manual_seed(5)
    one = codes_of(model, images)
    torch.manual_seed(5)
    assert torch.equal(codes_of(model, images), one)


def test_every_channel_is_src_s_sometimes(model):
    torch.manual_seed(0)
    counts = torch.stack([model._random_channels(torch.empty(1, 1))[0, :, 0, 0] for _ in range(400)]).float().mean(0)
    assert counts.min() > 0.2 and counts.max() < 0.4  # 0.3, five times the spread of a mean of 400


@torch.no_grad()
def test_the_slider_goes_channel_by_channel(model):
    model.eval()
    images = torch.rand(2, 3, 64, 64)
    features = model.encoder(images)
    src, dst = model.inter_src(features), model.inter_dst(features)
    for morph, count in ((0.0, 0), (0.09, 0), (0.1, 1), (0.59, 5), (1.0, 10)):
        image, mask = model.decoder(torch.cat([src[:, :count], dst[:, count:]], dim=1))
        drawn, own = model.swap(images, morph)
        torch.testing.assert_close(drawn.image, image, rtol=0, atol=1e-6)
        torch.testing.assert_close(drawn.mask, mask, rtol=0, atol=1e-6)
        torch.testing.assert_close(own, model.decoder.mask(dst), rtol=0, atol=1e-6)
        torch.testing.assert_close(model.swap(images, torch.tensor([morph]))[0].image, drawn.image, rtol=0, atol=0)


def test_a_swapper_keeps_its_place_of_the_slider(model):
    faces = np.random.RandomState(0).randint(0, 256, (2, 64, 64, 3), np.uint8)

    def drawn(morph):
        return Swapper(model, FaceType.FULL, {}, "cpu", "fp32", morph=morph).swap(faces)[0]

    with torch.no_grad():
        images = torch.from_numpy(faces).permute(0, 3, 1, 2).float() / 255
        own = model.reconstruct(torch.cat([images, images])).image[2:].permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(drawn(0.0), own, rtol=0, atol=1e-5)
    steps = [np.abs(drawn(morph) - own).mean() for morph in (0.0, 0.3, 0.6, 1.0)]
    assert steps[0] < 1e-6 < steps[1]
    assert not np.array_equal(drawn(0.6), drawn(1.0))
    for nonsense in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="between 0"):
            drawn(nonsense)


@pytest.mark.parametrize("kind", ["df", "liae"])
def test_models_without_a_slider_say_so(kind):
    dims = Dims(resolution=64, ae=6, encoder=4, decoder=4, mask=2)
    Swapper(MODELS.load(kind)(dims), FaceType.FULL, {}, "cpu", "fp32", morph=1.0)
    with pytest.raises(ConfigError, match=rf"--morph 0\.5.*kind {kind}.*kind amp"):
        Swapper(MODELS.load(kind)(dims), FaceType.FULL, {}, "cpu", "fp32", morph=0.5)
