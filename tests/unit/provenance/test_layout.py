from __future__ import annotations

import struct
from pathlib import Path

import pytest

from konterfei.provenance import layout


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def wide(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4sQ", 1, kind, 16 + len(content)) + content


HEAD = box(b"ftyp", b"isom")


@pytest.mark.parametrize(
    ("data", "kinds", "cut"),
    [
        (HEAD + box(b"moov", b"x" * 9) + box(b"mdat", b"y" * 5), [b"ftyp", b"moov", b"mdat"], False),
        (HEAD + wide(b"mdat", b"y" * 5) + box(b"free"), [b"ftyp", b"mdat", b"free"], False),
        (HEAD + struct.pack(">I4s", 0, b"mdat") + b"to the end", [b"ftyp", b"mdat"], False),
        (HEAD + box(b"mdat", b"y" * 50)[:-1], [b"ftyp", b"mdat"], True),
        (HEAD + b"\0\0\0\x20mda", [b"ftyp"], False),
        (HEAD + struct.pack(">I4s", 4, b"moov") + b"zzzz", [b"ftyp"], False),
        (HEAD + struct.pack(">I4s", 1, b"mdat") + b"\0\0", [b"ftyp"], False),
        (HEAD + b"\0\0\0\x20\0\0\0\0" + b"z" * 40, [b"ftyp"], False),
        (b"", [], False),
        (b"RIFF....AVI LIST", [b"...."], True),
    ],
)
def test_boxes(data: bytes, kinds: list[bytes], cut: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(data)
    with path.open("rb") as file:
        assert [item.kind for item in layout.boxes(file)] == kinds
    assert layout.is_cut_off(path) is cut
    assert layout.is_bmff(path) is data.startswith(HEAD)


def test_credentials_are_known_by_their_uuid_only(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(HEAD + box(b"uuid", b"\1" * 16 + b"z"))
    assert not layout.has_credentials(path)
    path.write_bytes(HEAD + box(b"uuid", layout.CREDENTIALS_UUID + b"z"))
    assert layout.has_credentials(path)


def test_the_digest_covers_exactly_what_c2pa_leaves_out(tmp_path: Path) -> None:
    def digest(*parts: bytes) -> str:
        path = tmp_path / "a.mp4"
        path.write_bytes(b"".join(parts))
        return layout.unhashed_digest(path)

    plain = digest(HEAD, box(b"free", b"a"), box(b"moov", b"m"), box(b"mfra", b"f"))
    assert digest(HEAD, box(b"uuid", b"u" * 20), box(b"free", b"a"), box(b"moov", b"M"), box(b"mfra", b"f")) == plain
    for changed in (
        (box(b"ftyp", b"isoM"), box(b"free", b"a"), box(b"mfra", b"f")),
        (HEAD, box(b"free", b"A"), box(b"mfra", b"f")),
        (HEAD, box(b"skip", b"a"), box(b"mfra", b"f")),
        (HEAD, box(b"free", b"a"), box(b"mfra", b"F")),
        (HEAD, box(b"free", b"a"), box(b"mfra", b"f"), box(b"free")),
        (HEAD, box(b"mfra", b"f"), box(b"free", b"a")),
    ):
        assert digest(*changed) != plain
