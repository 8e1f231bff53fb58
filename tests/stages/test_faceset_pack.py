"""pack and unpack: the same folder again; nothing leaves the folder; what is damaged is listed."""

import stat
import struct
import zipfile

import pytest
from labelled_material import labelled

from konterfei.errors import Cancelled, ConfigError, DamagedFileError, FacesetError, OutputError
from konterfei.io import faceset_pack as packs
from konterfei.io.faceset import Faceset
from konterfei.io.faceset_order import FacesetOrder
from konterfei.reporting import Recorder
from konterfei.stages.faceset_pack import FacesetPackConfig, faceset_pack
from konterfei.stages.faceset_unpack import FacesetUnpackConfig, faceset_unpack


def pack(folder, output, **settings):
    return faceset_pack(FacesetPackConfig(faceset=folder, output=output, **settings), Recorder())


def unpack(file, output, reporter=None):
    return faceset_unpack(FacesetUnpackConfig(file=file, output=output), reporter or Recorder())


def content(folder):
    """Path within the folder -> bytes, of what is no cache and no lock."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


@pytest.fixture
def faces(tmp_path):
    folder = labelled(tmp_path / "anna")
    with Faceset.open(folder) as faceset:
        faceset.set_aside(["000003_0.jpg"], "blurred")
        FacesetOrder(by="yaw", names=tuple(faceset.names()), values=(1.0,) * 5).save(folder)
    return folder


def test_unpacked_is_what_was_packed(faces, tmp_path):
    made = pack(faces, tmp_path / "a")
    assert made.file == tmp_path / "a.faceset" and made.num_files == len(content(faces)) == 9
    told = unpack(made.file, tmp_path / "again")
    assert content(tmp_path / "again") == content(faces)
    assert (told.num_faces, told.num_new, told.skipped) == (5, 9, {})
    again, before = Faceset.open(tmp_path / "again"), Faceset.open(faces)
    assert again.content_hash() == before.content_hash()
    assert [batch.why for batch in again.set_asides()] == ["blurred"]
    assert FacesetOrder.load(tmp_path / "again") == FacesetOrder.load(faces)
    assert again.labelled() == before.labelled() != set()


def test_the_same_faceset_gives_the_same_bytes(faces, tmp_path):
    first = pack(faces, tmp_path / "a.zip").file.read_bytes()
    unpack(tmp_path / "a.zip", tmp_path / "again")
    assert pack(tmp_path / "again", tmp_path / "b.zip").file.read_bytes() == first
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None and archive.namelist()[0] == "faceset.json"


def test_again_is_nothing_to_do_and_another_is_not_written_over(faces, tmp_path):
    pack(faces, tmp_path / "a.zip")
    assert pack(faces, tmp_path / "a.zip").was_done
    unpack(tmp_path / "a.zip", tmp_path / "again")
    assert "Nothing to do" in unpack(tmp_path / "a.zip", tmp_path / "again").summary()[0]
    with Faceset.open(faces) as faceset:
        faceset.set_aside(["000001_0.jpg"], "more")
    with pytest.raises(OutputError, match="--force"):
        pack(faces, tmp_path / "a.zip")
    assert not pack(faces, tmp_path / "a.zip", force=True).was_done
    (tmp_path / "again" / "000000_0.jpg").write_bytes(b"another")
    with pytest.raises(OutputError, match="another one"):
        unpack(tmp_path / "a.zip", tmp_path / "again")
    with pytest.raises(ConfigError, match="outside"):
        pack(faces, faces / "a.zip")


def test_a_stopped_unpacking_is_no_faceset_yet_and_goes_on(faces, tmp_path):
    file = pack(faces, tmp_path / "a.zip").file

    class Stops(Recorder):
        asked = 0

        def take_stop(self):
            self.asked += 1
            return self.asked == 4

    with pytest.raises(Cancelled):
        unpack(file, tmp_path / "again", Stops())
    with pytest.raises(FacesetError):
        Faceset.open(tmp_path / "again")
    told = unpack(file, tmp_path / "again")
    assert 0 < told.num_new < 9 and content(tmp_path / "again") == content(faces)


@pytest.mark.parametrize(
    "name",
    ["../out.jpg", "/out.jpg", "trash/../../out.jpg", "a\\..\\..\\out.jpg", "c:out.jpg", "./x.jpg", "x//y.jpg"],
)
def test_paths_that_lead_out_are_listed_and_not_written(faces, tmp_path, name):
    file = pack(faces, tmp_path / "a.zip").file
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(name), b"bad")
    before = {path for path in tmp_path.rglob("*") if "again" not in path.parts}
    told = unpack(file, tmp_path / "in" / "again")
    assert list(told.skipped.values()) == ["its path leads out of the folder"]
    assert {path for path in tmp_path.rglob("*") if "in" not in path.relative_to(tmp_path).parts} == before
    assert content(tmp_path / "in" / "again") == content(faces)


def test_links_foreign_and_hidden_members_are_listed(faces, tmp_path):
    file = pack(faces, tmp_path / "a.zip").file
    link = zipfile.ZipInfo("link.jpg")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("sub/x.jpg", b"x")
        archive.writestr(".index.sqlite", b"x")
        archive.writestr("packed.txt", b"x" * 100, zipfile.ZIP_BZIP2)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("000000_0.jpg", b"second")
    told = unpack(file, tmp_path / "again")
    assert told.skipped.keys() == {"link.jpg", "sub/x.jpg", ".index.sqlite", "packed.txt", "000000_0.jpg"}
    assert content(tmp_path / "again") == content(faces)


def test_names_that_no_folder_takes_are_listed(faces, tmp_path):
    odd = ["a" * 300 + ".jpg", "顔" * 100 + ".jpg", "trash"]
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as archive:
        archive.write(faces / "faceset.json", "faceset.json")
        for name in odd:
            archive.writestr(name, b"x")
        archive.write(faces / "000001_0.jpg", "trash/000001_0.jpg")
    made = unpack(tmp_path / "odd.zip", tmp_path / "out")
    assert set(made.skipped) == set(odd)
    assert (tmp_path / "out" / "trash" / "000001_0.jpg").is_file()


def test_a_member_without_a_name_is_listed(faces, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(faces / "faceset.json", "faceset.json")
        archive.writestr("x", b"x")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.rindex(b"PK\x01\x02") + 46] = 0  # ends the name before it begins
    (tmp_path / "a.zip").write_bytes(data)
    assert "" in unpack(tmp_path / "a.zip", tmp_path / "out").skipped


def test_a_changed_byte_costs_one_crop(faces, tmp_path):
    file = pack(faces, tmp_path / "a.zip").file
    with zipfile.ZipFile(file) as archive:
        place = archive.getinfo("000004_0.jpg").header_offset + 200
    data = bytearray(file.read_bytes())
    data[place] ^= 0xFF
    file.write_bytes(data)
    told = unpack(file, tmp_path / "again")
    assert told.skipped == {"000004_0.jpg": "its content does not fit its checksum"}
    assert told.num_faces == 4 and not (tmp_path / "again" / "000004_0.jpg").exists()
    assert not [path for path in (tmp_path / "again").iterdir() if path.name.endswith(".part")]


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_pack_that_is_cut_off_gives_what_is_in_front_of_the_cut(faces, tmp_path, share):
    file = pack(faces, tmp_path / "a.zip").file
    whole = content(faces)
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    told = unpack(file, tmp_path / "again")
    came = content(tmp_path / "again")
    assert 0 < len(came) < len(whole) and all(whole[name] == data for name, data in came.items())
    assert len(told.skipped) <= 1


def test_a_member_that_swells_is_not_believed(faces, tmp_path):
    """An archive that announces little and unpacks to much costs no more disk than it announces."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(faces / "faceset.json", "faceset.json")
        archive.writestr("000000_0.jpg", b"\0" * 50_000_000)
    data = bytearray((tmp_path / "bomb.zip").read_bytes())
    at = data.rfind(b"PK\x01\x02")
    assert struct.unpack_from("<I", data, at + 24) == (50_000_000,)
    struct.pack_into("<I", data, at + 24, 100)
    (tmp_path / "bomb.zip").write_bytes(data)
    told = unpack(tmp_path / "bomb.zip", tmp_path / "again")
    assert told.skipped == {"000000_0.jpg": "it is larger than the pack says"}


