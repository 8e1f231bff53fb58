"""The product's verbs: one file each, holding a Config dataclass and one function of it.

`STAGES` lists them. The command line, the documentation and later the studio are made from this table: a new stage is
one file and one entry here. The entries are strings, so that listing the stages imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from konterfei.errors import UnknownNameError


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One verb of the product.

    Attributes:
        run: "package.module:function", called as `function(config, reporter)`.
        config: "package.module:Class", the frozen dataclass that `run` reads.
        about: one line for `konterfei --help`; begins with a verb.
        examples: complete command lines that work as they stand.
        positional: fields of the config that are given without their flag's name, in this order.
        short: field -> one-letter flag; `output` is always `-o`.
        dialogue: module with `next_question` and `answered`, for a stage whose missing settings can be asked for.
    """

    run: str
    config: str
    about: str
    examples: tuple[str, ...]
    positional: tuple[str, ...] = ()
    short: Mapping[str, str] = field(default_factory=dict)
    dialogue: str | None = None

    def load_run(self) -> Callable[..., Any]:
        """The function itself (its module is imported here)."""
        return _load(self.run)

    def load_config(self) -> type:
        """The config class itself (its module is imported here)."""
        return _load(self.config)


class _Stages(dict[str, Stage]):
    def __missing__(self, name: str) -> Stage:
        raise UnknownNameError("command", name, self)


