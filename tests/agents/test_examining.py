"""`agents.examining`: which steps are taken in which order, which are not and why; what is kept."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace

import numpy as np
import pytest
import structlog

from agents.examined import Examined, Known
from agents.examining import MOST_SPEECH_BUDGET, Examiner
from agents.room import ROOM_BYTES, Place, Room
from agents.steps.examining import SPEECH_SECONDS
from agents.steps.inspecting import PARTLY_LOOKED, inspected
from agents.steps.seen import KEPT_FRAMES
from agents.steps.triaging import KeywordIndex
from alerts.policy import Calibration, Heard, Moving, Still
from gpu_kernels.fingerprint import ImageFingerprint
from gpu_kernels.keypoints import Keypoints
from gpu_kernels.lettering import Lettering, Line
from gpu_kernels.sound import SoundFingerprint, fingerprint_sound
from gpu_kernels.speech import Segment, Transcript
from gpu_kernels.wire import Task
from monitors.gallery import Gallery, Owner
from monitors.keywords import WatchedKeyword
from monitors.negatives import Negative
from monitors.recognition import STILL
from monitors.shelf import NegativeBank, Shelf
from streams.errors import DecoderCrashedError, UndecodableMediaError
from streams.types import (
    CaseId,
    ContentId,
    Decision,
    DecodedMedia,
    Frame,
    KeywordId,
    Look,
    MediaKind,
    Modality,
    Outcome,
    ReferenceId,
    Sound,
)
from tests.fakes import (
    FakeClock,
    FakeFilm,
    FakeRecogniser,
    a_melody,
    as_sound,
    faces_of,
    fingerprint_of,
    number_of,
    picture_bytes,
    unit_rows,
    voices_of,
)

NUMBERS = Calibration(
    still=Still(intercept=18.0, similarity=15.0, hash=0.7, plain=2.0, points=4.0),
    moving=Moving(intercept=12.0, similarity=12.0, frames=1.5, pattern=1.0, points=3.0),
    heard=Heard(intercept=-9.0, similarity=20.0),
    alert=0.994,
    review=0.95,
)
SPACE = FakeRecogniser().space
MELODIES = {number: a_melody(number, 20) for number in (1, 2)}
AFTERWARDS = {"nudity"}
"""Told of what is looked at once everything is judged."""


def owner(number: int) -> Owner:
    return Owner(
        case=CaseId(f"case {number}"),
        reference=ReferenceId(f"reference {number}"),
        content=ContentId(f"content {number}"),
    )


@dataclass
class Watch:
    """A gallery in the making: each addition is a reference of a case of its own."""

    shelf: Shelf = field(default_factory=Shelf)
    negatives: NegativeBank = field(default_factory=NegativeBank)
    owners: list[Owner] = field(default_factory=list)
    keywords: list[WatchedKeyword] = field(default_factory=list)

    def _next(self) -> int:
        self.owners.append(owner(len(self.owners)))
        return len(self.owners) - 1

    def picture(self, number: int) -> None:
        ordinal = self._next()
        self.shelf.frames.add(ordinal, fingerprint_of(number))
        self.shelf.points[ordinal] = (points_of(number),)

    def film(self, first: int, seconds: int) -> None:
        ordinal = self._next()
        for at in range(2 * seconds):
            one = fingerprint_of(first + at // 2)
            self.shelf.frames.add(ordinal, replace(one, at_seconds=at / 2))

    def sound(self, number: int) -> None:
        self.shelf.sounds.add(self._next(), fingerprint_sound(MELODIES[number]))

    def face(self, person: int) -> None:
        self.shelf.faces[self._next()] = unit_rows(person, 1, 128)

    def voice(self, person: int) -> None:
        self.shelf.voices[self._next()] = voices_of(person)

    def word(self, text: str) -> None:
        self.keywords.append(
            WatchedKeyword(case=CaseId("words"), keyword=KeywordId("keyword"), text=text)
        )

    def known(self) -> Known:
        gallery = Gallery(
            version=1,
            owners=tuple(self.owners),
            shelf=self.shelf,
            keywords=tuple(self.keywords),
            negatives=self.negatives,
        )
        index = KeywordIndex(gallery.keywords)
        return Known(gallery=gallery, index=index, calibration=NUMBERS)


def points_of(number: int) -> Keypoints:
    random = np.random.default_rng(number)
    return Keypoints(
        width=640,
        height=480,
        points=random.uniform(0, 480, (60, 2)).astype(np.float32),
        descriptors=random.integers(0, 256, (60, 128), np.uint8),
    )


@pytest.fixture
def watch() -> Watch:
    return Watch()


def everything(watch: Watch) -> Watch:
    watch.picture(900)
    watch.film(910, 8)
    watch.sound(2)
    watch.face(91)
    watch.voice(92)
    watch.word("haechi secret")
    return watch


def film(seconds: float = 20, **more: object) -> FakeFilm:
    """A stranger's film with sound."""
    made = FakeFilm(seconds=seconds, first=100, sound=as_sound(a_melody(7, seconds)))
    return replace(made, **more)  # type: ignore[arg-type]


