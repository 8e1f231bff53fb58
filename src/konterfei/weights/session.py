"""Opens carried weights in ONNX Runtime on the CPU, with threads that do not spin (other work shares the cores)."""

from __future__ import annotations

from typing import Any

from konterfei.errors import WeightsError
from konterfei.weights import weights_path


def open_session(name: str, threads: int = 0) -> Any:
    """An `onnxruntime.InferenceSession` of the weights `name`.

    Args:
        name: name in `WEIGHTS`.
        threads: threads within one operator; 0 leaves it to the runtime (one per core).

    Raises:
        WeightsError: the file is not the one on record, or the runtime refuses it.
    """
    import onnxruntime  # 0.2 s to import: only when a model is really opened

    path = weights_path(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's exception types are private and many
        raise WeightsError(
            f"ONNX Runtime {onnxruntime.__version__} cannot open the weights '{name}' ({path}): {error}. "
            "Install the version that constraints.txt names."
        ) from error
