"""Opens carried weights in ONNX Runtime on the CPU, with threads that do not spin (other work shares the cores)."""

from __future__ import annotations

import os
from typing import Any

from konterfei.errors import WeightsError
from konterfei.weights import weights_path


def open_session(name: str, threads: int = 0) -> Any:
    """An `onnxruntime.InferenceSession` of the weights `name`.

    Args:
        name: name in `WEIGHTS`.
        threads: threads within one operator; 0 = one per core that this process may use.

    Raises:
        WeightsError: the file is not the one on record, or the runtime refuses it.
    """
    import onnxruntime  # 0.2 s to import: only when a model is really opened

    path = weights_path(name)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or _confined_cores()
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


def allowed_cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _confined_cores() -> int:
    """How many processors this process is confined to; 0 = it is not, and the runtime's own choice is good.

    That is one thread for each physical core, bound to it; bound also where the process may not go (taskset, cpusets).
    """
    allowed = allowed_cores()
    return allowed if allowed < (os.cpu_count() or 1) else 0