def test_archives_of_other_programs_are_read(faces, tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trash/", b"")
        for name, data in reversed(content(faces).items()):
            archive.writestr(name, data)
    unpack(tmp_path / "other.zip", tmp_path / "again")
    assert content(tmp_path / "again") == content(faces)


def test_a_name_that_is_no_text_is_told(faces, tmp_path):
    (faces / "a\udcff.txt").write_text("x")
    with pytest.raises(FacesetError, match="faceset rename"):
        pack(faces, tmp_path / "a.faceset")


def test_what_is_no_pack_is_refused(faces, tmp_path):
    with pytest.raises(FacesetError, match="no file"):
        unpack(tmp_path / "no.zip", tmp_path / "x")
    (tmp_path / "text.zip").write_bytes(b"hello" * 100)
    with pytest.raises(DamagedFileError, match="no packed faceset"):
        unpack(tmp_path / "text.zip", tmp_path / "x")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        archive.writestr("a.jpg", b"x")
    with pytest.raises(DamagedFileError, match=r"faceset\.json"):
        unpack(tmp_path / "pictures.zip", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_memory_is_bounded(faces, tmp_path, monkeypatch):
    """Files go through in pieces: no read asks for more than a piece."""
    monkeypatch.setattr(packs, "_CHUNK", 256)
    asked = []
    opened = packs._opened

    def watched(path):
        file = opened(path)
        read = file.read
        return type("File", (), {
            "read": lambda self, size=-1: (asked.append(size), read(size))[1],
            "__enter__": lambda self: self, "__exit__": lambda self, *a: file.close(),
        })()  # fmt: skip

    monkeypatch.setattr(packs, "_opened", watched)
    packs.pack(faces, tmp_path / "a.zip", lambda done, total: None)
    assert set(asked) == {256} and len(asked) > 50
