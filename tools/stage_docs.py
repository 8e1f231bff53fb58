"""Writes the examples and tables of settings in docs/stages from the config dataclasses.

python tools/stage_docs.py, after any change of a setting. A page is prose by hand; what stands between the two marks
is made here, and a test fails when it is not up to date.
"""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from enum import Enum
from pathlib import Path
from typing import get_type_hints

from konterfei.cli.options import choices, field_docs
from konterfei.stages import GROUPS, STAGES

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "stages"
BEGIN, END = "<!-- made by tools/stage_docs.py: begin -->", "<!-- end -->"


def page_of(name: str) -> Path:
    """A page for each command; one without a group of several has the name of its first word."""
    group = name.split()[0]
    return FOLDER / f"{name.replace(' ', '-') if group in GROUPS else group}.md"


def block(name: str) -> str:
    """Examples and settings of one stage, as Markdown."""
    stage = STAGES[name]
    config = stage.load_config()
    docs, hints = field_docs(config), get_type_hints(config, include_extras=True)
    rows = []
    for field in fields(config):
        flag = field.name.upper() if field.name in stage.positional else "--" + field.name.replace("_", "-").strip("-")
        short = {"output": "-o", **stage.short}.get(field.name)
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        told = docs[field.name].replace("|", "\\|")
        if names := choices(hints[field.name]):
            told += f" Choices: {', '.join(f'`{name}`' for name in names)}."
        rows.append(f"| `{flag}`{f', `{short}`' if short else ''} | {_shown(default)} | {told} |")
    return "\n".join(
        [
            "```",
            *stage.examples,
            "```",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *rows,
        ]
    )


def _shown(default: object) -> str:
    if default is MISSING:
        return "needed"
    if default is None or default in ((), ""):
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"`{default.value if isinstance(default, Enum) else default}`"


def updated(name: str, text: str) -> str:
    """The page `text` with its block made anew; a page without marks gets them at its end."""
    made = f"{BEGIN}\n{block(name)}\n{END}"
    if BEGIN not in text:
        return f"{text.rstrip()}\n\n{made}\n"
    before, rest = text.split(BEGIN, 1)
    return before + made + rest.split(END, 1)[1]


def main() -> int:
    for name, stage in STAGES.items():
        path = page_of(name)
        text = path.read_text(encoding="utf-8") if path.exists() else f"# konterfei {name}\n\n{stage.about}\n"
        path.write_text(updated(name, text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
