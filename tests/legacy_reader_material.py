"""DeepFaceLab's facesets read and written a second time, from dfl-spec 3.1, 3.2 and 3.5 alone, by Python's own pickle.

The reader fails where DeepFaceLab's fails, and has its quirks: no restart markers, JFIF or nothing in APP0, size from
SOF0 and SOF2 only, everything after SOS up to the first FF D9, the last place of a pak taken as it is. Only for bytes
that these tests made themselves.
"""

import io
import itertools
import pickle
import struct
import sys
from enum import IntEnum
from types import ModuleType

import cv2
import numpy as np

from drawn_faces import landmarks, picture
from konterfei.geometry import Crop, FaceType


class SampleType(IntEnum):
    IMAGE = 0
    FACE = 1


SampleType.__module__ = "samplelib.Sample"


class DflFaceType(IntEnum):
    HALF = 0
    MID_FULL = 1
    FULL = 2
    FULL_NO_ALIGN = 3
    WHOLE_FACE = 4
    HEAD = 10
    HEAD_NO_ALIGN = 20
    MARK_ONLY = 100


DflFaceType.__module__, DflFaceType.__qualname__, DflFaceType.__name__ = "facelib.FaceType", "FaceType", "FaceType"


def with_its_modules():
    """Python's pickle finds the two lists of choices where DeepFaceLab has them."""
    for name, member, attribute in (
        ("samplelib.Sample", SampleType, "SampleType"),
        ("facelib.FaceType", DflFaceType, "FaceType"),
    ):
        module = ModuleType(name)
        setattr(module, attribute, member)
        sys.modules.setdefault(name.split(".")[0], ModuleType(name.split(".")[0]))
        sys.modules[name] = module


class OldNames(pickle._Pickler):
    """Writes NumPy's names as NumPy 1 had them."""

    def save_global(self, obj, name=None):
        module = getattr(obj, "__module__", "") or ""
        if not module.startswith("numpy._core"):
            return super().save_global(obj, name)
        module = module.replace("numpy._core", "numpy.core")
        if self.proto >= 4:
            self.save(module)
            self.save(obj.__name__)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{obj.__name__}\n".encode())
        self.memoize(obj)
        return None


def dumped(value, protocol=4):
    file = io.BytesIO()
    OldNames(file, protocol).dump(value)
    return file.getvalue()


class Corrupted(Exception):
    pass


def segments(data):
    """Name or number of each marker, and its content."""
    at, found = 0, []
    while at < len(data):
        if data[at] != 0xFF:
            raise Corrupted(f"no marker at {at}")
        marker = data[at + 1]
        if marker == 0xD8:
            if at:
                raise Corrupted("a second SOI")
            found.append((marker, b""))
            at += 2
        elif 0xD0 <= marker <= 0xD7 or marker == 0xD9:
            found.append((marker, b""))
            at += 2
        elif marker == 0xDD:  # two bytes, and no length: so it reads on in the wrong place
            found.append((marker, data[at + 2 : at + 4]))
            at += 4
        else:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            content = data[at + 4 : at + 2 + length]
            at += 2 + length
            if marker == 0xDA:
                end = data.index(b"\xff\xd9", at)
                content += data[at:end]
                at = end
            found.append((marker, content))
    return found


def read_jpg(data):
    """The dict, and the shape; raises what DeepFaceLab would answer with "nothing"."""
    values, shape = {}, None
    for marker, content in segments(data):
        if marker == 0xE0 and not content.startswith(b"JFIF"):
            raise Corrupted("APP0 is not JFIF")
        if marker in (0xC0, 0xC2):
            shape = (*struct.unpack(">HH", content[1:5]), 3)
        if marker == 0xEF and not values:
            values = pickle.loads(content)
    return values, shape