@dataclass
class Ran:
    """An examination and what it told of."""

    examined: Examined
    steps: list[str]

    @property
    def skipped(self) -> list[str]:
        looked = self.examined.looked.skipped
        return [one for one in looked if one.split(":")[0] not in AFTERWARDS]


async def run(
    eyes: FakeRecogniser,
    watch: Watch,
    body: bytes = b"film",
    *,
    thorough: bool = False,
    seconds: float = 1e6,
    costs: Mapping[str, float] | None = None,
) -> Ran:
    """Examine; each step costs what is said, and nothing else takes time."""
    clock, steps = FakeClock(), list[str]()
    ends = clock.monotonic() + seconds

    def told(step: str, _seconds: float) -> None:
        clock.advance((costs or {}).get(step, 0.0))
        if step not in AFTERWARDS:
            steps.append(step)

    examiner = Examiner(eyes, thorough=thorough, told=told)
    examined = await examiner.examine(body, watch.known(), lambda: ends - clock.monotonic())
    return Ran(examined, steps)


ALL = [
    "dense",
    "unforeseen",
    "keypoints",
    "thorough_sound",
    "faces",
    "voices",
    "lettering",
    "speech",
]


async def test_the_steps_are_taken_in_their_order_while_nothing_is_decided(watch: Watch) -> None:
    ran = await run(FakeRecogniser(films={b"film": film()}), everything(watch))
    assert ran.steps == ["decode", "frames", "sound", *ALL]
    assert ran.skipped == []
    looked = ran.examined.looked
    assert (looked.kind, looked.seconds, looked.until_seconds) == (MediaKind.VIDEO, 20, 20)
    assert looked.frames == 40
    assert inspected(0, "", ran.examined.matches, looked).outcome is Outcome.CLEAR


async def test_what_is_decided_by_the_key_frames_is_looked_at_no_further(watch: Watch) -> None:
    watch.film(100, 20)
    eyes = FakeRecogniser(films={b"film": film(key_seconds=2.0)})
    ran = await run(eyes, everything(watch))
    assert ran.steps == ["decode", "frames", "sound"]
    assert ran.skipped == [f"{step}:decided" for step in ALL]
    assert ran.examined.matches[0].decision is Decision.ALERT
    assert (ran.examined.matches[0].case, ran.examined.looked.frames) == ("case 0", 10)
    assert not any(one.startswith("dense_rest") for one in ran.skipped)


async def test_a_thorough_examination_takes_every_step(watch: Watch) -> None:
    watch.film(100, 20)
    eyes = FakeRecogniser(films={b"film": film(key_seconds=2.0)})
    ran = await run(eyes, everything(watch), thorough=True)
    assert ran.steps[3:] == ALL
    assert ran.skipped == []


async def test_without_time_every_step_is_named_and_the_medium_is_partly_looked(
    watch: Watch,
) -> None:
    ran = await run(FakeRecogniser(films={b"film": film()}), everything(watch), seconds=0.2)
    assert ran.steps == ["decode", "frames", "sound"]
    assert ran.skipped == [f"{step}:no_time" for step in ALL]
    result = inspected(0, "", ran.examined.matches, ran.examined.looked)
    assert (result.outcome, result.reason) == (Outcome.CLEAR, PARTLY_LOOKED)


async def test_time_that_runs_out_on_the_way_costs_the_steps_that_need_more(watch: Watch) -> None:
    ran = await run(
        FakeRecogniser(films={b"film": film()}), everything(watch), seconds=10, costs={"dense": 8.5}
    )
    assert ran.steps[3:] == ["dense", "unforeseen", "keypoints", "faces", "voices"]
    assert ran.skipped == ["thorough_sound:no_time", "lettering:no_time", "speech:no_time"]


