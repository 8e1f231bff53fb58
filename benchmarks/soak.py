"""Soak: extract, train and merge are killed at random moments and started again, for as long as asked.

Each stage first runs once undisturbed; then, in rounds, a fresh one is killed (SIGKILL) after a random time, started
again, killed again, until it gets through. What comes out must equal the undisturbed result: the faceset by the hash of
its records, the run by the bits of its newest snapshot, the video by the pixels of its frames and its sound packets.
Prints a line per round and a summary; exits 1 when anything differs.

    python benchmarks/soak.py --src a.mp4 --dst b.mp4 --minutes 30 --work folder
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from pathlib import Path

import av

from konterfei.io.faceset import Faceset
from konterfei.io.run import Run
from konterfei.provenance.consent import Consent

STEPS = 60


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "konterfei", *map(str, words)]


def run_once(words: list[str]) -> float:
    began = time.monotonic()
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")
    return time.monotonic() - began


def run_with_kills(words: list[str], lasts_s: float, rng: random.Random) -> int:
    """Start `words` until it ends by itself, killing it after random times; gives back the number of kills."""
    kills = 0
    while True:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        # the more often it was killed, the longer it is left alone, so that every round ends
        try:
            said, _ = process.communicate(timeout=rng.uniform(0.3, 0.5 + lasts_s * (0.6 + 0.3 * kills)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
            continue
        if process.returncode:
            raise SystemExit(f"after {kills} kills, {' '.join(words)} failed:\n{said}")
        return kills


def faces_of(folder: Path) -> str:
    return Faceset.open(folder).content_hash()


def weights_of(folder: Path) -> str:
    snapshot = Run.open(folder).newest_snapshot()
    digest = hashlib.sha256()
    for name, array in sorted(snapshot.tensors.items()):
        digest.update(name.encode() + array.tobytes())
    return f"{snapshot.info['steps']} {digest.hexdigest()}"


def pixels_of(path: Path) -> str:
    digest = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            digest.update(f"{frame.pts}".encode() + frame.to_ndarray().tobytes())
    with av.open(str(path)) as container:
        for stream in container.streams.audio:
            for packet in container.demux(stream):
                digest.update(bytes(packet))
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, required=True)
    parser.add_argument("--dst", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    whole, torn = args.work / "whole", args.work / "torn"
    shutil.rmtree(args.work, ignore_errors=True)
    whole.mkdir(parents=True)
    consent = args.work / "consent.toml"
    Consent(person="soak", basis="synthetic", scope=("any",), created=date.today()).save(consent)

    def stages(folder: Path) -> list[tuple[str, list[str], Callable[[], str]]]:
        src, dst, run, out = whole / "src", whole / "dst", whole / "run", folder / "out.mp4"
        faces = folder / "dst"
        return [
            ("extract", command("extract", args.dst, "-o", faces), lambda: faces_of(faces)),
            (
                "train",
                command(
                    "train",
                    "--src",
                    src,
                    "--dst",
                    dst,
                    "-o",
                    folder / "run",
                    "--preset",
                    "tiny",
                    "--steps",
                    STEPS,
                    "--checkpoint-seconds",
                    1,
                    "--threads",
                    1,
                ),
                lambda: weights_of(folder / "run"),
            ),
            (
                "merge",
                command("merge", args.dst, "--faces", dst, "--model", run, "--consent", consent, "-o", out),
                lambda: pixels_of(out),
            ),
        ]

    run_once(command("extract", args.src, "-o", whole / "src"))
    lasts, wanted = {}, {}
    for name, words, result in stages(whole):
        lasts[name], wanted[name] = run_once(words), result()
        print(f"undisturbed {name}: {lasts[name]:.1f} s, {wanted[name][:16]}", flush=True)

    end = time.monotonic() + 60 * args.minutes
    kills, rounds, different = Counter(), Counter(), Counter()
    while time.monotonic() < end:
        for name, words, result in stages(torn):
            shutil.rmtree(torn, ignore_errors=True)
            torn.mkdir()
            count = run_with_kills(words, lasts[name], rng)
            same = result() == wanted[name]
            kills[name] += count
            rounds[name] += 1
            different[name] += not same
            print(f"{name}: killed {count} times, {'equal' if same else 'DIFFERENT'}", flush=True)
            if name == "merge":
                run_once(command("verify", torn / "out.mp4"))
    for name in lasts:
        print(f"{name}: {rounds[name]} rounds, {kills[name]} kills, {different[name]} different")
    return 1 if sum(different.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
