"""Do the numeric shortcuts cost anything? The loss over 500 steps with each of them taken out.

What makes our step faster than the plain recipe also rounds or orders sums otherwise. Here the same small training (a
real pair of facesets, df-ud 64 px, batch 4) is run as shipped, without each shortcut in turn, and as `plain_recipe.py`
(without any). A training amplifies the smallest difference, so each is repeated with the first weights changed by 1e-5
of themselves: what these repeats differ by is the noise. Two other seeds (samples and first weights) of the plain
recipe show how much chance there is in a run at all.

    python benchmarks/shortcuts.py --src src_faces --dst dst_faces --out out

Prints a table, draws shortcuts.png. The last line is: largest difference X.X standard errors. Killed, it goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import plain_recipe
import torch
from torch import Tensor
from torch.nn import functional as F

from konterfei.geometry import FaceType
from konterfei.io.faceset import Faceset
from konterfei.models.base import Images
from konterfei.models.devices import choose_precision, keep_memory
from konterfei.models.df import DF
from konterfei.nets.convolution import PatchProduct
from konterfei.nets.dims import Dims
from konterfei.reporting import Silent
from konterfei.training.augment import AugmentSettings
from konterfei.training.data import Sampler, load_faces, memory_for_faces
from konterfei.training.lesson import Lesson, to_batch
from konterfei.training.loop import train_step
from konterfei.training.objectives import Objectives
from konterfei.training.presets import GENTLE

DIMS = Dims(resolution=64, ae=64, encoder=32, decoder=16, mask=8, unit=True, double=True)
BATCH, STEPS, LAST, SEED = 4, 500, 100, 1
AUGMENT = {"adabelief": AugmentSettings(), "adam": GENTLE}
RATES = {"adabelief": (5e-5, 1), "adam": (1e-3, 200)}
"""Rate, and steps in which it rises. These and the placement of samples: SAEHD's, and those of preset quick."""
NUDGE = 1e-5
NOISE = 4
"""Least repeats of what the others are compared with, and of the plain recipe."""
SPAN = 25
"""Steps over which curves are smoothed."""
CPU = torch.device("cpu")


# --- each shortcut, taken out


def separate_passes(self: DF, images: Tensor) -> Images:
    """df: src and dst through the encoder one after the other."""
    src, dst = (self.inter(self.encoder(x.contiguous(memory_format=torch.channels_last))) for x in images.chunk(2))
    both = [decoder(code) for decoder, code in ((self.decoder_src, src), (self.decoder_dst, dst))]
    return Images(*(torch.cat(pair) for pair in zip(*both, strict=True)), torch.cat([src, dst]))


def separate_heads(self, code: Tensor) -> Tensor:
    """Decoder: four convolutions."""
    x = code
    for i in range(self.stages):
        x = self.get_submodule(f"res{i}")(self.get_submodule(f"upscale{i}")(x))
    heads = (self.out_conv, self.out_conv1, self.out_conv2, self.out_conv3)
    return torch.sigmoid(plain_recipe.depth_to_space(torch.cat([head(x) for head in heads], 1)).float())