async def test_a_film_is_looked_at_densely_part_by_part_while_there_is_time(watch: Watch) -> None:
    eyes = FakeRecogniser(films={b"film": film(60)}, most_seconds=15)
    clock = FakeClock()
    ends = clock.monotonic() + 10
    watch.picture(900)

    class Slow(FakeRecogniser):
        async def fingerprint_frames(
            self, frames: Sequence[Frame], *, task: Task = Task.QUERY
        ) -> list[ImageFingerprint]:
            clock.advance(4)
            return await super().fingerprint_frames(frames, task=task)

    eyes = Slow(films=eyes.films, most_seconds=15)
    examined = await Examiner(eyes).examine(
        b"film", watch.known(), lambda: ends - clock.monotonic()
    )
    assert [one.start_seconds for one in eyes.looks] == [0, 0, 15]
    assert [one.frames_per_second for one in eyes.looks[1:]] == [1, 1]
    assert "dense_rest:no_time" in examined.looked.skipped
    assert (examined.looked.until_seconds, examined.looked.frames) == (30, 30)
    assert inspected(0, "", examined.matches, examined.looked).reason == PARTLY_LOOKED


async def test_a_film_is_looked_at_to_its_end_whatever_it_claims(watch: Watch) -> None:
    watch.film(140, 10)
    made = film(60, key_seconds=100.0, claims=1.0)
    ran = await run(FakeRecogniser(films={b"film": made}, most_seconds=15), watch, thorough=True)
    assert ran.examined.looked.until_seconds == 60
    assert ran.skipped == []
    assert ran.examined.matches[0].decision is Decision.ALERT