def write_jpg(jpeg, values, protocol=4):
    """`jpeg` with the dict, right after the last APPn."""
    payload = dumped(values, protocol)
    place = at = 2
    while jpeg[at + 1] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        at += 2 + length
        if 0xE0 <= jpeg[at - 2 - length + 1] <= 0xEF:
            place = at
    return jpeg[:place] + b"\xff\xef" + struct.pack(">H", len(payload) + 2) + payload + jpeg[place:]


def read_pak(path):
    """Dicts of the table and files of the pictures, found as DeepFaceLab finds them."""
    with_its_modules()
    with path.open("rb") as file:
        version, size = struct.unpack("<QQ", file.read(16))
        assert version == 1
        configs = pickle.loads(file.read(size))
        places = struct.unpack(f"<{len(configs) + 1}Q", file.read(8 * (len(configs) + 1)))
        begin = file.tell()
        pictures = []
        for start, end in itertools.pairwise(places):
            file.seek(begin + start)
            pictures.append(file.read(end - start))  # the last one asks for too much, and gets what is there
    assert begin == 16 + size + 8 * len(places)
    assert places[-1] == path.stat().st_size  # absolute
    return configs, pictures


def write_pak(path, files, protocol=4, people=()):
    """A pak of (name, file) pairs."""
    with_its_modules()
    configs, pictures = [], []
    for number, (name, data) in enumerate(files):
        values, shape = read_jpg(data)
        configs.append(
            {
                "sample_type": SampleType.FACE,
                "filename": name,
                "face_type": DflFaceType(FaceType.from_dfl(values.get("face_type", "full_face")).dfl_value),
                "shape": shape,
                "landmarks": np.array(values["landmarks"]).tolist(),
                "seg_ie_polys": values.get("seg_ie_polys", {"polys": []}),
                "xseg_mask": None,
                "xseg_mask_compressed": values.get("xseg_mask"),
                "eyebrows_expand_mod": 1.0,
                "source_filename": values.get("source_filename"),
                "person_name": people[number] if people else None,
            }
        )
        pictures.append(data)
    table = dumped(configs, protocol)
    places = [sum(map(len, pictures[:number])) for number in range(len(pictures) + 1)]
    begin = 16 + len(table) + 8 * len(places)
    places[-1] += begin
    path.write_bytes(
        struct.pack("<QQ", 1, len(table)) + table + struct.pack(f"<{len(places)}Q", *places) + b"".join(pictures)
    )
    return path


def aligned(index=0, *, size=64, face_type=FaceType.WHOLE, skin=(225, 170, 140), quality=90, **changes):
    """An aligned picture as DeepFaceLab's extractor makes it of frame `index`: its JPEG, and its dict."""
    points = landmarks(index).astype(np.float64) + 0.1
    crop = Crop.fit(points, face_type, size)
    image = crop.cut(picture(points.astype(np.float32), skin))
    jpeg = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
    values = {
        "face_type": face_type.dfl_name,
        "landmarks": (crop.crop_from_frame @ points).tolist(),
        "source_filename": f"{index + 1:05d}.png",
        "source_rect": np.array([80, 50, 200, 190], np.int32),
        "source_landmarks": points.tolist(),
        "image_to_face_mat": np.array(crop.crop_from_frame.matrix),
    }
    values |= changes
    return jpeg, {key: value for key, value in values.items() if value is not None}


def write_aligned(folder, count=4, *, protocol=4, **changes):
    """A folder `aligned` of `count` frames."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        jpeg, values = aligned(index, **changes)
        (folder / f"{index + 1:05d}_0.jpg").write_bytes(write_jpg(jpeg, values, protocol))
    return folder


def mask_bytes(side=256, noise=0):
    """An applied mask as a file."""
    mask = np.zeros((side, side), np.uint8)
    cv2.circle(mask, (side // 2, side // 2), side // 3, 255, -1)
    if noise:
        mask = np.random.RandomState(0).randint(0, 256, mask.shape, np.uint8)
    return cv2.imencode(".png", mask)[1]
