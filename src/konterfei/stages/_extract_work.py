"""The work of an extraction: both passes over all inputs, then what is to be put right."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from konterfei.geometry import FaceType
from konterfei.io.atomic import output_error, remove_leftovers, sha256, write_json
from konterfei.io.faceset import Faceset, FacesetHeader
from konterfei.io.faceset_files import HEADER_NAME, read_header
from konterfei.io.manifest import Manifest
from konterfei.recognizers import RECOGNIZERS
from konterfei.reporting import Reporter, check
from konterfei.stages._extract_amend import Amendments, Kept
from konterfei.stages._extract_analysis import finder_of
from konterfei.stages._extract_choice import Cast, Part, cast_of, chosen_of, faces_of, nothing_found, usual_side
from konterfei.stages._extract_corrections import Correction
from konterfei.stages._extract_crops import Cutting
from konterfei.stages._extract_folder import forget, has_crops
from konterfei.stages._extract_inputs import JOURNAL_NAME, KEY, Input, is_alone
from konterfei.stages._extract_parts import analyse
from konterfei.stages._extract_pictures import analyse_pictures
from konterfei.stages._extract_repair import Told, frames_to_redo
from konterfei.stages._extract_settings import SIZES, ExtractConfig, finding_of, looking_of
from konterfei.stages._settings import shown_frames
from konterfei.tracking.finder import FrameFaces
from konterfei.tracking.journal import Journal, peek

REDO_BLOCK = 16
"""Frames from one line of the journal to the next while frames are looked at again."""

SHOWN = 6
"""Runs of frames without a face that are told; the manifest names all."""


class Work:
    """One extraction into one folder.

    Args:
        config: how the faceset is made, its output the folder that is worked in.
        given: as a person gave it: says how --redo looks.
        manifest: of the extraction; its output is brought up to date and saved as the work goes on.
        inputs: what is looked at.
        told: corrections.
        reporter: is told how far it is.
    """

    def __init__(
        self,
        config: ExtractConfig,
        given: ExtractConfig,
        manifest: Manifest,
        inputs: Sequence[Input],
        told: Told,
        reporter: Reporter,
    ) -> None:
        self.config, self.given, self.manifest = config, given, manifest
        self.inputs, self.told, self.reporter = inputs, told, reporter
        self.folder = config.output
        self.parts: list[Part] = []

    def run(self) -> dict[str, Any]:
        """All of it. Gives the figures of the result."""
        with ExitStack() as stack:
            journals = self._first_pass(stack)
            remove_leftovers(self.folder)  # of a run that was killed; whoever holds the journals is alone here
            same_person = RECOGNIZERS.load(self.config.recognizer).same_person
            cast = cast_of(self.parts, self.manifest.output["batches"], same_person)
            if not cast.people and not self.told.entries:
                forget(self.folder)
                raise nothing_found(self.config, self.parts)
            chosen = chosen_of(self.config, cast, self.parts, self.reporter) if cast.people else [0]
            amendments, left_out = self._amendments(cast, chosen, same_person)
            self._redo(journals, amendments)
            num_faces = self._second_pass(amendments)
        self._tell(left_out)
        return {
            "num_frames": sum(part.num_there for part in self.parts),
            "num_lost": sum(part.analysis.lost for part in self.parts),
            "num_faces": num_faces,
            "num_people": len(cast.people),
            "person": chosen[0] if len(chosen) == 1 else None,
            "num_cuts": sum(len(part.cuts) for part in self.parts),
        }

    # --- first pass

    def _first_pass(self, stack: ExitStack) -> list[Journal]:
        """Fills `parts`; gives the journals, held until `stack` ends."""
        journals = []
        for number, one in enumerate(self.inputs):
            if len(self.inputs) > 1:
                self.reporter.note(f"{number + 1} of {len(self.inputs)}: {one.path}")
            journal = stack.enter_context(self._journal(one))
            journals.append(journal)
            if one.plate is not None:
                analyse(one.plate, self.config, journal, self.reporter)
                part = Part(one, journal.analysis)
            else:
                part = Part(one, journal.analysis, analyse_pictures(one, self.config, journal, self.reporter))
            part.link(one.plate.wanted.step if one.plate is not None else 1)
            self.parts.append(part)
        return journals

    def _journal(self, one: Input) -> Journal:
        if is_alone(self.inputs):
            about = {"video_sha256": self.manifest.inputs["video"]["sha256"]}
            path = self.folder / JOURNAL_NAME
        else:
            about = {"video_sha256": self.manifest.inputs[KEY + one.name]["sha256"]}
            path = self.folder / one.journal_name
            self._take_over(path, one)
        if one.plate is None:
            return Journal(path, {"pictures": one.name, **looking_of(self.config)})
        return Journal(path, {**about, **finding_of(self.config, one.plate)})

    def _take_over(self, path: Path, one: Input) -> None:
        """The journal of the only film that there was, for the first of several that it is now."""
        alone = self.folder / JOURNAL_NAME
        batches: list[list[str]] = self.manifest.output["batches"]
        if alone.exists() and not path.exists() and batches[0] and batches[0][0] == one.name:
            try:
                os.replace(alone, path)  # noqa: PTH105
            except OSError as error:
                raise output_error(path, error) from error

    # --- what is known better

    def _amendments(self, cast: Cast, chosen: Sequence[int], same_person: float) -> tuple[list[Amendments], int]:
        """For each part its base and what is known better; and how many faces the filters leave out."""
        made, left_out = [], 0
        for number, part in enumerate(self.parts):
            base, without = faces_of(self.config, cast, chosen, self.parts, number)
            corrections = self._corrections(part)
            one = Amendments(self.config, part, number, cast, chosen, base, same_person, corrections)
            one.check(self.told.path)
            made.append(one)
            left_out += without
        return made, left_out

    def _corrections(self, part: Part) -> Mapping[int, Sequence[Correction]]:
        """What a person says of a film; the faceset's own of frames that are not looked at now are passed over."""
        said = self.told.entries.get(part.given.name, {}) if part.given.plate is not None else {}
        if not self.told.is_own:
            return said
        known = set(part.analysis.indices)
        here = {frame: faces for frame, faces in said.items() if frame in known}
        if len(here) < len(said):
            self.reporter.note(
                f"{len(said) - len(here)} corrections are of frames that are not looked at now; they are kept, and "
                "count again when these frames are."
            )
        return here

    def _redo(self, journals: Sequence[Journal], amendments: Sequence[Amendments]) -> None:
        """Looks again at the frames that --redo and --fill-missed mean; what was done in the same way is not done."""
        if not (self.given.redo or self.given.fill_missed):
            return
        how = {**looking_of(self.given), "thorough": True, "detect_every": 1}
        for one, journal in zip(amendments, journals, strict=True):
            plate, analysis = one.part.given.plate, one.part.analysis
            if plate is None:
                continue
            frames = frames_to_redo(self.given, one.part.given, analysis.indices, _missed(one))
            due = [n for n in frames if n not in analysis.redone or dict(analysis.redone[n].how) != how]
            if not due:
                continue
            self._begin_amending()
            finder = finder_of(replace(self.given, thorough=True))
            found: dict[int, FrameFaces] = {}
            self.reporter.start("looking again", len(due))
            for done, frame in enumerate(plate.frames(due)):
                check(self.reporter)
                found[frame.index] = finder.look(frame.image)
                if len(found) >= REDO_BLOCK:
                    journal.redo(found, how)
                    found = {}
                self.reporter.advance(done + 1)
            journal.redo(found, how)
            self.reporter.finish()
            faces = sum(bool(analysis.redone[n].faces.faces) for n in due if n in analysis.redone)
            self.reporter.note(f"{len(due)} frames of {one.part.given.name} were looked at again: faces in {faces}.")

    def _begin_amending(self) -> None:
        self.manifest.output["amending"] = True
        self.manifest.save(self.folder)

    # --- second pass

    def _second_pass(self, amendments: Sequence[Amendments]) -> int:
        """Cuts what is due and puts right what is known better. Gives the number of crops."""
        with self._faceset(amendments) as faceset:
            cutting = Cutting(self.config, faceset.header.size, faceset, self.reporter)
            finished: dict[str, int] = self.manifest.output["finished"]
            known: dict[str, dict[str, str]] = self.manifest.output.get("amended", {})
            for one in amendments:
                part = one.part
                begin = finished.get(part.given.name, 0)
                if part.given.plate is not None and begin:
                    continue
                better = one.frames
                wanted = {
                    index: [Kept(face, raw) for face, raw in here]
                    for index, here in one.base.items()
                    if index >= begin and index not in better
                }
                cutting.cut(part, wanted)
                finished[part.given.name] = max(len(part.analysis.frames), 1)
            for one in amendments:
                name, marks = one.part.given.name, one.marks()
                before = known.get(name, {})
                changed = [int(n) for n in {**before, **marks} if before.get(n) != marks.get(n)]
                if changed:
                    self._begin_amending()
                    cutting.amend(one, sorted(changed), finder_of(self.config))
                known[name] = marks
            self.manifest.output["amended"] = {name: marks for name, marks in known.items() if marks}
            self.manifest.output.pop("amending", None)
            missed = {one.part.given.name: _missed(one) for one in amendments if one.part.given.plate is not None}
            self.manifest.output["missed"] = {name: shown_frames(frames) for name, frames in missed.items() if frames}
            return len(faceset)

    def _faceset(self, amendments: Sequence[Amendments]) -> Faceset:
        """The faceset, made where it is missing; its header follows where inputs came that it did not have."""
        alone = is_alone(self.inputs)
        there = read_header(self.folder) if has_crops(self.folder) else None
        face_type, size = FaceType(self.config.face_type), self.config.size
        if not size:
            usual = usual_side([one.base for one in amendments], face_type, SIZES)
            size = usual if there is None else there.size
            said = "large enough for nine tenths of the faces here" if there is None else "as those that are there"
            self.reporter.note(f"Crops are of {size} px, {said}.")
        header = FacesetHeader(
            face_type=face_type,
            size=size,
            source=str(self.config.video.absolute()) if alone else "",
            source_sha256=self.manifest.inputs["video"]["sha256"] if alone else "",
            settings=self.manifest.settings,
        )
        if there is not None and not alone and header.differs_from(there):
            write_json(self.folder / HEADER_NAME, header.to_json())  # `growth` has said that it may
        return Faceset.create(self.folder, header)

    def _tell(self, left_out: int) -> None:
        for part in self.parts:
            if part.analysis.lost:
                self.reporter.warn(
                    f"{part.analysis.lost} frames of {part.given.path} could not be decoded and have no crop."
                )
        missed: dict[str, str] = self.manifest.output["missed"]
        for name, frames in missed.items():
            parts = frames.split(",")
            shown = ",".join(parts[:SHOWN]) + (f" and {len(parts) - SHOWN} more places" if len(parts) > SHOWN else "")
            self.reporter.note(
                f"No face in frames {shown} of {name}. --debug shows them, --fill-missed looks at them again."
            )
        if left_out:
            self.reporter.note(f"{left_out} faces were left out by --max-faces, --min-score or --area-limit.")


def _missed(one: Amendments) -> list[int]:
    """Frames of a film in which nobody who is kept was found, but for those that a person has taken faces out of."""
    better = one.frames
    missed = [n for n in one.part.analysis.indices if not (one.has_face(n) if n in better else n in one.base)]
    return [n for n in missed if n not in one.corrections]


def vanished(folder: Path, inputs: Sequence[Input]) -> dict[str, set[str]]:
    """Of each input of loose pictures those that were looked at before and are gone, or not the same any more."""
    found = {}
    for one in inputs:
        if one.plate is None and (analysis := peek(folder / one.journal_name)) is not None:
            there = {f"{sha256(file)} {file.name}" for file in one.pictures}
            found[one.name] = {*analysis.names, *analysis.unreadable} - there
    return found
