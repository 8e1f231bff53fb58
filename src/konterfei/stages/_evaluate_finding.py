"""Where things are that a manifest names: there, or elsewhere since the project was moved; the renders of a project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from konterfei.errors import ConfigError, DamagedFileError
from konterfei.io.manifest import Manifest
from konterfei.io.sequence import folder_of, is_pattern

_UP = 4
"""Folders above a render in which things of the same project may lie."""
_SUFFIX = ".manifest.json"


def find(recorded: str, near: Sequence[Path], is_it: Callable[[Path], bool]) -> Path | None:
    """Where a thing is now: where it was, else under one of the folders `near` by the end of its path.

    Args:
        recorded: path when it was noted.
        near: folders to look in, the nearest first.
        is_it: whether what lies at a path, other than the recorded one, is the thing.
    """
    path = Path(recorded)
    if _is_there(path):
        return path
    parts = [part for part in path.parts if part != path.anchor]
    for folder in near:
        for count in range(len(parts), 0, -1):
            moved = folder.joinpath(*parts[-count:])
            if _is_there(moved) and is_it(moved):
                return moved
    return None


def _is_there(path: Path) -> bool:
    return any(path.parent.glob("*")) if is_pattern(path) and not path.exists() else path.exists()


def near(render: Path, project: Path | None) -> list[Path]:
    """Folders in which what a render was made from may lie: its own and those above it, then the project's."""
    place = folder_of(render).absolute()
    above = list(place.parents)[:_UP]
    return [*above, *([project.absolute()] if project is not None and project.absolute() not in above else [])]


def merge_of(render: Path) -> Manifest | None:
    """The manifest of the merge that made `render`; None where there is none. Raises DamagedFileError."""
    found = Manifest.load(folder_of(render))
    return found if found is not None and found.stage == "merge" else None


def renders_of(project: Path) -> list[Path]:
    """Everything that a merge made in `project` (in its folder renders or at its top), or beside it with its models.

    Raises:
        ConfigError: there is no such folder, or nothing in it.
    """
    if not project.is_dir():
        raise ConfigError(f"--project: there is no folder '{project}'.")
    project = project.absolute()
    found = list(dict.fromkeys([*_merged(project / "renders"), *_merged(project, deep=False)]))
    for render in _merged(project.parent, deep=False):
        made = merge_of(render)
        models = (
            [Path(each.get("path", "")) for name, each in made.inputs.items() if name.startswith("model")]
            if made
            else []
        )
        if any(project in model.parents for model in models):
            found.append(render)
    if not found:
        raise ConfigError(
            f"--project: no render with a manifest lies in '{project / 'renders'}' or beside '{project}'. Name it: "
            "konterfei evaluate out.mp4"
        )
    return found


def chosen_renders(renders: Sequence[Path], project: Path | None) -> list[Path]:
    """Those named, which may be names of the project's renders.

    Raises:
        ConfigError: there is none of that name, or the same is named twice.
    """
    chosen: list[Path] = []
    for render in renders:
        if not _is_there(render) and project is not None:
            known = renders_of(project)
            same = [each for each in known if render.name in (each.name, each.stem)]
            if not same:
                names = ", ".join(each.name for each in known)
                raise ConfigError(f"There is no render '{render}' in the project '{project}'. It has: {names}.")
            render = same[0]
        if not _is_there(render):
            raise ConfigError(f"There is no video '{render}' to measure.")
        if any(render.resolve() == other.resolve() for other in chosen):
            raise ConfigError(f"'{render}' is named twice: there is nothing to compare.")
        chosen.append(render)
    return chosen


def _merged(folder: Path, *, deep: bool = True) -> Iterator[Path]:
    """What the complete manifests of merges in `folder` lie beside."""
    manifests = sorted(folder.glob(f"**/*{_SUFFIX}" if deep else f"*{_SUFFIX}"))
    places = [path.with_name(path.name.removesuffix(_SUFFIX)) for path in manifests]
    if deep:
        places += [path.parent for path in sorted(folder.glob("**/manifest.json"))]
    for place in places:
        try:
            made = merge_of(place) if place.exists() else None
        except DamagedFileError:
            continue  # what cannot be read cannot be said to be a render
        if made is not None and made.complete:
            yield place
