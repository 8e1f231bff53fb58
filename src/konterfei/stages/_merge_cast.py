"""Which face of the plate is drawn by which model, and on whose consent.

The model of the command line draws every face that a `merge.toml` says nothing else of. Each model is loaded once, when
the first face needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from konterfei.compositing.keys import Keys, Who
from konterfei.enhancers import ENHANCERS, Enhancer
from konterfei.errors import ConfigError, ConsentError, NoFacesError
from konterfei.io.faceset import FaceRecord, Faceset
from konterfei.occluders import OCCLUDERS, Occluder
from konterfei.provenance.consent import Consent, require
from konterfei.provenance.credentials import Claim, FaceClaim, Material
from konterfei.provenance.label import wording
from konterfei.reporting import Reporter
from konterfei.stages import _merge_checks as checks
from konterfei.stages._merge_roles import FaceSwapper


@dataclass(frozen=True, kw_only=True)
class Role:
    """A model, how it draws, and on whose consent.

    Attributes:
        model, snapshot, morph: as in `_merge_checks.open_swapper`.
        consent: path of the record of the person whom it draws.
        use: what for, as that record names it.
        who: for whom it was asked, "person 1"; "" = on the command line.
        told: where, for messages.
    """

    model: Path
    snapshot: str = "newest"
    morph: float = 1.0
    consent: Path
    use: str | None = None
    who: str = field(default="", compare=False)
    told: str = field(default="", compare=False)

    def require(self) -> Consent:
        """Its consent record. Raises ConsentError where it is missing or does not cover the use."""
        try:
            return require(self.consent, use=self.use)
        except ConsentError as error:
            raise ConsentError(f"{self.told}: {error}" if self.told else str(error)) from error


@dataclass(frozen=True, kw_only=True)
class CastOpener:
    """Who is drawn by what; opens the models of a merge, in whatever process calls it. Made by `cast_for`.

    Attributes:
        roles: each face that is drawn (by track and person), and what draws it.
        main: the role of the command line.
        device, threads: as in `_merge_checks.open_swapper`.
        swapper: a model to use instead of that of `main`.
        segmenter: run or folder of an XSeg model; None = none.
        known: hash of the snapshot of each role, where they are known: another one is refused.
    """

    roles: tuple[tuple[Who, Role], ...]
    main: Role
    device: str = "auto"
    threads: int = 0
    swapper: FaceSwapper | None = None
    segmenter: Path | None = None
    known: tuple[tuple[Role, str], ...] = ()

    def __call__(self, reporter: Reporter) -> Cast:
        """The models, ready to draw when they are needed."""
        return Cast(self, reporter)

    def names(self, role: Role) -> str:
        """Whom a role draws, as they were named: "track 3, person 1"."""
        return ", ".join(dict.fromkeys(own.who for _, own in self.roles if own == role))

    def told(self) -> list[dict[str, Any]]:
        """Whom each model draws, as plain values: input of the manifest, number of the person, tracks of that person.

        A person, and the tracks, are None where they are not known.
        """
        drawn: dict[tuple[str, int | None], list[int | None]] = {}
        for (track, person), role in self.roles:
            drawn.setdefault((self.input_of("model", role), person), []).append(track)
        return [
            {"model": model, "person": person, "tracks": None if None in tracks else tracks}
            for (model, person), tracks in drawn.items()
        ]

    def input_of(self, what: str, role: Role) -> str:
        """Name of an input of the manifest: "model" of the command line's, "model of person 1" of another."""
        return what if role == self.main else f"{what} of {self.names(role)}"

    @property
    def in_order(self) -> list[Role]:
        """The roles that there are faces for, that of the command line first."""
        return sorted(dict.fromkeys(role for _, role in self.roles), key=lambda role: role != self.main)


