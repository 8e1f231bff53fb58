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

if TYPE_CHECKING:
    from konterfei.errors import KonterfeiError as KonterfeiError

__version__ = "0.1.0"

_HOME = {
    "ChartConfig": "konterfei.stages.chart",
    "ConsentConfig": "konterfei.stages.consent",
    "CurateConfig": "konterfei.stages.curate",
    "DemoConfig": "konterfei.stages.demo",
    "EvaluateConfig": "konterfei.stages.evaluate",
    "ExportConfig": "konterfei.stages.export",
    "ExtractConfig": "konterfei.stages.extract",
    "FacesetExportConfig": "konterfei.stages.faceset_export",
    "ImportDflModelConfig": "konterfei.stages.import_model",
    "ImportDflWorkspaceConfig": "konterfei.stages.import_workspace",
    "ImportFacesConfig": "konterfei.stages.import_faces",
    "KeysConfig": "konterfei.stages.keys",
    "KonterfeiError": "konterfei.errors",
    "MergeConfig": "konterfei.stages.merge",
    "PeopleEditConfig": "konterfei.stages.people",
    "PeopleExportConfig": "konterfei.stages.people_export",
    "PeopleFindConfig": "konterfei.stages.people",
    "PeopleForgetConfig": "konterfei.stages.people",
    "PeopleOutliersConfig": "konterfei.stages.people_outliers",
    "PerformerConfig": "konterfei.performers",
    "PreviewConfig": "konterfei.stages.preview",
    "Recorder": "konterfei.reporting",
    "Reporter": "konterfei.reporting",
    "ReportConfig": "konterfei.stages.report",
    "RestoreConfig": "konterfei.stages.restore",
    "RunsConfig": "konterfei.stages.runs",
    "Silent": "konterfei.reporting",
    "SwapConfig": "konterfei.stages.swap",
    "TellConfig": "konterfei.stages.tell",
    "TimelapseConfig": "konterfei.stages.timelapse",
    "TrainConfig": "konterfei.stages.train",
    "VerifyConfig": "konterfei.stages.verify",
    "chart": "konterfei.stages.chart",
    "consent_new": "konterfei.stages.consent",
    "curate": "konterfei.stages.curate",
    "demo": "konterfei.stages.demo",
    "evaluate": "konterfei.stages.evaluate",
    "export": "konterfei.stages.export",
    "extract": "konterfei.stages.extract",
    "faceset_export": "konterfei.stages.faceset_export",
    "import_dfl_model": "konterfei.stages.import_model",
    "import_dfl_workspace": "konterfei.stages.import_workspace",
    "import_faces": "konterfei.stages.import_faces",
    "keys": "konterfei.stages.keys",
    "merge": "konterfei.stages.merge",
    "people_edit": "konterfei.stages.people",
    "people_export": "konterfei.stages.people_export",
    "people_find": "konterfei.stages.people",
    "people_forget": "konterfei.stages.people",
    "people_outliers": "konterfei.stages.people_outliers",
    "preview": "konterfei.stages.preview",
    "render_performer": "konterfei.performers",
    "report": "konterfei.stages.report",
    "restore": "konterfei.stages.restore",
    "runs": "konterfei.stages.runs",
    "swap": "konterfei.stages.swap",
    "tell": "konterfei.stages.tell",
    "timelapse": "konterfei.stages.timelapse",
    "train": "konterfei.stages.train",
    "verify": "konterfei.stages.verify",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'konterfei' has no attribute '{name}'") from None
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
