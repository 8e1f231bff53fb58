"""The product's verbs: one file each, holding a Config dataclass and one function of it.

`STAGES` lists them. The command line, the documentation and later the studio are made from this table: a new stage is
one file and one entry here. The entries are strings, so that listing the stages imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from konterfei.stages._stage import Stage, Stages

__all__ = ["GROUPS", "HEADINGS", "STAGES", "Stage"]

STAGES: Mapping[str, Stage] = Stages(
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
            examples=(
                "konterfei extract anna.mp4 -o src_faces",
                "konterfei extract anna.mp4 interview.mov photos/ -o src_faces --every 0.5",
                "konterfei extract plate.mp4 -o dst_faces --debug dst_faces.debug.mp4",
                "konterfei extract plate.mp4 -o dst_faces --redo 120,130:140 --detector centerface",
            ),
            positional=("video", "more"),
        ),
        "people find": Stage(
            run="konterfei.stages.people:people_find",
            config="konterfei.stages.people:PeopleFindConfig",
            about="Find out who is who over several facesets; name people, write a faceset for each.",
            examples=(
                "konterfei people find clip1_faces clip2_faces -o people",
                "konterfei people find all_facesets -o people    # a folder that holds facesets",
            ),
            positional=("facesets",),
        ),
        "people edit": Stage(
            run="konterfei.stages.people:people_edit",
            config="konterfei.stages.people:PeopleEditConfig",
            about="Name people, join and part them, move faces; undo.",
            examples=(
                "konterfei people edit people    # who there is",
                "konterfei people edit people --name 3=anna --merge 3,7",
                "konterfei people edit people --split 3 --into 2",
                "konterfei people edit people --move clip1_faces/000120_0.jpg=4 --track",
                "konterfei people edit people --undo",
            ),
            positional=("folder",),
        ),
        "people export": Stage(
            run="konterfei.stages.people_export:people_export",
            config="konterfei.stages.people_export:PeopleExportConfig",
            about="Write a faceset for each person, pooled from all clips.",
            examples=(
                "konterfei people export people -o faces_by_person",
                "konterfei people export people -o faces_by_person --person anna",
            ),
            positional=("folder",),
        ),
        "people outliers": Stage(
            run="konterfei.stages.people_outliers:people_outliers",
            config="konterfei.stages.people_outliers:PeopleOutliersConfig",
            about="Find strangers in a faceset that should hold one person.",
            examples=(
                "konterfei people outliers src_faces",
                "konterfei people outliers src_faces --set-aside",
            ),
            positional=("faceset",),
        ),
        "people forget": Stage(
            run="konterfei.stages.people:people_forget",
            config="konterfei.stages.people:PeopleForgetConfig",
            about="Remove names, embeddings and decisions about people for good.",
            examples=("konterfei people forget people --person anna", "konterfei people forget people"),
            positional=("folder",),
        ),
        "sort": Stage(
            run="konterfei.stages.sort:sort",
            config="konterfei.stages.sort:SortConfig",
            about="Order a faceset's crops, look at the order, set its end aside.",
            examples=(
                "konterfei sort src_faces --by sharpness",
                "konterfei sort src_faces --by best --keep 1500",
                "konterfei sort src_faces --by identity --like anna.jpg --set-aside-below 0.3",
            ),
            positional=("faceset",),
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
        "pretrain": Stage(
            run="konterfei.stages.pretrain:pretrain",
            config="konterfei.stages.pretrain:PretrainConfig",
            about="Learn faces in general, from many people: a base that trainings of two people begin with.",
            examples=(
                "konterfei pretrain portraits interviews -o base_run    # until held-out people gain nothing more",
                "konterfei pretrain portraits -o base_run --preset standard --share-of-width 0.5 --minutes 600",
                "konterfei pretrain interviews -o base_run --base default    # added to what the carried base knows",
            ),
            positional=("facesets",),
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
            about="Measure swaps: identity, expression, steadiness, background; compare several; write the reports.",
            examples=(
                "konterfei evaluate out.mp4",
                "konterfei evaluate first.mp4 second.mp4    # of one plate, side by side",
                "konterfei evaluate --project my-film       # all its renders",
                "konterfei evaluate out.mp4 --faces dst_faces --src src_faces -o report.html",
            ),
            positional=("renders",),
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
        "import faces": Stage(
            run="konterfei.stages.import_faces:import_faces",
            config="konterfei.stages.import_faces:ImportFacesConfig",
            about="Take over faces that another program found: DeepFaceLab's pictures or faceset.pak.",
            examples=(
                "konterfei import faces workspace/data_src/aligned -o src_faces",
                "konterfei import faces workspace/data_dst/aligned -o dst_faces --frames workspace/data_dst.mp4",
            ),
            positional=("path",),
        ),
        "import dfl-workspace": Stage(
            run="konterfei.stages.import_workspace:import_dfl_workspace",
            config="konterfei.stages.import_workspace:ImportDflWorkspaceConfig",
            about="Take over a whole workspace of DeepFaceLab: faces of both people, the plate, every model.",
            examples=(
                "konterfei import dfl-workspace workspace --list    # looks and does nothing",
                "konterfei import dfl-workspace workspace -o my-film",
            ),
            positional=("workspace",),
        ),
        "import dfl-model": Stage(
            run="konterfei.stages.import_model:import_dfl_model",
            config="konterfei.stages.import_model:ImportDflModelConfig",
            about="Take over a model that DeepFaceLab trained, for merging or training on.",
            examples=(
                "konterfei import dfl-model workspace/model -o run",
                "konterfei import dfl-model workspace/model -o run --name anna_SAEHD",
            ),
            positional=("model_dir",),
        ),
        "faceset export": Stage(
            run="konterfei.stages.faceset_export:faceset_export",
            config="konterfei.stages.faceset_export:FacesetExportConfig",
            about="Write a faceset for another program, masks and polygons with it.",
            examples=(
                "konterfei faceset export dst_faces -o workspace/data_dst/aligned",
                "konterfei faceset export src_faces -o packed --format dfl-pak",
            ),
            positional=("faces",),
        ),
        "export": Stage(
            run="konterfei.stages.export:export",
            config="konterfei.stages.export:ExportConfig",
            about="Write a trained model as one file (.dfm, .onnx) for live programs and other software.",
            examples=("konterfei export run -o anna.dfm", "konterfei export run -o anna.onnx"),
            positional=("run",),
        ),
        "trash": Stage(
            run="konterfei.stages.trash:trash",
            config="konterfei.stages.trash:TrashConfig",
            about="Set crops of a faceset aside, look at what lies there, take it back.",
            examples=(
                "konterfei trash src_faces 000123_0.jpg 000124_0.jpg --why blurred",
                "konterfei trash src_faces --list",
                "konterfei trash src_faces --restore all",
            ),
            positional=("faceset", "names"),
        ),
        "faceset convert": Stage(
            run="konterfei.stages.faceset_convert:faceset_convert",
            config="konterfei.stages.faceset_convert:FacesetConvertConfig",
            about="Make a faceset of another size or face type.",
            examples=(
                "konterfei faceset convert src_faces -o head_faces --face-type head --source anna.mp4",
                "konterfei faceset convert src_faces -o small_faces --size 128",
            ),
            positional=("faceset",),
        ),
        "faceset enhance": Stage(
            run="konterfei.stages.faceset_enhance:faceset_enhance",
            config="konterfei.stages.faceset_enhance:FacesetEnhanceConfig",
            about="Redraw the crops of a faceset sharper.",
            examples=(
                "konterfei faceset enhance src_faces -o sharp_faces",
                "konterfei faceset enhance src_faces -o sharp_faces --strength 0.5",
            ),
            positional=("faceset",),
        ),
        "faceset pack": Stage(
            run="konterfei.stages.faceset_pack:faceset_pack",
            config="konterfei.stages.faceset_pack:FacesetPackConfig",
            about="Put a whole faceset into one file.",
            examples=("konterfei faceset pack src_faces -o anna.faceset",),
            positional=("faceset",),
        ),
        "faceset unpack": Stage(
            run="konterfei.stages.faceset_unpack:faceset_unpack",
            config="konterfei.stages.faceset_unpack:FacesetUnpackConfig",
            about="Make a folder of a packed faceset again.",
            examples=("konterfei faceset unpack anna.faceset -o src_faces",),
            positional=("file",),
        ),
        "faceset save-metadata": Stage(
            run="konterfei.stages.faceset_metadata:save_metadata",
            config="konterfei.stages.faceset_metadata:SaveMetadataConfig",
            about="Keep the records of a faceset in a file, before other programs change its pictures.",
            examples=("konterfei faceset save-metadata src_faces -o anna.records",),
            positional=("faceset",),
        ),
        "faceset restore-metadata": Stage(
            run="konterfei.stages.faceset_metadata:restore_metadata",
            config="konterfei.stages.faceset_metadata:RestoreMetadataConfig",
            about="Put records back into pictures that other programs have changed.",
            examples=("konterfei faceset restore-metadata src_faces anna.records",),
            positional=("faceset", "records"),
        ),
        "faceset rename": Stage(
            run="konterfei.stages.faceset_rename:faceset_rename",
            config="konterfei.stages.faceset_rename:FacesetRenameConfig",
            about="Name crops after their frames again.",
            examples=("konterfei faceset rename src_faces",),
            positional=("faceset",),
        ),
        "faceset debug": Stage(
            run="konterfei.stages.faceset_debug:faceset_debug",
            config="konterfei.stages.faceset_debug:FacesetDebugConfig",
            about="Draw what is known of each face over its crop.",
            examples=("konterfei faceset debug src_faces -o looked_at",),
            positional=("faceset",),
        ),
        "import labels": Stage(
            run="konterfei.stages.import_labels:import_labels",
            config="konterfei.stages.import_labels:ImportLabelsConfig",
            about="Take over masks or outlines that were made in other programs.",
            examples=("konterfei import labels masks src_faces", "konterfei import labels outlines.json src_faces"),
            positional=("path", "faceset"),
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


GROUPS: Mapping[str, str] = {
    "faceset": "Change facesets, or write them for other programs.",
    "import": "Take over what other programs made: faces, models, whole workspaces.",
    "people": "Who is who over all clips: find people, name them, write a faceset for each.",
}
"""First word of several commands -> what they are for. A group of one command needs none."""

HEADINGS: Mapping[str, tuple[str, ...]] = {
    "From clips to a swap": ("demo", "swap", "extract", "train", "merge", "verify"),
    "Facesets": ("report", "curate", "sort", "trash", "people", "faceset"),
    "Training": ("pretrain", "runs", "tell", "chart", "timelapse", "restore", "export"),
    "Merging": ("preview", "keys", "evaluate"),
    "Papers, and other programs": ("consent", "import", "performers"),
}
"""How `konterfei --help` puts the commands together: the first word of each, in the order to be read."""
