"""Who is who over all clips: people with numbers that stay, and every decision of a person about them, to be undone.

What was decided or found once is never found anew: further clips are put to the people that are there, and nobody is
renumbered. A face is known by the hash of its record, so that crops may be renamed and moved between folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from konterfei.curation.clusters import NOBODY, Nodes, cluster, directions, parts
from konterfei.curation.decisions import Decision, now
from konterfei.curation.sightings import SAME_CLIP_FACTOR, Sightings, mean_of, nodes_of, same_in_clip, tracks_of
from konterfei.errors import ConfigError, UnknownNameError
from konterfei.reporting import Reporter

SURE_FACTOR = 1.3
"""How much more than the recognizer's own threshold two people have to resemble each other to become one: that one is
made for one pair, and among many people there are many pairs. 0.55 for mobilefacenet; `benchmarks/people.py`."""

NEW = "new"
"""In the place of a person: one who is not there yet."""

_NAME = re.compile(r"[^\W\d_](?:[\w .'-]{0,58}[\w'-])?")

Row = NDArray[np.int64]


@dataclass
class People:
    """The state: who is there, whose each face is.

    Attributes:
        threshold: mean cosine from which on faces were put together.
        same_person: the recognizer's own; people who resemble each other by it may be one.
        clips: folders of the facesets.
        members: digest of a face -> number of the person.
        clip_of: digest of a face -> index of its faceset.
        names: number -> name, of those who have one.
        portraits: number -> mean embedding and its weight. Everybody's whose faces were ever read.
        decisions: oldest first.
        next_number: of the next person who is found.
    """

    threshold: float
    same_person: float
    clips: list[Path] = field(default_factory=list)
    members: dict[str, int] = field(default_factory=dict)
    clip_of: dict[str, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    portraits: dict[int, tuple[NDArray[np.float64], float]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    next_number: int = 0

    # --- asking

    @property
    def numbers(self) -> list[int]:
        """Everybody who has a face or a name, ascending."""
        return sorted(set(self.members.values()) | set(self.names))

    def number_of(self, who: str) -> int:
        """The person called `who`: a number, or a name.

        Raises:
            UnknownNameError: there is none.
        """
        known = {name: number for number, name in self.names.items()}
        if who in known:
            return known[who]
        if who.isdecimal() and int(who) in self.numbers:
            return int(who)
        raise UnknownNameError("person", who, [*known, *map(str, self.numbers)])

    def called(self, number: int) -> str:
        """The person in words: "anna (3)", or "person 3"."""
        return f"{self.names[number]} ({number})" if number in self.names else f"person {number}"

    def faces_of(self, number: int) -> list[str]:
        """Digests of a person's faces."""
        return [digest for digest, owner in self.members.items() if owner == number]

    def suggestions(self, seen: Sightings, most: int = 20) -> list[tuple[float, int, int]]:
        """Pairs of people who may be one: cosine of their mean directions and numbers, the likeliest first.

        Those who were seen in one frame, or whom somebody parted or said not to be the same, are left out.
        """
        numbers = [number for number in self.numbers if number in self.portraits]
        if len(numbers) < 2:
            return []
        frames = self._frames(seen)
        apart = {frozenset(pair) for decision in self.decisions for pair in decision.strangers}
        means = directions(np.array([self.portraits[number][0] for number in numbers], np.float32))
        found: list[tuple[float, int, int]] = []
        for place, number in enumerate(numbers):
            scores = means[place + 1 :] @ means[place]
            for other in np.flatnonzero(scores >= self.same_person).tolist():
                pair = (number, numbers[place + 1 + other])
                if frozenset(pair) not in apart and frames.get(pair[0], set()).isdisjoint(frames.get(pair[1], set())):
                    found.append((float(scores[other]), *pair))
            found = sorted(found, key=lambda item: (-item[0], item[1:]))[:most]
        return found

    def _frames(self, seen: Sightings) -> dict[int, set[tuple[int, str, int]]]:
        frames: dict[int, set[tuple[int, str, int]]] = {}
        for row, digest in enumerate(seen.digests):
            if digest in self.members:
                moment = (int(seen.clips[row]), seen.sources[row], seen.frames[row])
                frames.setdefault(self.members[digest], set()).add(moment)
        return frames

    # --- finding

    def find(self, seen: Sightings, reporter: Reporter) -> int:
        """Puts every face of `seen` that is nobody's yet to a person, one who is there or a new one.

        Faces of these facesets that are gone are left out; other facesets stay as they are.

        Returns:
            number of people who are new
        """
        self._adopt(seen)
        groups, owners = self._groups(seen)
        nodes = nodes_of(seen, groups, owners)
        missing = [number for number in self.numbers if number not in set(owners) and number in self.portraits]
        if missing:  # seen in clips that were not read now
            means = np.array([self.portraits[number][0] for number in missing])
            weights = np.array([self.portraits[number][1] for number in missing])
            nodes = Nodes(
                np.concatenate([nodes.sums, (means * weights[:, None]).astype(np.float32)]),
                np.concatenate([nodes.weights, weights]),
                [*nodes.frames, *(set() for _ in missing)],
                np.concatenate([nodes.owners, np.array(missing, np.int64)]),
            )
        labels = cluster(nodes, self.threshold, reporter)
        owner_of = {
            int(label): int(owner) for label, owner in zip(labels, nodes.owners, strict=True) if owner != NOBODY
        }
        fresh: dict[int, list[int]] = {}
        for label, rows in zip(labels.tolist(), groups, strict=False):
            if label not in owner_of:
                fresh.setdefault(label, []).extend(rows.tolist())
        ranked = sorted(
            fresh.items(),
            key=lambda item: (-len(item[1]), -seen.qualities[item[1]].sum(), min(seen.digests[row] for row in item[1])),
        )
        for label, _ in ranked:
            owner_of[label] = self.next_number
            self.next_number += 1
        for label, rows in zip(labels.tolist(), groups, strict=False):
            for row in rows.tolist():
                self.members.setdefault(seen.digests[row], owner_of[label])
        self.portray(seen)
        return len(fresh)

    def dissolve(self) -> None:
        """Makes nobody's the faces of everybody about whom nothing was decided: `find` puts them to people anew."""
        decided = set(self.names).union(*(decision.people for decision in self.decisions))
        for digest in [digest for digest, owner in self.members.items() if owner not in decided]:
            del self.members[digest]

    def _adopt(self, seen: Sightings) -> None:
        """Takes over where the faces are now, and leaves out those that are not there any more.

        Faces that come back, out of the trash for example, are whose they were decided to be.
        """
        places = [self._place(folder) for folder in seen.folders]
        read = set(places)
        here = set(seen.digests)
        gone = [digest for digest, clip in self.clip_of.items() if clip in read and digest not in here]
        for digest in gone:
            del self.clip_of[digest]
            self.members.pop(digest, None)
        decided = self._decided()
        for digest, clip in zip(seen.digests, seen.clips.tolist(), strict=True):
            self.clip_of[digest] = places[clip]
            if digest not in self.members and digest in decided:
                self.members[digest] = decided[digest]

    def _decided(self) -> dict[str, int]:
        """Digest -> whose it was decided to be, of every face that was ever moved; whoever became another is that."""
        decided: dict[str, int] = {}
        for decision in self.decisions:
            for source, to, digests in decision.moves:
                if decision.kind == "merge":
                    decided.update({digest: to for digest, owner in decided.items() if owner == source})
                decided.update(dict.fromkeys(digests, to))
        return decided

    def _place(self, folder: Path) -> int:
        if folder not in self.clips:
            self.clips.append(folder)
        return self.clips.index(folder)

    def _groups(self, seen: Sightings) -> tuple[list[Row], list[int]]:
        """Rows that are put to somebody together, and who each group is already."""
        known: dict[int, list[int]] = {}
        new: list[Row] = []
        for rows in tracks_of(seen):
            whose = [self.members.get(seen.digests[row], NOBODY) for row in rows]
            votes: dict[int, float] = {}
            for row, owner in zip(rows, whose, strict=True):
                if owner != NOBODY:
                    known.setdefault(owner, []).append(int(row))
                    votes[owner] = votes.get(owner, 0.0) + float(seen.qualities[row])
            rest = np.array([row for row, owner in zip(rows, whose, strict=True) if owner == NOBODY], np.int64)
            if len(rest) and votes:  # more of a track that is somebody's already
                owner = max(votes, key=lambda number: (votes[number], -number))
                known[owner] += rest.tolist()
            elif len(rest):
                new.append(rest)
        new = same_in_clip(seen, new, self.same_person * SAME_CLIP_FACTOR)
        owners = sorted(known)
        groups = [np.array(known[number], np.int64) for number in owners]
        return [*groups, *new], [*owners, *(NOBODY for _ in new)]

    def portray(self, seen: Sightings) -> None:
        """Measures everybody anew of whom faces are in `seen`; forgets the looks of those who are nobody any more."""
        rows: dict[int, list[int]] = {}
        for row, digest in enumerate(seen.digests):
            if digest in self.members:
                rows.setdefault(self.members[digest], []).append(row)
        for number, own in rows.items():
            ordered = np.array(sorted(own, key=lambda row: seen.digests[row]), np.int64)
            self.portraits[number] = (mean_of(seen, ordered), float(seen.qualities[ordered].sum()))
        there = set(self.numbers)
        self.portraits = {number: own for number, own in self.portraits.items() if number in there}

    # --- deciding

    def name(self, who: str, name: str) -> None:
        """Gives a person a name; an empty one takes it away."""
        number = self.number_of(who)
        if name and not _NAME.fullmatch(name):
            raise ConfigError(
                f"'{name}' is no name: a letter first, then letters, digits, spaces, dots, dashes and apostrophes, "
                "60 at most. It becomes the name of a folder."
            )
        taken = {own.casefold(): other for other, own in self.names.items() if other != number}
        if name.casefold() in taken:
            raise ConfigError(
                f"{self.called(taken[name.casefold()])} has that name. If they are one person, join them: "
                f"--merge {taken[name.casefold()]},{number}."
            )
        before = self.names.get(number, "")
        if name != before:
            said = f"person {number} is {name}" if name else f"person {number} has no name"
            self._decide(Decision(kind="name", when=now(), said=said, names={number: (before, name)}))

    def merge(self, who: Sequence[str]) -> None:
        """Makes one person of several: the first, who keeps number and name, or takes the first name that there is."""
        numbers = list(dict.fromkeys(self.number_of(one) for one in who))
        if len(numbers) < 2:
            raise ConfigError("--merge is given one person; it needs two or more, for example --merge 3,7.")
        into, others = numbers[0], numbers[1:]
        name = next((self.names[number] for number in numbers if number in self.names), "")
        names = {number: (self.names[number], "") for number in others if number in self.names}
        if name != self.names.get(into, ""):
            names[into] = ("", name)
        said = f"{', '.join(self.called(number) for number in others)} and {self.called(into)} are one"
        moves = tuple((number, into, tuple(self.faces_of(number))) for number in others)
        for number in others:
            self._pour(number, into)
        self._decide(Decision(kind="merge", when=now(), said=said, moves=moves, names=names))

    def _pour(self, number: int, into: int) -> None:
        """Adds one's portrait to the other's, for people whose clips cannot be read now."""
        if number in self.portraits and into in self.portraits:
            (mean, weight), (other, more) = self.portraits[into], self.portraits[number]
            self.portraits[into] = ((mean * weight + other * more) / (weight + more), weight + more)

    def split(self, who: str, seen: Sightings, into: int | None, reporter: Reporter) -> list[int]:
        """Parts a person into several: the largest part stays who they are. Gives the numbers of all parts.

        Args:
            who: the person.
            seen: the faces, theirs among them.
            into: number of parts; None = the most natural one.
            reporter: is told how far it is.

        Raises:
            ConfigError: there is only one track, or fewer than `into`.
        """
        number = self.number_of(who)
        own = [rows[[self.members.get(seen.digests[row]) == number for row in rows]] for rows in tracks_of(seen)]
        groups = [rows for rows in own if len(rows)]
        if len(groups) == 1:  # one track: then by its faces, there is nothing else to go by
            groups = [groups[0][place : place + 1] for place in range(len(groups[0]))]
        if len(groups) < (into or 2):
            raise ConfigError(
                f"{self.called(number)} has {len(groups)} faces in the facesets that can be read; "
                f"{into or 2} parts cannot be made of them. Move single faces with --move FACE={NEW}."
            )
        labels = parts(nodes_of(seen, groups), into, reporter)
        created = tuple(self.next_number + place for place in range(int(labels.max())))
        moves = tuple(
            (number, new, tuple(seen.digests[row] for place in np.flatnonzero(labels == part) for row in groups[place]))
            for part, new in enumerate(created, 1)
        )
        said = f"{self.called(number)} is {len(created) + 1} people: {', '.join(map(str, (number, *created)))}"
        self._decide(Decision(kind="split", when=now(), said=said, moves=moves, created=created))
        return [number, *created]

    def move(self, digests: Iterable[str], who: str) -> int:
        """Puts faces to another person, or to a `NEW` one; gives the number."""
        created = (self.next_number,) if who == NEW else ()
        to = created[0] if created else self.number_of(who)
        leaving: dict[int, list[str]] = {}
        for digest in dict.fromkeys(digests):
            if self.members[digest] != to:
                leaving.setdefault(self.members[digest], []).append(digest)
        moves = tuple((number, to, tuple(own)) for number, own in sorted(leaving.items()))
        if moves:
            count = sum(len(own) for _, _, own in moves)
            said = f"{count} face{'s' if count > 1 else ''} moved to {self.called(to)}"
            self._decide(Decision(kind="move", when=now(), said=said, moves=moves, created=created))
        return to

    def keep_apart(self, one: str, other: str) -> None:
        """Says that two people are not the same: they are not suggested any more."""
        pair = (self.number_of(one), self.number_of(other))
        if pair[0] == pair[1]:
            raise ConfigError(f"--apart names {self.called(pair[0])} twice; it needs two people. To part one: --split.")
        said = f"{self.called(pair[0])} and {self.called(pair[1])} are not the same"
        self._decide(Decision(kind="apart", when=now(), said=said, apart=pair))

    def _decide(self, decision: Decision) -> None:
        for _, to, digests in decision.moves:
            self.members.update(dict.fromkeys(digests, to))
        self._rename({number: after for number, (_, after) in decision.names.items()})
        self.next_number = max([self.next_number, *(number + 1 for number in decision.created)])
        self.decisions.append(decision)

    def undo(self) -> Decision:
        """Takes the last decision back: everything is as it was before, but for faces that came since.

        Those that came to a person whom the decision made go where that person came from.

        Raises:
            ConfigError: nothing was decided.
        """
        if not self.decisions:
            raise ConfigError("There is nothing to undo: no decision is left.")
        last = self.decisions.pop()
        for source, to, digests in last.moves:
            for digest in digests:
                if self.members.get(digest) == to:
                    self.members[digest] = source
        for source, to, _ in last.moves:
            if to in last.created:
                self.members.update(dict.fromkeys(self.faces_of(to), source))
        self._rename({number: before for number, (before, _) in last.names.items()})
        if last.created and self.next_number == max(last.created) + 1:
            self.next_number = min(last.created)
        return last

    def _rename(self, names: Mapping[int, str]) -> None:
        for number, name in names.items():
            if name:
                self.names[number] = name
            else:
                self.names.pop(number, None)

    def forget(self, numbers: Iterable[int]) -> None:
        """Removes people for good: name, looks, list of faces, and every decision about them."""
        gone = set(numbers)
        for digest in [digest for digest, owner in self.members.items() if owner in gone]:
            del self.members[digest]
            del self.clip_of[digest]
        for number in gone:
            self.names.pop(number, None)
            self.portraits.pop(number, None)
        self.decisions = [decision for decision in self.decisions if not decision.people & gone]
