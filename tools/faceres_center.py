"""Makes tools/faceres_center.txt: the mean direction of what HSE-FaceRes says of many people who do not exist.

    python tools/faceres_center.py faceres.json PORTRAITS

All its numbers are positive, so that even strangers have a cosine of 0.4. Seen from the mean over many faces they have
one of about 0, as with other recognizers, and the same limits serve. Every second portrait of the folder counts, by
name; the others are left for measurements (benchmarks/recognizers.py).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tfjs_to_onnx import converted

from konterfei.detectors.yunet import YuNet
from konterfei.io.images import read_image
from konterfei.landmarkers.mesh478 import Mesh478
from konterfei.recognizers.aligned import aligned
from konterfei.recognizers.faceres import MARGIN, MEAN_BGR, SIZE

TARGET = Path(__file__).resolve().parent / "faceres_center.txt"


def main(network: Path, portraits: Path) -> None:
    """Writes the file, four decimals a number."""
    session = onnxruntime.InferenceSession(converted(network, "global_pooling/Mean"))
    detector, landmarker = YuNet(), Mesh478()
    units = []
    for path in sorted(portraits.glob("*.jpg"))[::2]:
        image = read_image(path)
        for detection in detector.detect(image)[:1]:
            (answer,) = landmarker.landmarks(image, [detection])
            if answer.presence > 0.9:
                face = aligned(image, answer.points, SIZE, MARGIN)[None, ..., ::-1].astype(np.float32) - MEAN_BGR
                (vector,) = session.run(None, {"x": face})[0]
                units.append(vector / np.linalg.norm(vector))
    np.savetxt(TARGET, np.mean(units, axis=0), "%.4f")
    print(f"{TARGET}: mean of {len(units)} faces")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
