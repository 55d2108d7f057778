"""A medium in, features by space out: with a stand-in that keeps count, and with real children."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image

from agents.benchmarks.hostile_media import FILMS, SOUNDS, Pixels, make_film
from gpu_kernels.arrays import take
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import SPACE as KEYPOINT_SPACE
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.registry import FACES, SPEECH_DETECTOR, VOICE
from gpu_kernels.sound import SOUND_SPACE, SoundFingerprint
from gpu_kernels.voice import NO_VOICES, Voices
from gpu_kernels.wire import Task
from monitors.cases import Consent
from monitors.deriving import (
    FACE_SPACE,
    FRAMES_PER_SECOND,
    MAX_SECONDS,
    VOICE_SPACE,
    Derived,
    derive,
    derive_subject,
)
from monitors.recognition import Recognition
from streams.errors import (
    LowDetailError,
    MediaError,
    SubjectUnclearError,
    UndecodableMediaError,
)
from streams.settings import Settings
from streams.types import DecodedMedia, Look, MediaKind
from tests.fakes import (
    FakeFilm,
    FakeRecogniser,
    a_melody,
    as_sound,
    faces_of,
    fingerprint_of,
    picture_bytes,
    unit_rows,
    voices_of,
)
from tests.gpu_kernels.vowels import vowels
from tests.weights import pulled, pulled_cache

SPACE = FakeRecogniser().space


def seconds_of(derived: Derived, space: str) -> list[float]:
    if space == KEYPOINT_SPACE:
        return [Keypoints.from_arrays(one).at_seconds for one in derived.features[space]]
    return [ImageFingerprint.from_arrays(one).at_seconds for one in derived.features[space]]


async def test_a_picture_has_one_frame_with_its_many_views_and_its_points() -> None:
    eyes = FakeRecogniser()
    derived = await derive(eyes, picture_bytes(1))
    assert (derived.kind, derived.seconds) == (MediaKind.IMAGE, 0)
    assert {space: len(prints) for space, prints in derived.features.items()} == {
        SPACE: 1,
        KEYPOINT_SPACE: 1,
    }
    assert eyes.tasks == [Task.REFERENCE, Task.KEYPOINTS]


async def test_a_film_is_looked_at_twice_a_second_part_by_part_and_heard_whole() -> None:
    film = FakeFilm(seconds=25, first=100, sound=as_sound(a_melody(1, 25)))
    eyes = FakeRecogniser(films={b"film": film}, most_seconds=10)
    told: list[tuple[float, float]] = []
    derived = await derive(eyes, b"film", lambda at, of: told.append((at, of)))
    assert [(one.start_seconds, one.sound) for one in eyes.looks] == [
        (0, True),
        (10, True),
        (20, True),
    ]
    assert told == [(10, 25), (20, 25), (25, 25)]
    assert {one.seed for one in eyes.looks} == {None}
    assert seconds_of(derived, SPACE) == [at / FRAMES_PER_SECOND for at in range(50)]
    assert seconds_of(derived, KEYPOINT_SPACE) == list(range(0, 25, 2))
    [heard] = derived.features[SOUND_SPACE]
    assert SoundFingerprint.from_arrays(dict(heard)).seconds == pytest.approx(25, abs=0.1)
    assert (derived.kind, derived.seconds) == (MediaKind.VIDEO, 25)
    assert set(eyes.tasks) == {Task.MOVING_REFERENCE, Task.KEYPOINTS, Task.SOUND}


WHOLE = Look(sound=True)


async def test_a_sound_that_reaches_further_than_its_parts_frames_is_joined_once() -> None:
    class Far(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = WHOLE) -> DecodedMedia:
            media = await super().decode(body, look)
            rest = self.films[b"film"].sound
            assert rest is not None
            first = 2 * round(look.start_seconds * rest.rate_hz)
            return replace(media, sound=replace(rest, pcm=rest.pcm[first:]))

    melody = a_melody(1, 25)
    film = FakeFilm(seconds=25, first=100, sound=as_sound(melody))
    derived = await derive(Far(films={b"film": film}, most_seconds=10), b"film")
    [arrays] = derived.features[SOUND_SPACE]
    assert SoundFingerprint.from_arrays(dict(arrays)).seconds == pytest.approx(
        len(melody) / 16_000, 0.01
    )


async def test_a_film_whose_sound_outlasts_its_pictures_is_a_film() -> None:
    class Outlasting(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = Look()) -> DecodedMedia:
            media = await super().decode(body, look)
            heard_alone = look.start_seconds > 0
            return replace(media, kind=MediaKind.AUDIO, frames=()) if heard_alone else media

    film = FakeFilm(seconds=12, first=100, sound=as_sound(a_melody(1)))
    derived = await derive(Outlasting(films={b"film": film}, most_seconds=10), b"film")
    assert derived.kind is MediaKind.VIDEO


async def test_a_film_is_enrolled_to_its_end_whatever_it_claims() -> None:
    film = FakeFilm(seconds=25, first=100, claims=1.0)
    eyes = FakeRecogniser(films={b"film": film}, most_seconds=10)
    derived = await derive(eyes, b"film")
    assert (derived.seconds, len(derived.features[SPACE])) == (25, 50)


async def test_a_film_whose_end_cannot_be_read_is_enrolled_as_far_as_it_goes() -> None:
    class Broken(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = Look()) -> DecodedMedia:
            if look.start_seconds > 0:
                raise UndecodableMediaError("nothing in this part")
            return await super().decode(body, look)

    film = FakeFilm(seconds=25, first=100)
    derived = await derive(Broken(films={b"film": film}, most_seconds=10), b"film")
    assert derived.seconds == 10


async def test_no_more_than_twenty_minutes_are_looked_at() -> None:
    film = FakeFilm(seconds=4000, first=100, still=True)
    eyes = FakeRecogniser(films={b"film": film}, most_seconds=500)
    assert (await derive(eyes, b"film")).seconds == 1500
    assert [one.start_seconds for one in eyes.looks] == [0, 500, 1000]
    assert MAX_SECONDS == 1200


async def test_a_decoder_that_gets_nowhere_is_not_asked_for_ever() -> None:
    film = FakeFilm(seconds=20, first=100, still=True)
    eyes = FakeRecogniser(films={b"film": film}, most_seconds=0.0)
    with pytest.raises(LowDetailError):
        await derive(eyes, b"film")
    assert eyes.asked == 1


async def test_frames_that_are_each_too_plain_are_told_by_their_order_alone() -> None:
    eyes = FakeRecogniser(detail=0.5)
    eyes.films = {
        b"many": FakeFilm(seconds=3, first=100),
        b"few": FakeFilm(seconds=2.5, first=100),
    }
    derived = await derive(eyes, b"many")
    assert len(derived.features[SPACE]) == 6
    with pytest.raises(LowDetailError):
        await derive(eyes, b"few")


class Unchanging(FakeRecogniser):
    """All frames look alike; the later ones are plain."""

    async def fingerprint_frames(self, frames, *, task=Task.QUERY):  # type: ignore[no-untyped-def]
        detail = self.detail if self.asked == 1 else 0.0
        one = fingerprint_of(7, space=self.space, detail=detail)
        return [replace(one, at_seconds=frame.at_seconds) for frame in frames]


async def test_a_film_of_nothing_but_black_is_no_reference_beside_its_sound() -> None:
    eyes = Unchanging(detail=0.0)
    eyes.films = {
        b"black": FakeFilm(seconds=90, first=100),
        b"heard": FakeFilm(seconds=8, first=100, sound=as_sound(a_melody(1, 8))),
    }
    with pytest.raises(LowDetailError):
        await derive(eyes, b"black")
    assert list((await derive(eyes, b"heard")).features) == [SOUND_SPACE]


async def test_plain_frames_of_a_film_that_never_changes_are_left_out() -> None:
    film = FakeFilm(seconds=20, first=100)
    derived = await derive(Unchanging(films={b"film": film}, most_seconds=5), b"film")
    assert seconds_of(derived, SPACE) == [n / 2 for n in range(10)]


async def test_plain_frames_of_a_short_film_are_left_out() -> None:
    class Fading(FakeRecogniser):
        async def fingerprint_frames(self, frames, *, task=Task.QUERY):  # type: ignore[no-untyped-def]
            self.detail = 0.5 if self.asked > 1 else 5.0
            return await super().fingerprint_frames(frames, task=task)

    film = FakeFilm(seconds=2, first=100)
    eyes = Fading(films={b"film": film}, most_seconds=1)
    derived = await derive(eyes, b"film")
    assert seconds_of(derived, SPACE) == [0, 0.5]


async def test_a_sound_of_too_little_is_no_reference() -> None:
    eyes = FakeRecogniser()
    eyes.films = {
        b"short": FakeFilm(seconds=2, sound=as_sound(a_melody(1, 2))),
        b"hum": FakeFilm(seconds=20, sound=as_sound(np.full(320_000, 0.1, np.float32))),
        b"melody": FakeFilm(seconds=8, sound=as_sound(a_melody(1, 8))),
    }
    for body in (b"short", b"hum"):
        with pytest.raises(LowDetailError):
            await derive(eyes, body)
    derived = await derive(eyes, b"melody")
    assert (derived.kind, list(derived.features)) == (MediaKind.AUDIO, [SOUND_SPACE])


async def test_a_negative_is_looked_at_as_a_strangers_medium_is() -> None:
    eyes = FakeRecogniser()
    await derive(eyes, picture_bytes(1), task=Task.QUERY)
    assert eyes.tasks == [Task.QUERY, Task.KEYPOINTS]


async def test_the_subjects_face_is_all_that_is_kept_of_a_picture() -> None:
    eyes = FakeRecogniser(faces_in={1: faces_of(7)})
    derived = await derive_subject(eyes, picture_bytes(1), Consent.FACE)
    assert list(derived.features) == [FACE_SPACE]
    rows = take(derived.features[FACE_SPACE][0], "embeddings", np.float32, (1, 128))
    np.testing.assert_allclose(rows, unit_rows(7, 1, 128), atol=1e-6)
    assert eyes.tasks == [Task.FACES]


@pytest.mark.parametrize(
    "faces",
    [
        {},
        {1: faces_of(7, 8)},
        {1: faces_of(7), 1001: faces_of(8)},
        {1: faces_of(7), 1001: faces_of(7, 8)},
    ],
    ids=["nobody", "two at once", "one after the other", "somebody joins"],
)
async def test_a_subject_who_is_not_alone_is_refused(faces: dict[int, object]) -> None:
    eyes = FakeRecogniser(faces_in=faces, frames=2)  # type: ignore[arg-type]
    with pytest.raises(SubjectUnclearError):
        await derive_subject(eyes, picture_bytes(1), Consent.FACE)


async def test_the_subjects_voice_is_all_that_is_kept_of_a_recording() -> None:
    film = FakeFilm(seconds=12, first=1, sound=as_sound(a_melody(1)))
    eyes = FakeRecogniser(films={b"film": film}, heard=voices_of(7))
    derived = await derive_subject(eyes, b"film", Consent.VOICE)
    assert list(derived.features) == [VOICE_SPACE]
    assert len(Voices.from_arrays(derived.features[VOICE_SPACE][0])) == 4
    assert eyes.tasks == [Task.VOICES]
    assert [one.sound for one in eyes.looks] == [True]


@pytest.mark.parametrize(
    "heard",
    [NO_VOICES, voices_of(7, windows=2), voices_of(7, 8, 9)],
    ids=["nobody", "too little", "three people"],
)
async def test_a_recording_of_no_clear_voice_is_refused(heard: Voices) -> None:
    film = FakeFilm(seconds=12, sound=as_sound(a_melody(1)))
    eyes = FakeRecogniser(films={b"sound": film}, heard=heard)
    with pytest.raises(SubjectUnclearError):
        await derive_subject(eyes, b"sound", Consent.VOICE)


async def test_a_medium_without_sound_has_no_voice() -> None:
    with pytest.raises(SubjectUnclearError):
        await derive_subject(FakeRecogniser(), picture_bytes(1), Consent.VOICE)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recognition(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Recognition]:
    """The real decoder and engine, one child each."""
    pulled()
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, engine_children=1, decoder_children=1)
    async with Recognition.from_settings(settings) as started:
        yield started


def grey(_place: int) -> Pixels:
    return np.full((96, 160, 3), 90, np.uint8)


def wave_file(samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> bytes:
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(as_sound(samples).pcm)
    return buffer.getvalue()


@pytest.mark.models
@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_film_has_frames_points_and_sound(recognition: Recognition) -> None:
    derived = await derive(recognition, make_film(FILMS["mp4"], 6.0))
    assert derived.kind is MediaKind.VIDEO
    assert derived.seconds == pytest.approx(6, abs=0.2)
    frames = seconds_of(derived, recognition.space)
    assert len(frames) >= 6
    assert frames == sorted(frames)
    assert len(derived.features[KEYPOINT_SPACE]) == 3
    [heard] = derived.features[SOUND_SPACE]
    assert SoundFingerprint.from_arrays(dict(heard)).seconds == pytest.approx(6, abs=0.3)


@pytest.mark.models
@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_flat_film_is_told_by_its_sound_or_not_at_all(
    recognition: Recognition,
) -> None:
    with pytest.raises(LowDetailError):
        await derive(recognition, make_film(FILMS["vp9"], 6.0, draw=grey))
    loud = await derive(recognition, make_film(FILMS["mp4"], 6.0, draw=grey))
    assert list(loud.features) == [SOUND_SPACE]


@pytest.mark.models
@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_sound_is_a_sound(recognition: Recognition) -> None:
    derived = await derive(recognition, make_film(SOUNDS["mp3"], 6.0))
    assert (derived.kind, list(derived.features)) == (MediaKind.AUDIO, [SOUND_SPACE])
    with pytest.raises(MediaError):
        await derive(recognition, b"ID3\x04 but no sound")


@pytest.mark.models
@pytest.mark.asyncio(loop_scope="module")
async def test_a_real_portrait_and_a_made_up_voice_are_a_subjects(
    recognition: Recognition,
) -> None:
    from skimage import data

    for weights in (FACES, SPEECH_DETECTOR, VOICE):
        pulled_cache(weights)
    buffer = io.BytesIO()
    portrait = Image.fromarray(data.astronaut())  # type: ignore[no-untyped-call]
    portrait.save(buffer, "PNG")
    face = await derive_subject(recognition, buffer.getvalue(), Consent.FACE)
    assert len(face.features[FACE_SPACE][0]["embeddings"]) == 1
    twice = Image.new("RGB", (1024, 512))
    twice.paste(portrait, (0, 0))
    twice.paste(portrait, (512, 0))
    buffer = io.BytesIO()
    twice.save(buffer, "PNG")
    with pytest.raises(SubjectUnclearError):
        await derive_subject(recognition, buffer.getvalue(), Consent.FACE)
    spoken = wave_file(vowels(120, 8, seed=1))
    voice = await derive_subject(recognition, spoken, Consent.VOICE)
    assert len(Voices.from_arrays(voice.features[VOICE_SPACE][0])) >= 3
    with pytest.raises(SubjectUnclearError):
        await derive_subject(recognition, wave_file(a_melody(1) * 0), Consent.VOICE)
