"""XSeg gives the numbers of the original network (dfl-spec 6.4, A.11, A.12)."""

import numpy as np
import pytest
import torch

from konterfei.nets.xseg import ThresholdedLinear, UpBlock, XSeg, blur_pool
from original_layout import synthetic, wave_image, xseg_shapes


def test_the_whole_network_gives_the_original_numbers():
    """A.11: base width 4, 256 px, logits."""
    model = XSeg(base=4)
    state = {}
    for key, shape in xseg_shapes(4).items():
        array = synthetic(key, shape)
        order = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[array.ndim]
        state[key.removesuffix(":0").replace("/", ".")] = torch.from_numpy(np.ascontiguousarray(array.transpose(order)))
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        logits = model(wave_image(256))
    assert logits.shape == (1, 1, 256, 256)
    # A.11 gives single pixels too. They say nothing: with these weights, an input changed by a millionth (which is less
    # than TensorFlow's and our sums differ by) moves them by 0.3. Mean and spread move by 4e-6 and 1e-3; transposed
    # convolutions that are cropped or flipped the other way, or the other order of concatenation, by 4e-5 and more.
    assert logits.mean().item() == pytest.approx(-0.0543802, abs=1.5e-5)
    assert logits.std(unbiased=False).item() == pytest.approx(0.88846, abs=2e-3)


def test_it_counts_as_the_original():
    """6.4: 17 569 317 values in 222 arrays."""
    with torch.device("meta"):
        state = XSeg().state_dict()
    assert len(state) == 222 == len(xseg_shapes(32))
    assert sum(value.numel() for value in state.values()) == 17_569_317
    assert {name.replace(".", "/") + ":0" for name in state} == set(xseg_shapes(32))


@pytest.mark.parametrize(
    ("size", "wanted"),
    [
        (4, [[2.734375, 3.9375], [7.546875, 8.75]]),
        (3, [[0.9375, 2.5], [6.25, 10]]),
        (2, [[2.5, 4.5], [10.5, 12.5]]),
    ],
)
def test_halving_gives_the_original_numbers(size, wanted):
    """A.12."""
    x = torch.arange(16.0).view(1, 1, 4, 4).repeat(1, 2, 1, 1)
    assert blur_pool(x, size)[0].tolist() == [wanted, wanted]


def test_doubling_leaves_out_the_last_row_and_column():
    """A.12: each input pixel is spread over 3 x 3 outputs, at twice its place; what falls outside 2n is cut off."""
    torch.manual_seed(0)
    block = UpBlock(2, 3)
    x = torch.rand(1, 2, 4, 4)
    full = np.zeros((3, 9, 9))
    kernel, bias = block.conv.weight.detach().numpy(), block.conv.bias.detach().numpy()
    for y in range(4):
        for k in range(4):
            full[:, 2 * y : 2 * y + 3, 2 * k : 2 * k + 3] += np.einsum("i,iohw->ohw", x[0, :, y, k].numpy(), kernel)
    with torch.no_grad():
        got = block.conv(x)[:, :, :-1, :-1]
    np.testing.assert_allclose(got[0], full[:, :8, :8] + bias[:, None, None], atol=1e-6)
    assert block(x).shape == (1, 3, 8, 8)


def test_thresholds_are_per_channel():
    unit = ThresholdedLinear(2)
    with torch.no_grad():
        unit.tau.copy_(torch.tensor([-1.0, 2.0]))
    assert unit(torch.zeros(1, 2, 1, 1)).flatten().tolist() == [0.0, 2.0]


def test_it_can_be_trained():
    torch.manual_seed(0)
    model = XSeg(base=4)
    target = torch.zeros(1, 1, 256, 256)
    target[..., 64:192, 64:192] = 1
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(torch.rand(1, 3, 256, 256)), target)
    loss.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []
    assert model.conv01.conv.weight.grad.abs().max() > 0