STAGES: Mapping[str, Stage] = _Stages(
    {
        "swap": Stage(
            run="konterfei.stages.swap:swap",
            config="konterfei.stages.swap:SwapConfig",
            about="Put one person's face onto another in a video: every step, start to finish.",
            examples=(
                "konterfei swap --src anna.mp4 --dst plate.mp4 -o out.mp4 --consent anna.toml",
                "konterfei swap --src anna.mp4 --dst plate.mp4 -o out.mp4 --consent anna.toml --train-minutes 120",
            ),
        ),
        "extract": Stage(
            run="konterfei.stages.extract:extract",
            config="konterfei.stages.extract:ExtractConfig",
            about="Find one person's face in every frame of a video and keep it as a faceset.",
            examples=("konterfei extract anna.mp4 -o src_faces",),
            positional=("video",),
        ),
        "train": Stage(
            run="konterfei.stages.train:train",
            config="konterfei.stages.train:TrainConfig",
            about="Teach a model to put the src face in the place of the dst face.",
            examples=(
                "konterfei train --src src_faces --dst dst_faces -o run --minutes 10",
                "konterfei train --src src_faces --dst dst_faces -o run    # the same command again goes on",
            ),
        ),
        "tell": Stage(
            run="konterfei.stages.tell:tell",
            config="konterfei.stages.tell:TellConfig",
            about="Ask a training that runs to save, draw the preview, make a backup or stop.",
            examples=("konterfei tell run save", "konterfei tell run backup before-gan", "konterfei tell run stop"),
            positional=("run", "command", "value"),
        ),
        "runs": Stage(
            run="konterfei.stages.runs:runs",
            config="konterfei.stages.runs:RunsConfig",
            about="List the runs in a folder, or say everything about one.",
            examples=("konterfei runs", "konterfei runs my-film/models", "konterfei runs run"),
            positional=("folder",),
        ),
        "restore": Stage(
            run="konterfei.stages.restore:restore",
            config="konterfei.stages.restore:RestoreConfig",
            about="Go back to a backup of a run, or list them.",
            examples=("konterfei restore run    # lists them", "konterfei restore run 00012000"),
            positional=("run", "backup"),
        ),
        "chart": Stage(
            run="konterfei.stages.chart:chart",
            config="konterfei.stages.chart:ChartConfig",
            about="Draw losses, learning rate and speed of one or several runs.",
            examples=("konterfei chart run -o losses.png", "konterfei chart run other_run -o compared.png"),
            positional=("runs",),
        ),
        "timelapse": Stage(
            run="konterfei.stages.timelapse:timelapse",
            config="konterfei.stages.timelapse:TimelapseConfig",
            about="Make a video of a run's previews: how the face was learned.",
            examples=(
                "konterfei timelapse run --consent anna.toml -o learning.mp4",
                "konterfei timelapse run --consent anna.toml -o learning.mp4 --only swap --seconds 10",
            ),
            positional=("run",),
        ),
        "merge": Stage(
            run="konterfei.stages.merge:merge",
            config="konterfei.stages.merge:MergeConfig",
            about="Put the trained face back into the video; label and sign the result.",
            examples=("konterfei merge plate.mp4 --faces dst_faces --model run --consent anna.toml -o out.mp4",),
            positional=("video",),
        ),
        "preview": Stage(
            run="konterfei.stages.preview:preview",
            config="konterfei.stages.preview:PreviewConfig",
            about="Look at single frames of a merge while you choose its settings.",
            examples=(
                "konterfei preview plate.mp4 --faces dst_faces --model run --consent anna.toml -o look.png --frame 120",
                "konterfei preview plate.mp4 --faces dst_faces --model run --consent anna.toml -o all.png --grid color",
                "konterfei preview plate.mp4 --faces dst_faces --model run --consent anna.toml -o look.png --keys "
                "merge.toml --watch",
            ),
            positional=("video",),
        ),
        "keys": Stage(
            run="konterfei.stages.keys:keys",
            config="konterfei.stages.keys:KeysConfig",
            about="Change settings of a merge over time, and from face to face: begin a file, or look into it.",
            examples=(
                "konterfei keys merge.toml --new    # begins it",
                "konterfei keys merge.toml --frame 150",
            ),
            positional=("file",),
        ),
        "verify": Stage(
            run="konterfei.stages.verify:verify",
            config="konterfei.stages.verify:VerifyConfig",
            about="Say what was changed in a video, by what, and whether it was altered since.",
            examples=("konterfei verify out.mp4",),
            positional=("video",),
        ),
        "consent new": Stage(
            run="konterfei.stages.consent:consent_new",
            config="konterfei.stages.consent:ConsentConfig",
            about="Write a consent record for the person whose face is to be used.",
            examples=(
                "konterfei consent new -o anna.toml    # asks for the rest",
                "konterfei consent new -o anna.toml --person 'Anna Muster' --basis self",
            ),
            dialogue="konterfei.stages.consent",
        ),
        "evaluate": Stage(
            run="konterfei.stages.evaluate:evaluate",
            config="konterfei.stages.evaluate:EvaluateConfig",
            about="Measure a swap: identity, expression, steadiness; draw the report picture.",
            examples=("konterfei evaluate out.mp4 --faces dst_faces --src src_faces -o report.jpg",),
            positional=("video",),
        ),
        "curate": Stage(
            run="konterfei.stages.curate:curate",
            config="konterfei.stages.curate:CurateConfig",
            about="Set bad faces and doubles of a faceset aside, by limits that are said; they can be taken back.",
            examples=(
                "konterfei curate src_faces --dry-run    # only shows what would go",
                "konterfei curate src_faces",
            ),
            positional=("faceset",),
        ),
        "report": Stage(
            run="konterfei.stages.report:report",
            config="konterfei.stages.report:ReportConfig",
            about="Say what a faceset has, what is wrong in it, and what it lacks for a shot: one page with pictures.",
            examples=(
                "konterfei report src_faces -o report.html",
                "konterfei report src_faces --for dst_faces -o report.html",
            ),
            positional=("faceset",),
        ),
        "import-dfl": Stage(
            run="konterfei.stages.import_dfl:import_dfl",
            config="konterfei.stages.import_dfl:ImportDflConfig",
            about="Take over a model that DeepFaceLab trained, for merging or training on.",
            examples=(
                "konterfei import-dfl workspace/model -o run",
                "konterfei import-dfl workspace/model -o run --name anna_SAEHD",
            ),
            positional=("model_dir",),
        ),
        "export": Stage(
            run="konterfei.stages.export:export",
            config="konterfei.stages.export:ExportConfig",
            about="Write a trained model as one file (.dfm, .onnx) for live programs and other software.",
            examples=("konterfei export run -o anna.dfm", "konterfei export run -o anna.onnx"),
            positional=("run",),
        ),
        "performers render": Stage(
            run="konterfei.performers:render_performer",
            config="konterfei.performers:PerformerConfig",
            about="Render a clip of a synthetic person, with exact landmarks: material for tries and tests.",
            examples=("konterfei performers render P006 -o p006.mp4",),
            positional=("person",),
        ),
        "demo": Stage(
            run="konterfei.stages.demo:demo",
            config="konterfei.stages.demo:DemoConfig",
            about="Render two synthetic performers and swap one onto the other.",
            examples=("konterfei demo", "konterfei demo -o demo --minutes 5"),
        ),
    }
)


def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
