"""konterfei: puts one face on another in video, measured, labelled and with consent on record.

    from konterfei import Silent, SwapConfig, swap

    config = SwapConfig(src=Path("anna.mp4"), dst=Path("plate.mp4"), output=Path("out.mp4"), consent=Path("anna.toml"))
    result = swap(config, Silent())

Every name below is imported when it is first used, so that `import konterfei` costs nothing. Nothing inside the
package imports from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from konterfei.stages import STAGES

if TYPE_CHECKING:
    from konterfei.errors import KonterfeiError as KonterfeiError

__version__ = "0.1.0"

_HOME = {
    "KonterfeiError": "konterfei.errors",
    "Recorder": "konterfei.reporting",
    "Reporter": "konterfei.reporting",
    "Silent": "konterfei.reporting",
    **{name: home for stage in STAGES.values() for home, name in (stage.run.split(":"), stage.config.split(":"))},
}
"""Public name -> its module. Of each stage the function and its Config are public."""

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'konterfei' has no attribute '{name}'") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
