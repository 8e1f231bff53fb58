"""Export: a run in, one ONNX file out, for live programs and other software."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from konterfei.errors import ConfigError, OutputError
from konterfei.io.atomic import atomic_path, ensure_writable, sha256
from konterfei.io.manifest import Manifest
from konterfei.io.run import Run
from konterfei.nets.dims import architecture
from konterfei.reporting import Reporter

if TYPE_CHECKING:
    from konterfei.models.onnx_export import Exportable

FORMS = (".dfm", ".onnx")


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Write a trained model as one file for other programs.

    NAME.dfm is DeepFaceLab's form for live programs (pictures as [N, R, R, 3] BGR); NAME.onnx is plain ONNX
    ([N, 3, R, R] RGB). Both run without konterfei and PyTorch. What other programs make with it is neither labelled nor
    signed: that is up to whoever uses it, with the consent that the model was made under.
    """

    run: Path
    """Folder of the run."""
    output: Path
    """File to write: NAME.dfm or NAME.onnx."""
    snapshot: str = "newest"
    """Which of the run's weights: newest, best (by the held-out score, see konterfei train), or those of a step."""
    half: bool = False
    """Weights and the work with them in half precision (float16): half the size, and faster on most GPUs; inputs and
    outputs stay as they are."""
    force: bool = False
    """Replace a file that is there and was not made by this export."""

    def __post_init__(self) -> None:
        if self.output.suffix.lower() not in FORMS:
            raise ConfigError(f"--output '{self.output}': the name must end in {' or '.join(FORMS)}.")


@dataclass(frozen=True, kw_only=True)
class ExportResult:
    """What was written.

    Attributes:
        file: where it is.
        architecture: "liae-ud", "amp", "xseg".
        inputs, outputs: names in the file, in order.
        difference: largest difference to the trained network, as ONNX Runtime runs the file; pictures are 0 to 1.
        was_done: whether it had been exported before.
    """

    file: Path
    architecture: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    difference: float
    was_done: bool = False


def export(config: ExportConfig, reporter: Reporter) -> ExportResult:
    """Write the newest snapshot of `config.run` to `config.output`, whole or not at all.

    Raises:
        StoreError: there is no run, nothing trained yet, or it is damaged.
        ConfigError: the model has no such form, or is too large.
        OutputError: the file cannot be written, or another one is there.
        KonterfeiError: the file does not draw what the network draws.
    """
    run = Run.open(config.run)
    kind = architecture(run.config["model"], run.config["dims"])
    if kind == "xseg" and config.output.suffix.lower() == ".dfm":
        raise ConfigError(f"'{config.run}' holds XSeg, which has no .dfm form. Name the output NAME.onnx.")
    ensure_writable(config.output)
    from konterfei.models.onnx_export import write_onnx  # here: torch is slow to load

    network, info = _network(run, config, kind, reporter)
    manifest = _manifest(config, run, info)
    before = Manifest.load(config.output)
    is_ours = before is not None and config.output.is_file() and before.output.get("sha256") == sha256(config.output)
    if is_ours and before is not None and before.complete and not manifest.differs_from(before) and not config.force:
        reporter.note(f"'{config.output}' is already that snapshot of '{config.run}'. Nothing was done.")
        return _result(config, network, kind, before.results["difference"], was_done=True)
    if config.output.exists() and not is_ours and not config.force:
        raise OutputError(
            f"'{config.output}' is there already and is not as this export made it. Choose another output, or --force "
            "to replace it."
        )
    with atomic_path(config.output) as temporary:
        difference = write_onnx(network, temporary, _about(run, info, kind, config.half), config.half)
        size = temporary.stat().st_size
        manifest.output = {"path": str(config.output.absolute()), "sha256": sha256(temporary), "size": size}
        manifest.results = {"difference": difference}
        manifest.save(config.output)  # killed after this, the file is known to be ours
    manifest.complete = True
    manifest.save(config.output)
    reporter.note(f"ONNX Runtime draws the same with '{config.output}' as the network, to {difference:.1g}.")
    if info["is_preview"]:
        reporter.note(f"Fewer steps than a usable model has ({info['steps']}): the file says that it is a preview.")
    reporter.note("What other programs make with it is not labelled and not signed. The consent for it stays needed.")
    return _result(config, network, kind, difference)


def _network(run: Run, config: ExportConfig, kind: str, reporter: Reporter) -> tuple[Exportable, dict[str, Any]]:
    """The network in the form that the file's name asks for, with its weights, and what is known of it."""
    from konterfei.models.onnx_export import Dfm, Plain, Segmenter
    from konterfei.models.swapper import load_model, load_state

    if kind == "xseg":
        from konterfei.nets.xseg import XSeg

        segmenter = XSeg(run.config["dims"]["base"])
        return Segmenter(segmenter), load_state(run, segmenter, reporter, config.snapshot)
    model, info = load_model(run, reporter, config.snapshot)
    return (Dfm if config.output.suffix.lower() == ".dfm" else Plain)(model, kind), info


def _about(run: Run, info: dict[str, Any], kind: str, half: bool) -> dict[str, str]:
    """What the file says of itself, in its metadata_props."""
    told = {
        "made_by": f"konterfei {version('konterfei')}",
        "model": kind,
        "face_type": run.config["face_type"],
        "preset": info["preset"],
        "steps": info["steps"],
        "is_preview": "yes" if info["is_preview"] else "no",
        "snapshot_sha256": info["snapshot_sha256"],
        "src_faceset_sha256": run.config.get("src", {}).get("hash"),
        "dst_faceset_sha256": run.config.get("dst", {}).get("hash"),
        "precision": "half" if half else None,
        "weights_began_in": run.config.get("imported", {}).get("program"),
    }
    return {f"konterfei.{name}": str(value) for name, value in told.items() if value is not None}


def _manifest(config: ExportConfig, run: Run, info: dict[str, Any]) -> Manifest:
    trained = Manifest.load(run.folder)
    return Manifest(
        stage="export",
        inputs={"run": {"path": str(config.run.absolute()), "sha256": info["snapshot_sha256"]}},
        settings={"form": config.output.suffix.lower(), **({"half": True} if config.half else {})},
        versions={name: version(name) for name in ("konterfei", "torch", "onnx", "onnxruntime")}
        | ({} if trained is None else {f"{name} of the run": told for name, told in trained.versions.items()}),
    )


def _result(
    config: ExportConfig, network: Exportable, kind: str, difference: float, was_done: bool = False
) -> ExportResult:
    form = network.form
    return ExportResult(
        file=config.output,
        architecture=kind,
        inputs=form.inputs,
        outputs=form.outputs,
        difference=difference,
        was_done=was_done,
    )
