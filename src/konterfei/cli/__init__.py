"""The command line: one loop over `STAGES`, nothing of its own to configure.

Exit codes: 0 done, 1 failed, 2 the person can repair it, 130 stopped on request.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and gives back its exit code.

    Args:
        argv: the words after `konterfei`; those of this process when None.
    """
    # Threads that wait sleep instead of spinning: several times faster where other work shares the cores. OpenMP reads
    # this once, before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from konterfei.cli.app import run

    return run(list(sys.argv[1:] if argv is None else argv))
