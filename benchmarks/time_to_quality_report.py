"""What `time_to_quality.py` tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from konterfei.reporting import Reporter


def report(out: Path, leak: Path | None, reporter: Reporter) -> str:
    """The totals of all marks that are scored."""
    lines: list[dict[str, Any]] = [json.loads(p.read_text("utf-8")) for p in sorted(out.glob("*/*/at_*/score.json"))]
    return "\n".join(f"{x['pair']} {x['arm']} seed {x['seed']} {x['mark']:g}: {x['figures']['total']}" for x in lines)