def blur_by_convolution(x: Tensor, sigma: float) -> Tensor:
    size = max(3, int(4 * sigma))
    size += 1 - size % 2
    return F.conv2d(x, plain_recipe._window(size, sigma, size // 2, x.shape[1]), padding=size // 2, groups=x.shape[1])


def adabelief_by_parts(self, weights: Tensor, gradients: Tensor, state: list[Tensor], rate: float, count: int) -> None:
    mean, belief = state
    mean.mul_(0.9).add_(gradients, alpha=0.1)
    belief.mul_(0.999).add_((gradients - mean).square(), alpha=0.001)
    weights.sub_(rate * mean / (belief.sqrt() + 1e-6))


def adam_by_parts(self, rate: float, count: int, ema_keep: float) -> None:
    flat, mean, square = self._flat, self.state["mean"], self.state["square"]
    with torch.no_grad():
        mean.mul_(0.9).add_(flat.gradients, alpha=0.1)
        square.mul_(0.99).add_(flat.gradients.square(), alpha=0.01)
        flat.weights.sub_(rate * (mean / (1 - 0.9**count)) / ((square / (1 - 0.99**count)).sqrt() + 1e-8))
        flat.ema.lerp_(flat.weights, 1 - ema_keep)
        flat.gradients.zero_()


def place_after_warp(image, placement, warp):
    """Shrink, bend, place: an interpolation each."""
    side = warp.shape[0]
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    bent = cv2.remap(small, *cv2.split(warp), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    moved = cv2.warpAffine(bent, placement.matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)
    return moved[:, ::-1] if placement.is_flipped else moved


def channels_first(self, flat: Tensor) -> list[Tensor]:
    return [piece.view(p.shape) for piece, p in zip(flat.split(self._sizes), self._named.values(), strict=True)]


def inter_channels_first(self, x: Tensor) -> Tensor:
    return self.upscale1(self.dense2(self.dense1(x)).view(-1, self.out_channels, self.side, self.side))


def batch_channels_first(raw, device):
    batch = to_batch(raw, device)
    return type(batch)(batch.warped.contiguous(), batch.target.contiguous(), batch.mask.contiguous())


NETS, TRAINING = "konterfei.nets", "konterfei.training"
WITHOUT: dict[str, dict[str, object]] = {
    "bfloat16 (and with it products)": {},
    "products on small maps": {f"{NETS}.convolution.PAYS": ()},
    "windows as banded matrices": {
        f"{NETS}.losses.dssim": plain_recipe.dssim,
        f"{NETS}.losses.gaussian_blur": blur_by_convolution,
    },
    "AdaBelief by a fused kernel": {f"{TRAINING}.optimizers.AdaBelief._update": adabelief_by_parts},
    "src and dst in one pass": {"konterfei.models.df.DF.reconstruct": separate_passes},
    "four heads as one": {f"{NETS}.autoencoders.Decoder.image": separate_heads},
    "channels last": {
        f"{TRAINING}.optimizers.FlatParameters._views": channels_first,
        f"{TRAINING}.lesson.to_batch": batch_channels_first,
        f"{NETS}.autoencoders.Inter.forward": inter_channels_first,
        f"{NETS}.autoencoders.depth_to_space": plain_recipe.depth_to_space,
        f"{NETS}.blocks.depth_to_space": plain_recipe.depth_to_space,
    },
    "placing and bending as one map": {f"{TRAINING}.samples.place_warped": place_after_warp},
    "Adam by a fused kernel": {f"{TRAINING}.optimizers.Adam.step": adam_by_parts},
}
"""What is taken out -> what is put in its place."""
_ADAM = "Adam by a fused kernel"
SHIPPED, SHIPPED_ADAM, PLAIN = "as shipped", "as shipped, Adam", "none: plain recipe"
NOISY = (SHIPPED, PLAIN, SHIPPED_ADAM)
VARIANTS = (SHIPPED, *(name for name in WITHOUT if name != _ADAM), PLAIN, SHIPPED_ADAM, _ADAM)


@contextmanager
def taken_out(variant: str) -> Iterator[None]:
    with ExitStack() as stack:
        for target, value in WITHOUT.get(variant, {}).items():
            stack.enter_context(patch(target, value))
        yield


def base_of(variant: str) -> str:
    """What a variant is compared with."""
    return SHIPPED_ADAM if variant in (SHIPPED_ADAM, _ADAM) else SHIPPED


def optimizer_of(variant: str) -> str:
    return "adam" if base_of(variant) == SHIPPED_ADAM else "adabelief"


# --- runs


def first_weights(seed: int, repeat: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    state = DF(DIMS).state_dict()
    chance = torch.Generator().manual_seed(1000 + repeat)
    return {name: w * (1 + NUDGE * torch.randn(w.shape, generator=chance)) for name, w in state.items()}


def rate_at(optimizer: str, step: int) -> float:
    rate, rise = RATES[optimizer]
    return rate * min(1.0, (step + 1) / rise)


def our_step(variant: str, weights: dict[str, Tensor]) -> Callable:
    optimizer = optimizer_of(variant)
    precision = "fp32" if variant.startswith("bfloat16") else choose_precision("auto", CPU)
    model = DF(DIMS)
    model.load_state_dict(weights)
    if variant != "channels last":
        model = model.to(memory_format=torch.channels_last)
    lesson = Lesson(model, Objectives(), optimizer, SEED, CPU, precision)
    return lambda raw, step: float(train_step(lesson, raw, rate_at(optimizer, step), step).sum())


def plain_step(weights: dict[str, Tensor]) -> Callable:
    shape = plain_recipe.Shape(**{name: getattr(DIMS, name) for name in plain_recipe.Shape.__annotations__})
    trainer = plain_recipe.PlainTrainer("df", shape)
    trainer.model.load_state_dict(weights)

    def step(raw, step: int) -> float:
        warped, target = (
            torch.from_numpy(a).permute(0, 3, 1, 2).contiguous().float() / 255 for a in (raw.warped, raw.target)
        )
        mask = torch.from_numpy(raw.mask).unsqueeze(1).float() / 255
        return trainer.step(warped, target, mask, rate_at("adabelief", step)) / BATCH

    return step


def losses_of(variant: str, seed: int, repeat: int, faces: list) -> list[float]:
    """The loss per sample of each step."""
    sampler = Sampler(
        src=faces[0], dst=faces[1], resolution=DIMS.resolution, batch=BATCH, seed=seed,
        augment=AUGMENT[optimizer_of(variant)],
    )  # fmt: skip
    products = []
    real = PatchProduct.apply
    with taken_out(variant), patch.object(PatchProduct, "apply", lambda *a: products.append(1) or real(*a)):
        weights = first_weights(seed, repeat)
        step = plain_step(weights) if variant == PLAIN else our_step(variant, weights)
        losses = [step(sampler.batch_at(number), number) for number in range(STEPS)]
    wanted = variant not in (PLAIN, "products on small maps", "bfloat16 (and with it products)")
    if choose_precision("auto", CPU) == "bf16" and bool(products) != wanted:
        raise SystemExit(f"{variant}: {len(products)} products, which is not what was to be measured")
    return losses


def measure(args: argparse.Namespace, log: Path) -> None:
    keep_memory()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    faces = [
        load_faces(Faceset.open(folder), FaceType.FULL, DIMS.resolution, memory_for_faces(), Silent(), "")
        for folder in (args.src, args.dst)
    ]
    wanted = [(variant, SEED, repeat) for repeat in range(args.repeats) for variant in VARIANTS]
    noise = [(variant, SEED, repeat) for repeat in range(args.repeats, NOISE) for variant in NOISY]
    for key in [*wanted, *noise, (PLAIN, 2, 0), (PLAIN, 3, 0)]:
        if key in {(r["variant"], r["seed"], r["repeat"]) for r in read(log)}:
            continue
        started = time.process_time()
        losses = losses_of(*key, faces)
        seconds = time.process_time() - started
        line = dict(zip(("variant", "seed", "repeat"), key, strict=True)) | {"seconds": seconds, "losses": losses}
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(*key, f"{np.mean(losses[-LAST:]):.4f} in {seconds:.0f} s", flush=True)


def read(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


# --- what came of it


def smooth(losses: np.ndarray) -> np.ndarray:
    """Mean over SPAN steps. [..., N] -> [..., N - SPAN + 1]"""
    return np.lib.stride_tricks.sliding_window_view(losses, SPAN, axis=-1).mean(axis=-1)


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference of two smoothed curves after the first 50 steps, % of b."""
    return float(100 * np.abs(smooth(a)[50:] / smooth(b)[50:] - 1).max())


def tell(runs: list[dict]) -> None:
    curves: dict[str, np.ndarray] = {
        v: np.array([r["losses"] for r in runs if r["variant"] == v and r["seed"] == SEED]) for v in VARIANTS
    }
    ends = {v: c[:, -LAST:].mean(axis=1) for v, c in curves.items()}
    # One spread for all: they are repeats of like trainings, and each has few.
    spread = {}
    for base in (SHIPPED, SHIPPED_ADAM):
        like = [e for v, e in ends.items() if base_of(v) == base]
        squares = sum(float(((e - e.mean()) ** 2).sum()) for e in like)
        spread[base] = (squares / sum(len(e) - 1 for e in like)) ** 0.5
    chance = {
        base: np.mean([apart(a, b) for i, a in enumerate(curves[base]) for b in curves[base][:i]]) for base in spread
    }
    print(f"{sum(r['seconds'] for r in runs) / 60:.1f} processor minutes in all, {len(runs)} runs")
    print(f"mean loss of the last {LAST} of {STEPS} steps; spread of one run " + ", ".join(
        f"{s:.4f} ({b})" for b, s in spread.items()))  # fmt: skip
    print(
        "| without | runs | loss | difference | in standard errors | curve apart, % | by chance, % |\n"
        "|---|---|---|---|---|---|---|"
    )
    largest = 0.0
    for v in VARIANTS:
        base = base_of(v)
        n = len(ends[v])
        line = f"| {v} | {n} | {ends[v].mean():.4f} |"
        if v != base:
            difference = ends[v].mean() - ends[base].mean()
            errors = difference / (spread[base] * (1 / n + 1 / len(ends[base])) ** 0.5)
            largest = max(largest, abs(errors))
            by_chance = chance[base] * ((1 / n + 1 / len(ends[base])) / 2) ** 0.5
            away = apart(curves[v].mean(axis=0), curves[base].mean(axis=0))
            line += f" {difference:+.4f} | {errors:+.1f} | {away:.1f} | {by_chance:.1f} |"
        else:
            line += " | | | |"
        print(line)
    seeds = [np.array(r["losses"]) for r in runs if r["variant"] == PLAIN and r["repeat"] == 0]
    told = ", ".join(f"{s[-LAST:].mean():.4f}" for s in seeds)
    pairs = [apart(a, b) for i, a in enumerate(seeds) for b in seeds[:i]]
    print(f"plain recipe, {len(seeds)} seeds: {told}; curves {min(pairs):.1f} to {max(pairs):.1f} % apart")
    print(f"largest difference {largest:.1f} standard errors")


def plot(runs: list[dict], target: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.0, 5.5), dpi=100, facecolor="white", layout="constrained")
    losses, differences = figure.subplots(1, 2)
    curves = {
        v: smooth(np.array([r["losses"] for r in runs if r["variant"] == v and r["seed"] == SEED])) for v in VARIANTS
    }
    steps = np.arange(SPAN, STEPS + 1)
    for run in runs:
        if run["seed"] != SEED:
            losses.plot(steps, smooth(np.array(run["losses"])), color="#999999", linestyle="--", linewidth=1.0,
                        label=f"plain recipe, seed {run['seed']}")  # fmt: skip
    for number, (v, repeats) in enumerate(curves.items()):
        base = curves[base_of(v)].mean(0)
        color = "black" if v.startswith("as shipped") else f"C{number % 10}"
        style = ":" if base_of(v) == SHIPPED_ADAM else "-"
        label = v if v.startswith(("as shipped", "none")) else f"without {v}"
        losses.plot(steps, repeats.mean(0), color=color, linestyle=style, linewidth=1.2, label=label)
        if not v.startswith("as shipped"):
            change = 100 * (repeats.mean(0) / base - 1)
            differences.plot(steps, change, color=color, linestyle=style, linewidth=1.2)
    shipped = curves[SHIPPED]
    fewest = min(len(repeats) for repeats in curves.values())
    error = shipped.std(axis=0, ddof=1) * (1 / len(shipped) + 1 / fewest) ** 0.5
    band = 100 * 2 * error / shipped.mean(0)
    differences.fill_between(steps, -band, band, color="#bbbbbb", alpha=0.5, label="two standard errors")
    losses.set_ylim(0, 1.05 * float(curves[SHIPPED][:, 40:].max()))
    losses.set_ylabel(f"loss per sample, mean over {SPAN} steps")
    differences.set_ylabel("difference to as shipped, %")
    for axes in (losses, differences):
        axes.set_xlabel("steps")
        axes.grid(alpha=0.25)
        axes.legend(fontsize=7, framealpha=0.8)
    FigureCanvasAgg(figure).print_png(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, required=True)
    parser.add_argument("--dst", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=2, help="of each; more is more certain")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    log = args.out / "shortcuts.jsonl"
    measure(args, log)
    runs = read(log)
    tell(runs)
    plot(runs, args.out / "shortcuts.png")


if __name__ == "__main__":
    main()
