"""What lies beside the picture: subtitles, chapters, time code, title, languages."""

from fractions import Fraction

import av
import pytest
from video_fixtures import add_sound, make_clip, sound_of

from konterfei.io.video import join

SUBTITLES = "1\n00:00:00,000 --> 00:00:00,300\nhello\n\n2\n00:00:00,300 --> 00:00:00,500\nworld\n"
CHAPTERS = [
    {"id": 1, "start": 0, "end": 400, "time_base": Fraction(1, 1000), "metadata": {"title": "one"}},
    {"id": 2, "start": 400, "end": 800, "time_base": Fraction(1, 1000), "metadata": {"title": "two"}},
]


@pytest.fixture
def rich(tmp_path):
    """A Matroska file with everything."""
    sounding = add_sound(make_clip(tmp_path / "a.mp4"), tmp_path / "b.mp4", seconds=0.8)
    (tmp_path / "s.srt").write_text(SUBTITLES)
    path = tmp_path / "rich.mkv"
    with av.open(str(sounding)) as source, av.open(str(tmp_path / "s.srt")) as text, av.open(str(path), "w") as sink:
        made = {stream.index: sink.add_stream_from_template(stream) for stream in source.streams}
        words = sink.add_stream_from_template(text.streams.subtitles[0])
        words.metadata["language"] = "deu"
        sink.streams.video[0].metadata["timecode"] = "01:02:03:04"
        sink.metadata.update({"title": "A title", "artist": "Somebody", "location": "+52.5+013.4/"})
        sink.set_chapters(CHAPTERS)
        for packet in source.demux():
            if packet.size:
                packet.stream = made[packet.stream.index]
                sink.mux(packet)
        for packet in text.demux():
            if packet.size:
                packet.stream = words
                sink.mux(packet)
    return path


def texts(path):
    with av.open(str(path)) as container:
        return [bytes(p).decode() for p in container.demux(container.streams.subtitles[0]) if p.size]


def chapters(container):
    return [(c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in container.chapters()]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_all_that_the_container_holds_is_carried_over(tmp_path, rich, suffix):
    output = tmp_path / f"out{suffix}"
    notes = join([make_clip(tmp_path / "part.mp4")], output, audio_from=rich)
    assert [data for _, data in sound_of(output)] == [data for _, data in sound_of(rich)]
    with av.open(str(output)) as container:
        assert chapters(container) == [("one", 0.0), ("two", 0.4)]
        assert {k.lower(): v for k, v in container.metadata.items()}["title"] == "A title"
        codes = {
            value for stream in container.streams for key, value in stream.metadata.items() if key.lower() == "timecode"
        }
        assert codes == {"01:02:03:04"}
        if suffix == ".mkv":
            assert container.streams.subtitles[0].language in ("deu", "ger")
    if suffix == ".mkv":
        assert texts(output) == texts(rich) == ["hello", "world"]
    else:
        assert any("Subtitles" in note and "left out" in note for note in notes)
    assert any("location" in note.lower() for note in notes)
    with av.open(str(output)) as container:
        assert "location" not in {key.lower() for key in container.metadata}


def test_time_code_and_chapters_go_from_quicktime_to_quicktime(tmp_path, rich):
    first, second = tmp_path / "first.mov", tmp_path / "second.mov"
    part = make_clip(tmp_path / "part.mp4")
    join([part], first, audio_from=rich)
    notes = join([part], second, audio_from=first)
    with av.open(str(second)) as container:
        codes = [stream for stream in container.streams.data if "timecode" in stream.metadata]
        assert [stream.metadata["timecode"] for stream in codes] == ["01:02:03:04"]
        assert chapters(container) == [("one", 0.0), ("two", 0.4)]
    assert not any("streams" in note for note in notes), notes


def test_webm_gets_sound_that_it_can_hold(tmp_path, rich):
    part, output = make_clip(tmp_path / "part.mp4", codec="vp9", preset="8"), tmp_path / "out.webm"
    notes = join([part], output, audio_from=rich)
    with av.open(str(output)) as container:
        assert container.streams.audio[0].codec_context.name in ("opus", "libopus")
    assert any("Opus" in note for note in notes) and any("time code" in note for note in notes)