async def test_sound_that_was_not_heard_to_its_end_makes_a_clear_film_partly_looked(
    watch: Watch,
) -> None:
    class Deaf(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
            return replace(await super().decode(body, look), heard_end=False)

    ran = await run(Deaf(films={b"film": film()}), everything(watch))
    assert ran.skipped == ["sound_rest:cap"]
    assert inspected(0, "", [], ran.examined.looked).reason == PARTLY_LOOKED


async def test_where_a_film_is_looked_at_is_drawn_anew_for_each_part(watch: Watch) -> None:
    seeds = []
    for _ in range(2):
        eyes = FakeRecogniser(films={b"film": film(60)}, most_seconds=15)
        await run(eyes, everything(watch))
        found = [one.seed for one in eyes.looks]
        assert found[:5] == [None] * 5
        seeds += found[5:]
    assert None not in seeds
    assert len(set(seeds)) == len(seeds) == 8


class Decoyed(FakeRecogniser):
    """Whose film shows others wherever it can be foreseen that somebody looks."""

    async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
        return await super().decode(b"film" if look.seed is None else b"hidden", look)


async def test_a_film_between_decoys_is_seen_where_nobody_can_foresee_it(watch: Watch) -> None:
    watch.film(300, 30)
    films = {b"film": film(30), b"hidden": film(30, first=300)}
    ran = await run(Decoyed(films=films), watch)
    assert (ran.examined.matches[0].case, ran.examined.matches[0].decision) == (
        "case 0",
        Decision.ALERT,
    )
    assert ran.examined.looked.frames == 30
    assert ran.examined.looked.until_seconds == 30


async def test_what_the_regular_look_found_is_not_looked_at_again(watch: Watch) -> None:
    watch.film(100, 20)
    eyes = FakeRecogniser(films={b"film": film(20)})
    ran = await run(eyes, watch)
    assert "unforeseen:decided" in ran.skipped
    ran = await run(eyes, watch, thorough=True)
    assert ran.steps[3:5] == ["dense", "unforeseen"]
    assert [one.seed for one in eyes.looks if one.seed is not None] == []


async def test_a_draw_can_be_given(watch: Watch) -> None:
    eyes = FakeRecogniser(films={b"film": film()})
    await Examiner(eyes, draw=lambda: 7).examine(b"film", watch.known(), lambda: 1e6)
    assert [one.seed for one in eyes.looks] == [None, None]
    watch.film(300, 9)
    await Examiner(eyes, draw=lambda: 7).examine(b"film", watch.known(), lambda: 1e6)
    assert [one.seed for one in eyes.looks[2:]] == [None, None, 7]


async def test_a_dense_look_that_sees_less_takes_no_key_frame_away(watch: Watch) -> None:
    class Blind(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
            media = await super().decode(body, look)
            return media if look.key_frames else replace(media, frames=media.frames[:2])

    eyes = Blind(films={b"film": film(key_seconds=2.0)})
    assert (await run(eyes, everything(watch))).examined.looked.frames == 11


@pytest.mark.parametrize("first", [100, None])
async def test_a_medium_that_was_not_read_to_its_end_is_partly_looked(
    watch: Watch, first: int | None
) -> None:
    class Stuck(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
            return replace(await super().decode(body, look), reached_end=False)

    eyes = Stuck(films={b"film": film(60, first=first, claims=1.0)}, most_seconds=15)
    ran = await run(eyes, everything(watch))
    assert ran.skipped == ["rest:cap"]
    result = inspected(0, "", ran.examined.matches, ran.examined.looked)
    assert (result.outcome, result.reason) == (Outcome.CLEAR, PARTLY_LOOKED)


async def test_a_part_that_breaks_the_decoder_takes_nothing_from_what_was_found(
    watch: Watch,
) -> None:
    """An attacker who breaks a film after the copy must not make it unreadable."""

    class Breaking(FakeRecogniser):
        async def decode(self, body: bytes, look: Look = STILL) -> DecodedMedia:
            if look.start_seconds > 0:
                raise DecoderCrashedError("killed its decoder")
            return await super().decode(body, look)

    watch.film(103, 10)
    eyes = Breaking(films={b"film": film(60, key_seconds=100.0)}, most_seconds=20)
    ran = await run(eyes, watch, thorough=True)
    assert "dense:crashed" in ran.skipped
    assert ran.examined.matches[0].decision is not Decision.NONE
    clear = inspected(0, "", [], ran.examined.looked)
    assert clear.reason == PARTLY_LOOKED


async def test_a_dense_look_ends_where_something_is_decided(watch: Watch) -> None:
    watch.film(105, 15)
    eyes = FakeRecogniser(films={b"film": film(60, key_seconds=100.0)}, most_seconds=20)
    ran = await run(eyes, watch)
    assert "dense_rest:decided" in ran.skipped
    assert eyes.looks[-1].start_seconds < 20
    assert ran.examined.matches[0].decision is Decision.ALERT
    assert ran.examined.looked.until_seconds < 60


async def test_a_still_picture_has_none_of_a_films_steps(watch: Watch) -> None:
    ran = await run(FakeRecogniser(), everything(watch), picture_bytes(1))
    assert ran.steps == ["decode", "frames", "sound", "keypoints", "faces", "lettering"]
    assert (ran.examined.looked.kind, ran.examined.looked.seconds) == (MediaKind.IMAGE, 0)


async def test_a_sound_has_none_of_a_pictures_steps(watch: Watch) -> None:
    eyes = FakeRecogniser(films={b"film": film(first=None)})
    ran = await run(eyes, everything(watch))
    assert ran.steps == ["decode", "frames", "sound", "thorough_sound", "voices", "speech"]
    assert (ran.examined.looked.kind, ran.examined.looked.frames) == (MediaKind.AUDIO, 0)


ADD: dict[str, tuple[Callable[[Watch], None], set[Task], bool]] = {
    "nobody": (lambda _: None, {Task.QUERY}, False),
    "a picture": (lambda watch: watch.picture(900), {Task.QUERY, Task.KEYPOINTS}, False),
    "a sound": (lambda watch: watch.sound(2), {Task.QUERY, Task.SOUND}, True),
    "a face": (lambda watch: watch.face(91), {Task.QUERY, Task.FACES}, False),
    "a voice": (lambda watch: watch.voice(92), {Task.QUERY, Task.VOICES}, True),
    "a word": (
        lambda watch: watch.word("haechi secret"),
        {Task.QUERY, Task.LETTERING, Task.SPEECH},
        True,
    ),
}


@pytest.mark.parametrize("what", ADD)
async def test_nothing_is_looked_for_that_nobody_could_be_found_by(watch: Watch, what: str) -> None:
    add, tasks, hears = ADD[what]
    add(watch)
    eyes = FakeRecogniser(films={b"film": film()})
    ran = await run(eyes, watch)
    assert set(eyes.tasks) <= tasks
    assert set(eyes.tasks) >= tasks - {Task.KEYPOINTS}
    assert eyes.looks[0].sound is hears
    assert ran.skipped == []


async def test_what_a_later_snapshot_added_is_not_found(watch: Watch) -> None:
    earlier = replace(watch.known())
    watch.film(100, 20)
    watch.sound(1)
    watch.face(7)
    watch.voice(8)
    earlier = replace(earlier, gallery=replace(earlier.gallery, shelf=watch.shelf))
    eyes = FakeRecogniser(
        films={b"film": film(sound=as_sound(MELODIES[1]))},
        heard=voices_of(8),
        faces_in={number: faces_of(7) for number in range(100, 120)},
    )
    examined = await Examiner(eyes).examine(b"film", earlier, lambda: 1e6)
    assert examined.matches == []
    assert examined.findings.subjects == []


async def test_a_copied_sound_is_found_under_other_pictures(watch: Watch) -> None:
    watch.sound(1)
    ran = await run(FakeRecogniser(films={b"film": film(sound=as_sound(MELODIES[1]))}), watch)
    [match] = ran.examined.matches
    [evidence] = match.evidence
    assert (evidence.modality, match.decision) == (Modality.AUDIO, Decision.ALERT)
    assert evidence.query_span_seconds == pytest.approx((0, 20), abs=0.5)


class Alike(FakeRecogniser):
    """Whose picture 2 is so much like picture 1."""

    cosine = 0.53

    async def fingerprint_frames(
        self, frames: Sequence[Frame], *, task: Task = Task.QUERY
    ) -> list[ImageFingerprint]:
        found = await super().fingerprint_frames(frames, task=task)
        return [
            replace(one, embeddings=self.mixed()) if number_of(frame) == 2 else one
            for one, frame in zip(found, frames, strict=True)
        ]

    def mixed(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        towards, other = fingerprint_of(1).embeddings[:1], fingerprint_of(2).embeddings[:1]
        beside = other - (other @ towards.T) * towards
        beside /= np.linalg.norm(beside)
        mix = self.cosine * towards + (1 - self.cosine**2) ** 0.5 * beside
        return np.repeat(mix, 2, axis=0).astype(np.float32)


async def test_local_features_are_compared_where_it_is_near_and_not_yet_decided(
    watch: Watch,
) -> None:
    watch.picture(1)
    eyes = Alike()
    ran = await run(eyes, watch, picture_bytes(2))
    assert ran.steps[-1] == "keypoints"
    points = ran.examined.findings.stills[0].points
    assert points is not None
    assert points.count < 5  # picture 2 shares none of picture 1's
    eyes.cosine = 0.15
    far = await run(eyes, watch, picture_bytes(2))
    assert far.examined.findings.stills[0].points is None


async def test_a_negative_takes_the_alarm_from_what_is_more_like_it(watch: Watch) -> None:
    watch.picture(1)
    watch.shelf.points[0] = (points_of(2),)
    before = await run(Alike(), watch, picture_bytes(2))
    assert before.examined.matches[0].decision is Decision.ALERT
    rejected = replace(fingerprint_of(2), embeddings=Alike().mixed())
    strangers = Negative(id="n", case=CaseId("another"), reference=None, fingerprints=())
    watch.negatives.add_frames(strangers, [rejected])
    others = await run(Alike(), watch, picture_bytes(2))
    assert others.examined.matches[0].decision is Decision.ALERT
    own = Negative(id="m", case=CaseId("case 0"), reference=None, fingerprints=())
    watch.negatives.add_frames(own, [rejected])
    after = await run(Alike(), watch, picture_bytes(2))
    assert after.examined.matches[0].decision is Decision.NONE
    copy = await run(Alike(), watch, picture_bytes(1))
    assert copy.examined.matches[0].decision is Decision.ALERT


async def test_the_subjects_face_and_voice_are_for_an_officer_to_judge(watch: Watch) -> None:
    watch.face(7)
    watch.voice(8)
    eyes = FakeRecogniser(
        films={b"film": film(sound=as_sound(MELODIES[1]))},
        heard=voices_of(9, 8),
        faces_in={number: faces_of(3, 7) for number in range(105, 110)},
    )
    ran = await run(eyes, watch)
    found = {match.case: match for match in ran.examined.matches}
    face, voice = found[CaseId("case 0")], found[CaseId("case 1")]
    assert {one.decision for one in found.values()} == {Decision.REVIEW}
    [seen], [heard] = face.evidence, voice.evidence
    assert (seen.modality, heard.modality) == (Modality.FACE, Modality.VOICE)
    assert seen.query_box == pytest.approx((0.5, 0, 0.75, 0.5))
    assert seen.query_span_seconds is not None
    assert 5 <= seen.query_span_seconds[0] <= seen.query_span_seconds[1] < 10
    assert heard.query_span_seconds == pytest.approx((3.2, 6.4))


def parts(value: object) -> list[object]:
    """Everything that hangs on a value."""
    found = [value]
    if is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            found += parts(getattr(value, one.name))
    elif isinstance(value, Mapping):
        found += [part for one in value.items() for part in parts(one)]
    elif isinstance(value, list | tuple | set | frozenset):
        found += [part for one in value for part in parts(one)]
    return found


async def test_of_strangers_faces_and_voices_no_feature_is_kept(watch: Watch) -> None:
    watch.face(91)
    watch.voice(92)
    eyes = FakeRecogniser(
        films={b"film": film()},
        heard=voices_of(8),
        faces_in={number: faces_of(3, 4) for number in range(100, 120)},
    )
    ran = await run(eyes, watch)
    assert {Task.FACES, Task.VOICES} <= set(eyes.tasks)
    assert all(match.decision is Decision.NONE for match in ran.examined.matches)
    told = replace(ran.examined, views=())
    assert not [one for one in parts(told) if isinstance(one, np.ndarray)]
    prints = [fingerprint_of(number, space=SPACE) for number in range(100, 120)]
    copies = {row.tobytes() for one in prints for row in one.embeddings}
    assert {view.vector.tobytes() for view in ran.examined.views} <= copies
    assert inspected(0, "", ran.examined.matches, ran.examined.looked).matches == ()


STRANGERS_WORDS = "a confession of pineapples"


async def test_what_is_written_and_said_is_searched_and_goes_no_further(watch: Watch) -> None:
    watch.word("haechi secret")
    line = Line(text=f"haechi secret {STRANGERS_WORDS}", box=(0, 0, 1, 0.1), confidence=0.9)  # type: ignore[arg-type]
    segment = Segment(
        text=f"haechi secret {STRANGERS_WORDS}",
        span=(1, 2),
        language="en",
        no_speech=0.1,
        log_probability=-0.1,
    )
    eyes = FakeRecogniser(
        films={b"film": film()},
        page=Lettering(lines=(line,)),
        said=Transcript(segments=(segment,), until_seconds=20),
    )
    with structlog.testing.capture_logs() as logs:
        ran = await run(eyes, watch)
    [match] = ran.examined.matches
    assert (match.case, match.decision) == ("words", Decision.REVIEW)
    assert {one.modality for one in match.evidence} <= {Modality.TEXT, Modality.SPEECH}
    for told in (repr(ran.examined), repr(logs), repr(ran.steps)):
        assert "pineapple" not in told
        assert "secret" not in told


async def test_speech_is_written_down_for_the_first_minute_and_the_time_there_is(
    watch: Watch,
) -> None:
    watch.word("haechi secret")
    lengths = []

    class Listening(FakeRecogniser):
        async def speech(self, sound, budget_seconds):  # type: ignore[no-untyped-def]
            lengths.append(sound.seconds)
            return await super().speech(sound, budget_seconds)

    eyes = Listening(films={b"film": film(90, first=None)}, most_seconds=90)
    ran = await run(eyes, watch, seconds=7.5)
    assert (eyes.budgets, lengths) == ([7.5], [SPEECH_SECONDS])
    assert ran.skipped == ["speech_rest:time_box"]
    await run(eyes, watch)
    assert eyes.budgets[-1] == MOST_SPEECH_BUDGET


async def test_speech_that_its_budget_cut_is_told(watch: Watch) -> None:
    watch.word("haechi secret")
    eyes = FakeRecogniser(films={b"film": film(90, first=None)}, most_seconds=90)
    eyes.said = Transcript(until_seconds=41.5)
    ran = await run(eyes, watch)
    assert ran.skipped == ["speech_rest:no_time"]
    assert inspected(0, "", [], ran.examined.looked).reason == PARTLY_LOOKED


async def test_reading_stops_between_two_frames_where_time_runs_out(watch: Watch) -> None:
    watch.word("haechi secret")
    clock = FakeClock()
    ends = clock.monotonic() + 5

    class Slow(FakeRecogniser):
        async def lettering(self, frame: Frame, budget_seconds: float) -> Lettering:
            clock.advance(1)
            return await super().lettering(frame, budget_seconds)

    eyes = Slow(films={b"film": film(20, sound=None)})
    examined = await Examiner(eyes).examine(
        b"film", watch.known(), lambda: ends - clock.monotonic()
    )
    assert eyes.tasks.count(Task.LETTERING) == 4
    assert examined.looked.skipped == ("lettering_rest:no_time",)


async def test_reading_all_frames_together_has_a_few_seconds_of_computing(watch: Watch) -> None:
    watch.word("haechi secret")
    eyes = FakeRecogniser(films={b"film": film(20, sound=None)}, page=Lettering(seconds=2.5))
    ran = await run(eyes, watch)
    assert eyes.page_budgets == [6.0, 3.5, 1.0]
    assert ran.skipped == ["lettering_rest:no_time"]
    eyes.page = Lettering(seconds=0.4)
    assert (await run(eyes, watch)).skipped == []
    assert len(eyes.page_budgets) == 3 + 12


async def test_a_page_that_was_cut_short_is_told(watch: Watch) -> None:
    watch.word("haechi secret")
    eyes = FakeRecogniser(page=Lettering(late=True, seconds=3))
    ran = await run(eyes, watch, picture_bytes(1), seconds=3)
    assert ran.skipped == ["lettering_rest:no_time"]
    assert eyes.page_budgets == [3]


async def test_a_page_that_ends_as_time_runs_out_was_read(watch: Watch) -> None:
    watch.word("haechi secret")
    ran = await run(FakeRecogniser(page=Lettering(seconds=6.5)), watch, picture_bytes(1))
    assert ran.skipped == []


async def test_no_more_than_a_dozen_frames_are_searched_for_faces_and_read(watch: Watch) -> None:
    watch.face(91)
    watch.word("haechi secret")
    eyes = FakeRecogniser(films={b"film": film(30, sound=None)})
    await run(eyes, watch)
    assert eyes.tasks.count(Task.FACES) == eyes.tasks.count(Task.LETTERING) == 12


async def test_what_cannot_be_decoded_is_said(watch: Watch) -> None:
    with pytest.raises(UndecodableMediaError):
        await run(FakeRecogniser(), watch, b"a text")


async def test_the_first_look_is_for_key_frames(watch: Watch) -> None:
    watch.sound(1)
    eyes = FakeRecogniser(films={b"film": film()})
    await run(eyes, watch)
    assert eyes.looks[0] == Look(key_frames=True, sound=True)


class Stuck(FakeRecogniser):
    """Whose engines never answer where they are asked for `stuck_at`."""

    stuck_at: Task | None = None

    async def _wait(self, task: Task) -> None:
        if task is self.stuck_at:
            await asyncio.sleep(60)

    async def fingerprint_frames(
        self, frames: Sequence[Frame], *, task: Task = Task.QUERY
    ) -> list[ImageFingerprint]:
        await self._wait(task)
        return await super().fingerprint_frames(frames, task=task)

    async def keypoints(self, frame: Frame) -> Keypoints:
        await self._wait(Task.KEYPOINTS)
        return await super().keypoints(frame)

    async def sound(self, sound: Sound) -> SoundFingerprint:
        await self._wait(Task.SOUND)
        return await super().sound(sound)

    async def lettering(self, frame: Frame, budget_seconds: float) -> Lettering:
        if self.tasks.count(Task.LETTERING):
            await self._wait(Task.LETTERING)
        return await super().lettering(frame, budget_seconds)

    async def nudity(self, frame: Frame) -> float:
        await self._wait(Task.NUDITY)
        return await super().nudity(frame)


async def hurried(eyes: FakeRecogniser, watch: Watch, body: bytes = b"film") -> Examined:
    """Examine for a moment, with time left for every step."""
    async with asyncio.timeout(10):
        return await Examiner(eyes).examine(body, watch.known(), lambda: 1e6, 0.2)


class StuckAlike(Stuck, Alike):
    """Both."""


async def test_what_was_found_before_the_medium_was_cut_is_judged(watch: Watch) -> None:
    """Others' heavy media must not take a copy's sighting from it."""
    watch.picture(1)
    eyes = StuckAlike()
    eyes.stuck_at = Task.KEYPOINTS
    examined = await hurried(eyes, watch, picture_bytes(2))
    assert examined.matches[0].decision is Decision.REVIEW
    assert examined.looked.skipped == ("keypoints:no_time",)


async def test_where_nothing_was_seen_in_time_there_is_nothing_to_judge(watch: Watch) -> None:
    everything(watch)
    eyes = Stuck(films={b"film": film()})
    eyes.stuck_at = Task.QUERY
    with pytest.raises(TimeoutError):
        await hurried(eyes, watch)
    heard = Stuck(films={b"film": film(first=None)})
    heard.stuck_at = Task.SOUND
    with pytest.raises(TimeoutError):
        await hurried(heard, watch)


async def test_a_sound_that_has_no_time_takes_nothing_from_the_pictures(watch: Watch) -> None:
    watch.film(100, 20)
    everything(watch)
    eyes = Stuck(films={b"film": film(key_seconds=2.0)})
    eyes.stuck_at = Task.SOUND
    examined = await hurried(eyes, watch)
    assert examined.matches[0].decision is Decision.ALERT
    assert "sound:no_time" in examined.looked.skipped


async def test_pages_read_before_the_cut_are_searched(watch: Watch) -> None:
    watch.word("haechi secret")
    line = Line(text="haechi secret", box=(0, 0, 1, 0.1), confidence=0.9)  # type: ignore[arg-type]
    eyes = Stuck(films={b"film": film(sound=None)}, page=Lettering(lines=(line,)))
    eyes.stuck_at = Task.LETTERING
    examined = await hurried(eyes, watch)
    assert examined.looked.skipped == ("lettering:no_time",)
    assert examined.matches[0].decision is Decision.REVIEW


async def test_nudity_that_has_no_time_takes_nothing_from_the_sighting(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.examining.NUDITY_SECONDS", 0.1)
    watch.picture(1)
    eyes = Stuck()
    eyes.stuck_at = Task.NUDITY
    examined = await hurried(eyes, watch, picture_bytes(1))
    assert examined.matches[0].decision is Decision.ALERT
    assert (examined.looked.nudity, examined.looked.skipped[-1]) == (None, "nudity:no_time")


async def test_of_a_long_film_only_some_pixels_are_held_and_its_copy_is_still_verified(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film of all key frames must not fill a worker's memory."""
    most: list[int] = []

    class Weighing(FakeRecogniser):
        async def keypoints(self, frame: Frame) -> Keypoints:
            compared.append(frame.at_seconds)
            return await super().keypoints(frame)

    def weigh(place: Place, size_bytes: int) -> None:
        most.append(size_bytes)

    monkeypatch.setattr(Place, "shrink_to", weigh)
    compared: list[float] = []
    watch.picture(130)
    eyes = Weighing(films={b"film": film(400, key_seconds=4, sound=None)}, most_seconds=96)
    ran = await run(eyes, watch, thorough=True)
    assert ran.examined.looked.frames == 400
    assert max(most) <= 3 * KEPT_FRAMES
    assert compared == [30]
    points = ran.examined.findings.stills[0].points
    assert points is not None
    assert points.count >= 20


async def test_a_medium_without_room_waits_and_then_has_seen_nothing(watch: Watch) -> None:
    room = Room()
    other = await room.take(ROOM_BYTES)
    examiner = Examiner(FakeRecogniser(), room=room)
    with pytest.raises(TimeoutError):
        await examiner.examine(picture_bytes(1), watch.known(), lambda: 1e6, 0.05)
    other.leave()
    for _ in range(2):
        await examiner.examine(picture_bytes(1), watch.known(), lambda: 1e6, 5)
    async with asyncio.timeout(1):  # all of it was given back, also by what failed
        with pytest.raises(UndecodableMediaError):
            await examiner.examine(b"text", watch.known(), lambda: 1e6, 5)
        await room.take(ROOM_BYTES)
