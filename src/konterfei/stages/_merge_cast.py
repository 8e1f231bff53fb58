"""Which face of the plate is drawn by which model, and on whose consent.

The model of the command line draws every face that a `merge.toml` says nothing else of. Each model is loaded once,
when the first face needs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

from konterfei.compositing.keys import Keys, Who
from konterfei.errors import ConfigError, ConsentError, NoFacesError
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.provenance.consent import Consent, require
from konterfei.provenance.credentials import FaceClaim, Material
from konterfei.reporting import Reporter
from konterfei.stages import _merge_checks as checks
from konterfei.stages._merge_stream import FaceSwapper


class CastConfig(Protocol):
    """The settings of a merge that say who is drawn by what; see `MergeConfig`."""

    @property
    def model(self) -> Path: ...
    @property
    def snapshot(self) -> str: ...
    @property
    def morph(self) -> float: ...
    @property
    def consent(self) -> Path: ...
    @property
    def use(self) -> str | None: ...
    @property
    def device(self) -> str: ...
    @property
    def threads(self) -> int: ...
    @property
    def src_videos(self) -> tuple[Path, ...]: ...


@dataclass(frozen=True)
class Role:
    """A model, and how it draws.

    Attributes:
        model: folder of the run.
        snapshot: which of its weights.
        morph: how far from dst to src.
        consent: path of the record of the person whom it draws.
        use: what for, as that record names it.
        is_main: it is that of the command line, with nothing said otherwise.
    """

    model: Path
    snapshot: str
    morph: float
    consent: Path
    use: str | None
    is_main: bool = False


class Cast:
    """Who is drawn by what. Made by `open`.

    Attributes:
        consents: of each role that there are faces for, known to cover the use; the first is that of the command line's
            model if it has any.
    """

    def __init__(
        self, config: CastConfig, keys: Keys, reporter: Reporter, faces: Mapping[Role, list[Who]], main: Role
    ) -> None:
        self._config, self._keys, self._reporter = config, keys, reporter
        self._faces, self._main = faces, main
        self._swappers: dict[Role, FaceSwapper] = {}
        self._roles: dict[Who, Role | None] = {}
        self.consents: dict[Role, Consent] = {role: self._consent(role) for role in faces}

    @classmethod
    def open(
        cls,
        config: CastConfig,
        keys: Keys,
        faceset: Faceset,
        reporter: Reporter,
        swapper: FaceSwapper | None = None,
        frames: tuple[int, int | None] = (0, None),
    ) -> Self:
        """The cast of a merge. No model is loaded yet.

        Args:
            config: of the merge.
            keys: what is said of single faces.
            faceset: of the plate.
            reporter: told of damaged snapshots, when a model is loaded.
            swapper: in the place of the command line's model.
            frames: first, and the one after the last, that are wanted; None = to the end.

        Raises:
            ConfigError: an entry names a face that is not in the faceset, or a folder without a run.
            ConsentError: a record is missing, or does not cover this.
            NoFacesError: none of the faces is to be swapped.
        """
        everybody = [(record.face.track, record.face.person) for record in faceset.records()]
        _refuse_nobody(keys, faceset, set(everybody))
        start, stop = frames
        wanted = [
            (record.face.track, record.face.person)
            for index in faceset.frame_indices()
            if index >= start and (stop is None or index < stop)
            for record in faceset.faces_at(index)
        ]
        main = Role(config.model, config.snapshot, config.morph, config.consent, config.use, is_main=True)
        faces: dict[Role, list[Who]] = {}
        for who in sorted(set(wanted), key=str):
            if (role := _role_of(who, keys, main)) is not None:
                faces.setdefault(role, []).append(who)
        if not faces:
            raise NoFacesError(
                f"Nothing to do: '{keys.path}' says swap = false of every face in these frames. Remove that for those "
                "that are to be swapped."
            )
        in_order = dict(sorted(faces.items(), key=lambda item: not item[0].is_main))
        cast = cls(config, keys, reporter, in_order, main)
        if swapper is not None:
            cast._swappers[main] = swapper
        return cast

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """What draws this face; None = it is left as it is."""
        role = self._role(record)
        return None if role is None else self._swapper(role)

    def name_for(self, record: FaceRecord) -> str:
        """A hash of what this face is drawn with; "" = it is left as it is. Loads the model."""
        role = self._role(record)
        if role is None:
            return ""
        told = f"{self._swapper(role).info.get('snapshot_sha256', '')} {role.morph}"
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def info(self) -> dict[str, Any]:
        """What a manifest and the credentials should know of the first model: its `Swapper.info`."""
        return self._swapper(next(iter(self._faces))).info

    @property
    def is_preview(self) -> bool:
        """Whether one of the models was trained too shortly for more than a first look."""
        return any(bool(self._swapper(role).info.get("is_preview")) for role in self._faces)

    @property
    def consent(self) -> Consent:
        """That of the person whom the first model draws."""
        return next(iter(self.consents.values()))

    def inputs(self) -> dict[str, dict[str, Any]]:
        """Models as inputs of a manifest: name -> path and hash."""
        return {
            self._input_name("model", role): {
                **checks.model_record(role.model, self._swapper(role)),
                **({} if role.is_main else {"morph": role.morph}),
            }
            for role in self._faces
        }

    def consent_inputs(self) -> dict[str, dict[str, Any]]:
        """Consent records as inputs of a manifest: name -> path and hash."""
        return {
            self._input_name("consent", role): {"path": str(role.consent.absolute()), "sha256": consent.sha256}
            for role, consent in self.consents.items()
        }

    def others(self) -> tuple[FaceClaim, ...]:
        """What the credentials say of the models after the first."""
        claims = []
        for role in list(self._faces)[1:]:
            info = self._swapper(role).info
            claims.append(
                FaceClaim(
                    who=self._names(role),
                    consent=self.consents[role],
                    model=str(info.get("model", "")),
                    steps=int(info.get("steps", 0)),
                    preset=str(info.get("preset", "")),
                )
            )
        return tuple(claims)

    def sources(self) -> tuple[Material, ...]:
        """What went into the result besides the plate: src material and snapshots of all models, each once."""
        found: dict[str, Material] = {}
        for role in self._faces:
            given = self._config.src_videos if role.is_main else ()
            for material in checks.sources(role.model, self._swapper(role), given):
                found.setdefault(material.sha256, material)
        return tuple(found.values())

    def _role(self, record: FaceRecord) -> Role | None:
        who = (record.face.track, record.face.person)
        if who not in self._roles:
            self._roles[who] = _role_of(who, self._keys, self._main)
        return self._roles[who]

    def _swapper(self, role: Role) -> FaceSwapper:
        if role not in self._swappers:
            device, threads = self._config.device, self._config.threads
            try:
                loaded = checks.open_swapper(role.model, device, threads, self._reporter, role.morph, role.snapshot)
            except ConfigError as error:
                raise error if role.is_main else self._told(role, error) from error
            self._swappers[role] = loaded
        return self._swappers[role]

    def _consent(self, role: Role) -> Consent:
        try:
            return require(role.consent, use=role.use)
        except ConsentError as error:
            if role.is_main:
                raise
            raise ConsentError(f"{self._keys.path}, {self._names(role)}: {error}") from error

    def _told(self, role: Role, error: ConfigError) -> ConfigError:
        text = str(error).removeprefix("--model: ")
        return ConfigError(f"'{self._keys.path}', {self._names(role)}: {text}")

    def _names(self, role: Role) -> str:
        """Whom the role is for, as the file names them."""
        names = dict.fromkeys(entry.who for who in self._faces[role] for entry in self._keys.entries(who)[-1:])
        return ", ".join(names)

    def _input_name(self, what: str, role: Role) -> str:
        return what if role.is_main else f"{what} of {self._names(role)}"


def _role_of(who: Who, keys: Keys, main: Role) -> Role | None:
    """What a face is drawn with; None = it is left as it is. A track's entry counts for more than its person's."""
    role, is_swapped = main, True
    for entry in keys.entries(who):
        is_swapped = is_swapped if entry.swap is None else entry.swap
        if entry.model is not None:
            assert entry.consent is not None, "the file was checked"
            use = entry.use if entry.use is not None else main.use
            role = Role(entry.model, entry.snapshot or "newest", 1.0, entry.consent, use)
        if entry.morph is not None and entry.morph != role.morph:
            role = replace(role, morph=entry.morph, is_main=False)
    return role if is_swapped else None


def _refuse_nobody(keys: Keys, faceset: Faceset, everybody: Iterable[Who]) -> None:
    """Raise ConfigError where an entry is for nobody: its face would be drawn as somebody else's."""
    tracks = sorted({track for track, _ in everybody if track is not None})
    people = sorted({person for _, person in everybody if person is not None})
    for entry in keys.faces:
        if entry.track is not None and entry.track not in tracks:
            there = f"it has tracks {_spans(tracks)}" if tracks else "its faces are not tracked"
        elif isinstance(entry.person, int) and entry.person not in people:
            there = f"it has persons {_spans(people)}" if people else "it does not say who is who"
        else:
            continue
        raise ConfigError(
            f"'{keys.path}': there is no {entry.who} in the faceset '{faceset.folder}'; {there}. Correct or remove "
            "that entry; konterfei extract --person all keeps everybody's faces."
        )


def _spans(numbers: list[int]) -> str:
    """Ascending numbers in few words: "0 to 3, 5"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in spans)
