"""The training step as one writes it down first: what `train_step.py` measures ours against.

float32, NCHW, PyTorch's own operators one by one, src and dst through every network in passes of their own, SSIM and
blur as depth-wise convolutions, AdaBelief tensor by tensor, no smoothed weights. Layers, names, losses and update rule
are those of konterfei (dfl-spec 7.1, 7.2, 7.7 to 7.9), so that both can be given the same weights and must give the
same losses. Nothing of konterfei is imported here: what is made faster there must not make this faster.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes and options of the networks: the fields of `konterfei.nets.dims.Dims`."""

    resolution: int
    ae: int
    encoder: int
    decoder: int
    mask: int
    unit: bool
    double: bool
    deep: bool


def depth_to_space(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)


class Down(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.conv1 = nn.Conv2d(i, o, 5, stride=2, padding=2)

    def forward(self, x):
        return F.leaky_relu(self.conv1(x), 0.1)


class Up(nn.Module):
    def __init__(self, i: int, o: int):
        super().__init__()
        self.conv1 = nn.Conv2d(i, 4 * o, 3, padding=1)

    def forward(self, x):
        return depth_to_space(F.leaky_relu(self.conv1(x), 0.1))


class Res(nn.Module):
    def __init__(self, c: int):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(c, c, 3, padding=1), nn.Conv2d(c, c, 3, padding=1)

    def forward(self, x):
        return F.leaky_relu(x + self.conv2(F.leaky_relu(self.conv1(x), 0.2)), 0.2)


class Encoder(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.s, e = s, s.encoder
        if s.deep:
            self.down1, self.res1, self.down2 = Down(3, e), Res(e), Down(e, 2 * e)
            self.down3, self.down4, self.down5 = Down(2 * e, 4 * e), Down(4 * e, 8 * e), Down(8 * e, 8 * e)
            self.res5 = Res(8 * e)
        else:
            self.downs = nn.ModuleList([Down(3, e), Down(e, 2 * e), Down(2 * e, 4 * e), Down(4 * e, 8 * e)])

    def forward(self, x):
        if self.s.deep:
            x = self.res5(self.down5(self.down4(self.down3(self.down2(self.res1(self.down1(x)))))))
        else:
            for down in self.downs:
                x = down(x)
        x = x.flatten(1)
        return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-6) if self.s.unit else x


class Inter(nn.Module):
    def __init__(self, s: Shape, out: int):
        super().__init__()
        features = 8 * s.encoder * (s.resolution // (32 if s.deep else 16)) ** 2
        self.out, self.side = out, s.resolution // (32 if s.double else 16)
        self.dense1, self.dense2 = nn.Linear(features, s.ae), nn.Linear(s.ae, self.side**2 * out)
        self.upscale1 = nn.Identity() if s.deep else Up(out, out)

    def forward(self, x):
        return self.upscale1(self.dense2(self.dense1(x)).view(-1, self.out, self.side, self.side))


class Decoder(nn.Module):
    def __init__(self, s: Shape, i: int):
        super().__init__()
        d, m, self.s = s.decoder, s.mask, s
        widths = (8, 8, 4, 2) if s.deep else (8, 4, 2)
        self.stages = len(widths)
        before = i
        for k, width in enumerate(widths):
            self.add_module(f"upscale{k}", Up(before, width * d))
            self.add_module(f"res{k}", Res(width * d))
            before = width * d
        before = i
        masks = (*widths, 1) if s.double else widths
        self.mask_stages = len(masks)
        for k, width in enumerate(masks):
            self.add_module(f"upscalem{k}", Up(before, width * m))
            before = width * m
        self.out_conv = nn.Conv2d(2 * d, 3, 1)
        if s.double:
            self.out_conv1 = nn.Conv2d(2 * d, 3, 3, padding=1)
            self.out_conv2 = nn.Conv2d(2 * d, 3, 3, padding=1)
            self.out_conv3 = nn.Conv2d(2 * d, 3, 3, padding=1)
        self.out_convm = nn.Conv2d(before, 1, 1)

    def forward(self, code):
        x = m = code
        for k in range(self.stages):
            x = self.get_submodule(f"res{k}")(self.get_submodule(f"upscale{k}")(x))
        for k in range(self.mask_stages):
            m = self.get_submodule(f"upscalem{k}")(m)
        if self.s.double:
            heads = (self.out_conv, self.out_conv1, self.out_conv2, self.out_conv3)
            x = depth_to_space(torch.cat([head(x) for head in heads], dim=1))
        else:
            x = self.out_conv(x)
        return torch.sigmoid(x), torch.sigmoid(self.out_convm(m))


class Plain(nn.Module):
    """df or liae."""

    def __init__(self, kind: str, s: Shape):
        super().__init__()
        self.kind = kind
        self.encoder = Encoder(s)
        if kind == "df":
            self.inter, self.decoder_src, self.decoder_dst = Inter(s, s.ae), Decoder(s, s.ae), Decoder(s, s.ae)
        else:
            self.inter_AB, self.inter_B = Inter(s, 2 * s.ae), Inter(s, 2 * s.ae)
            self.decoder = Decoder(s, 4 * s.ae)

    def forward(self, src, dst):
        if self.kind == "df":
            return self.decoder_src(self.inter(self.encoder(src))), self.decoder_dst(self.inter(self.encoder(dst)))
        src, dst = self.encoder(src), self.encoder(dst)
        shared, own = self.inter_AB(src), self.inter_B(dst)
        src_code, dst_code = torch.cat([shared, shared], 1), torch.cat([own, self.inter_AB(dst)], 1)
        return self.decoder(src_code), self.decoder(dst_code)


def _window(size: int, sigma: float, centre: float, channels: int) -> Tensor:
    x = torch.arange(size, dtype=torch.float64) - centre
    line = torch.exp(-(x**2) / (2 * sigma**2))
    line = line / line.sum()
    return (line[:, None] * line[None]).float().expand(channels, 1, size, size).contiguous()


def dssim(a: Tensor, b: Tensor, window: int) -> Tensor:
    channels = a.shape[1]
    kernel = _window(window, 1.5, (window - 1) / 2, channels)

    def mean(x):
        return F.conv2d(x, kernel, groups=channels)

    mu_a, mu_b, c1, c2 = mean(a), mean(b), 0.01**2, 0.03**2
    product, squares = mu_a * mu_b, mu_a**2 + mu_b**2
    luminance = (2 * product + c1) / (squares + c1)
    contrast = (2 * (mean(a * b) - product) + c2) / (mean(a * a + b * b) - squares + c2)
    return ((1 - (luminance * contrast).mean(dim=(2, 3))) / 2).mean(dim=1)


def soft_mask(mask: Tensor) -> Tensor:
    sigma = max(1, mask.shape[-1] // 32)
    size = max(3, 4 * sigma)
    size += 1 - size % 2
    blurred = F.conv2d(mask, _window(size, sigma, size // 2, 1), padding=size // 2)
    return 2 * blurred.clamp(0, 0.5)


def loss_of(drawn: tuple[Tensor, Tensor], target: Tensor, mask: Tensor) -> Tensor:
    """dfl-spec 7.8.2 below 256 px: DSSIM and squared error within the blurred mask, squared error of the mask."""
    soft = soft_mask(mask)
    p, t = drawn[0] * soft, target * soft
    loss = 10 * dssim(p, t, int(target.shape[-1] / 11.6)) + 10 * (p - t).square().mean(dim=(1, 2, 3))
    return (loss + 10 * (drawn[1] - mask).square().mean(dim=(1, 2, 3))).sum()


class AdaBelief:
    """dfl-spec 7.9, tensor by tensor."""

    def __init__(self, parameters: list[Tensor]):
        self.parameters = parameters
        self.moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for p, (m, v) in zip(self.parameters, self.moments, strict=True):
            g = p.grad
            m.mul_(0.9).add_(g, alpha=0.1)
            v.mul_(0.999).add_((g - m).square(), alpha=0.001)
            p.sub_(rate * m / (v.sqrt() + 1e-6))
            p.grad = None


class PlainTrainer:
    """One step on a fixed batch, src and dst each [B, 3, R, R] and [B, 1, R, R]."""

    def __init__(self, kind: str, shape: Shape):
        self.model = Plain(kind, shape)
        self.optimizer = AdaBelief(list(self.model.parameters()))

    def step(self, warped: Tensor, target: Tensor, mask: Tensor, rate: float) -> float:
        (src, dst), (src_t, dst_t), (src_m, dst_m) = warped.chunk(2), target.chunk(2), mask.chunk(2)
        drawn_src, drawn_dst = self.model(src.contiguous(), dst.contiguous())
        loss = loss_of(drawn_src, src_t, src_m) + loss_of(drawn_dst, dst_t, dst_m)
        loss.backward()
        self.optimizer.step(rate)
        return loss.item()
