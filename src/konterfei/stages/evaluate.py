"""`konterfei evaluate`: measure a swap against the video it was made from, and draw the report picture."""

from __future__ import annotations

from typing import Any

from konterfei.errors import OutputError
from konterfei.io.atomic import ensure_writable
from konterfei.io.faceset import Faceset
from konterfei.metrics import METRICS, Measurement
from konterfei.metrics.evaluation import measure
from konterfei.reporting import Reporter, check
from konterfei.stages._evaluate_frames import chosen_frames
from konterfei.stages._evaluate_inputs import check_plate, file_record, network_record, people_of, plate_of
from konterfei.stages._evaluate_looking import observe
from konterfei.stages._evaluate_settings import EvaluateConfig
from konterfei.stages._evaluate_writing import Evaluation, done_before, write

__all__ = ["EvaluateConfig", "Evaluation", "chosen_frames", "evaluate"]


def evaluate(config: EvaluateConfig, reporter: Reporter) -> Evaluation:
    """Figures of `config.video`; written to `config.report`, drawn to `config.picture`.

    Raises:
        ConfigError: plate, facesets and video do not belong together.
        FacesetError, UnreadableMediaError: one of them cannot be read.
        NoFacesError: no frame shows a face clearly enough.
        OutputError: the report cannot be written.
        Cancelled: a person asked to stop.
    """
    src, dst = Faceset.open(config.src, reporter=reporter), Faceset.open(config.faces, reporter=reporter)
    plate_path = plate_of(config, dst)
    people = people_of(config, src, dst)
    if plate_path.is_dir() and config.picture.parent.resolve() == plate_path.resolve():
        raise OutputError(
            f"Cannot write '{config.picture}' into the plate's folder: it would be a frame. Choose another --output."
        )
    ensure_writable(config.picture)
    ensure_writable(config.report)
    about: dict[str, Any] = {
        "inputs": {
            "video": file_record(config.video),
            "plate": file_record(plate_path),
            "src": {"path": str(config.src), "content": src.content_hash()},
            "faces": {"path": str(config.faces), "content": dst.content_hash()},
        },
        "settings": {
            "every_nth": config.every_nth,
            **{name: network_record(getattr(config, name)) for name in ("detector", "landmarker", "recognizer")},
            "metrics": list(METRICS),
        },
    }
    check_plate(about["inputs"]["plate"], plate_path, dst)
    if (done := done_before(config, about)) is not None:
        reporter.note(f"'{config.report}' is up to date; nothing was measured anew.")
        return done
    observer = observe(config, plate_path, dst, reporter)
    plate, (result,) = observer.series()
    reporter.start("measuring", len(METRICS), "metrics")
    measurements: dict[str, Measurement] = {}
    for name, found in measure(plate, result, people):
        check(reporter)
        measurements[name] = found
        reporter.advance(len(measurements))
    reporter.finish()
    return write(config, about, observer, measurements, src, (plate, result), people, reporter)