class Cast:
    """The models of a merge. Made by a `CastOpener`.

    Args:
        opener: who is drawn by what.
        reporter: told of damaged snapshots.
        loaded: models that are open already.

    Attributes:
        segmenter: tells what of a face is covered; None = there is none.
    """

    def __init__(
        self, opener: CastOpener, reporter: Reporter, loaded: Mapping[Role, FaceSwapper] | None = None
    ) -> None:
        self._opener, self._reporter = opener, reporter
        self._roles = dict(opener.roles)
        path = opener.segmenter
        self.segmenter = None if path is None else checks.open_segmenter(path, opener.device, reporter)
        self._swappers: dict[Role, FaceSwapper] = {} if opener.swapper is None else {opener.main: opener.swapper}
        self._swappers |= loaded or {}
        self._occluders: dict[str, Occluder] = {}
        self._enhancers: dict[str, Enhancer] = {}

    def recast(self, opener: CastOpener) -> Cast:
        """Another cast, with the models that are open already."""
        cast = Cast(replace(opener, segmenter=None), self._reporter, self._swappers)
        cast.segmenter = self.segmenter
        return cast

    def swapper_for(self, record: FaceRecord) -> FaceSwapper | None:
        """The model that draws this face; None = it stays as it is."""
        role = self._roles.get((record.face.track, record.face.person))
        return None if role is None else self._swapper(role)

    def occluder(self, name: str) -> Occluder:
        """That of `OCCLUDERS`, opened once."""
        if name not in self._occluders:
            self._occluders[name] = OCCLUDERS.load(name)(self._opener.threads)
        return self._occluders[name]

    def enhancer(self, name: str) -> Enhancer:
        """The enhancer of this name; opened once."""
        if name not in self._enhancers:
            self._enhancers[name] = ENHANCERS.load(name)(self._opener.threads)
        return self._enhancers[name]

    @property
    def info(self) -> Mapping[str, Any]:
        """`Swapper.info` of the first model."""
        return self._swapper(self._opener.in_order[0]).info

    @property
    def resolution(self) -> int:
        """Side of the pictures that the first model draws, px."""
        return self._swapper(self._opener.in_order[0]).resolution

    @property
    def is_preview(self) -> bool:
        """Whether one of the models was trained too shortly for more than a first look."""
        return any(bool(self._swapper(role).info.get("is_preview")) for role in self._opener.in_order)

    def hashes(self) -> tuple[tuple[Role, str], ...]:
        """Of each role, that of its snapshot; see `CastOpener.known`."""
        return tuple((role, _hash_of(self._swapper(role))) for role in self._opener.in_order)

    def inputs(self) -> dict[str, dict[str, Any]]:
        """The models as inputs of a manifest: name -> path and hash."""
        models = {
            self._opener.input_of("model", role): checks.model_record(role.model, self._swapper(role))
            for role in self._opener.in_order
        }
        path = self._opener.segmenter
        return models if path is None else {**models, "segmenter": checks.segmenter_record(path, self.segmenter)}

    def consent_inputs(self, consents: Mapping[Role, Consent]) -> dict[str, dict[str, Any]]:
        """The consent records as inputs of a manifest: name -> path and hash."""
        return {
            self._opener.input_of("consent", role): {
                "path": str(role.consent.absolute()),
                "sha256": consents[role].sha256,
            }
            for role in self._opener.in_order
        }

    def label_text(self, label: str) -> str | None:
        """The words of the visible label; None for the style's own."""
        return f"{wording(label)} (PREVIEW)" if self.is_preview and label != "none" else None

    def claim(
        self,
        plate: Material,
        consents: Mapping[Role, Consent],
        *,
        label: str,
        src_videos: Iterable[Path],
        settings: Mapping[str, Any],
    ) -> Claim:
        """What the credentials say, but for the frames' counts.

        Args:
            plate: the dst video.
            consents: of each role.
            label, src_videos: as on the command line.
            settings: worth telling.
        """
        return Claim(
            plate=plate,
            consent=next(iter(consents.values())),
            model=str(self.info.get("model", "")),
            steps=int(self.info.get("steps", 0)),
            preset=str(self.info.get("preset", "")),
            frames_swapped=0,
            label=label,
            label_text=self.label_text(label),
            sources=self.sources(src_videos),
            use=self._opener.in_order[0].use,
            is_preview=self.is_preview,
            settings=settings,
            others=self.others(consents),
        )

    def others(self, consents: Mapping[Role, Consent]) -> tuple[FaceClaim, ...]:
        """What the credentials say of the models after the first."""
        return tuple(
            FaceClaim(
                who=self._opener.names(role),
                consent=consents[role],
                model=str(self._swapper(role).info.get("model", "")),
                steps=int(self._swapper(role).info.get("steps", 0)),
                preset=str(self._swapper(role).info.get("preset", "")),
                use=role.use,
            )
            for role in self._opener.in_order[1:]
        )

    def sources(self, src_videos: Iterable[Path]) -> tuple[Material, ...]:
        """What went into the result besides the plate: src material and snapshots of all models, each once.

        Args:
            src_videos: those of the command line's model.
        """
        found: dict[str, Material] = {}
        for role in self._opener.in_order:
            given = tuple(src_videos) if role == self._opener.main else ()
            for material in checks.sources(role.model, self._swapper(role), given):
                found.setdefault(material.sha256, material)
        return tuple(found.values())

    def _swapper(self, role: Role) -> FaceSwapper:
        if role not in self._swappers:
            device, threads = self._opener.device, self._opener.threads
            try:
                loaded = checks.open_swapper(role.model, device, threads, self._reporter, role.morph, role.snapshot)
            except ConfigError as error:
                if not role.told:
                    raise
                raise ConfigError(f"{role.told}: {str(error).removeprefix('--model: ')}") from error
            if dict(self._opener.known).get(role, _hash_of(loaded)) != _hash_of(loaded):
                raise ConfigError(
                    f"'{role.model}' was trained on while the merge began: there is a newer snapshot now. Run the same "
                    "command again; --snapshot with a step's number keeps to one."
                )
            self._swappers[role] = loaded
        return self._swappers[role]


def _hash_of(swapper: FaceSwapper) -> str:
    return str(swapper.info.get("snapshot_sha256", ""))


def cast_for(
    main: Role,
    keys: Keys,
    faceset: Faceset,
    frames: tuple[int, int | None] = (0, None),
    *,
    device: str = "auto",
    threads: int = 0,
    swapper: FaceSwapper | None = None,
) -> CastOpener:
    """Who is drawn by what. No model is loaded.

    Args:
        main: what draws every face that nothing else is said of.
        keys: what is said of single faces.
        faceset: of the plate.
        frames: first, and the one after the last, that are wanted; None = to the end.
        device, threads, swapper: see `CastOpener`.

    Raises:
        ConfigError: an entry is for a face that is not in the faceset.
        NoFacesError: every face there is to be left as it is.
    """
    _refuse_nobody(keys, faceset)
    start, stop = frames
    seen = {
        (record.face.track, record.face.person)
        for index in faceset.frame_indices()
        if index >= start and (stop is None or index < stop)
        for record in faceset.faces_at(index)
    }
    roles = [(who, _role_of(who, keys, main)) for who in sorted(seen, key=str)]
    drawn = tuple((who, role) for who, role in roles if role is not None)
    if not drawn and roles:
        raise NoFacesError(
            f"Nothing to do: '{keys.path}' says swap = false of every face in these frames. Remove that for those that "
            "are to be swapped."
        )
    return CastOpener(roles=drawn, main=main, device=device, threads=threads, swapper=swapper)


def _role_of(who: Who, keys: Keys, main: Role) -> Role | None:
    """What a face is drawn with; None = it is left as it is. A track's entry counts for more than its person's."""
    role, is_swapped = main, True
    for entry in keys.entries(who):
        told = f"'{keys.path}', {entry.who}"
        is_swapped = is_swapped if entry.swap is None else entry.swap
        if entry.model is not None:
            assert entry.consent is not None, "the file was checked"
            use = main.use if entry.use is None else entry.use
            role = Role(
                model=entry.model,
                snapshot=entry.snapshot or "newest",
                consent=entry.consent,
                use=use,
                who=entry.who,
                told=told,
            )
        if entry.morph is not None and entry.morph != role.morph:
            role = replace(role, morph=entry.morph, who=entry.who, told=told)
    return role if is_swapped else None


def _refuse_nobody(keys: Keys, faceset: Faceset) -> None:
    """Raise ConfigError where an entry is for nobody: the face that it means would be drawn as somebody else's."""
    if not keys.faces:
        return
    faces = [record.face for record in faceset.records()]
    tracks = sorted({face.track for face in faces if face.track is not None})
    people = sorted({face.person for face in faces if face.person is not None})
    for entry in keys.faces:
        if entry.track is not None and entry.track not in tracks:
            there = f"it has tracks {_spans(tracks)}" if tracks else "its faces are not tracked"
        elif isinstance(entry.person, int) and entry.person not in people:
            there = f"it has persons {_spans(people)}" if people else "it does not say who is who: extract it again"
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
