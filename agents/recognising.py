"""What a worker recognises with: fetcher, decoder, engines and gallery, loaded when it starts."""

import asyncio
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis

from agents.steps.matching import match_frames
from agents.steps.triaging import KeywordIndex
from gpu_kernels.fingerprint import ImageFingerprint
from monitors import metrics
from monitors.database import Database
from monitors.gallery import Gallery, GalleryKeeper, check_spaces
from monitors.keystore import KeyStore
from monitors.recognition import Recognition
from streams.clock import Clock
from streams.errors import EngineError, GalleryStaleError
from streams.media.fetcher import FetchedMedia, FetchLimits, GuardedFetcher
from streams.media.politeness import LocalPoliteness, Politeness, RedisPoliteness
from streams.settings import Settings
from streams.types import DecodedMedia, Match

log = structlog.get_logger()

USER_AGENT = "Haechi/1 (finds re-uploads of registered footage)"


class Eyes:
    """Everything between an address and its matches. `open` it in the main thread.

    Args:
        settings: what to load.
        database: with the cases.
        clock: for the gallery's age.
    """

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._recognition: Recognition | None = None
        self._fetcher: GuardedFetcher | None = None
        self._redis: Redis | None = None
        self._keeper: GalleryKeeper | None = None
        self._index: tuple[Gallery | None, KeywordIndex] = (None, KeywordIndex(()))
        self.children_answer = True

    async def open(self) -> None:
        """Start the children and load the gallery.

        Raises:
            ConfigurationError: the model, the sandbox, or references without features in its space.
            EngineError: a child died before it was ready.
            DatabaseUnavailableError: the gallery cannot be read.
        """
        settings = self._settings
        if settings.fetch_allow:
            log.warning("private origins allowed", origins=" ".join(sorted(settings.fetch_allow)))
        self._fetcher = GuardedFetcher(
            USER_AGENT,
            self._politeness(),
            allow_origins=settings.fetch_allow,
            limits=FetchLimits(
                max_bytes=settings.fetch_max_bytes, total_seconds=settings.fetch_timeout_seconds
            ),
            clock=self._clock,
        )
        recognition = Recognition.from_settings(
            settings,
            on_batch=self._count,
            on_death=metrics.CHILD_DEATHS.labels("engine").inc,
        )
        await recognition.start()
        self._recognition = recognition
        self._keeper = GalleryKeeper(
            self._database,
            KeyStore(settings.keys_dir),
            self._clock,
            recognition.space,
            stale_seconds=settings.gallery_stale_seconds,
        )
        await asyncio.to_thread(self._check)
        await self.refresh()

    async def close(self) -> None:
        """End the children and the connections. Idempotent."""
        if self._recognition is not None:
            await self._recognition.close()
        if self._fetcher is not None:
            await self._fetcher.close()
        if self._redis is not None:
            await self._redis.aclose()
        self._recognition = self._fetcher = self._redis = None

    async def refresh(self) -> None:
        """Confirm the gallery, or load its next version.

        Raises:
            DatabaseUnavailableError: it was not confirmed, and grows stale.
        """
        try:
            gallery = await asyncio.to_thread(self._opened_keeper().refresh)
            metrics.GALLERY_REFERENCES.set(gallery.references)
            metrics.GALLERY_CASES.set(gallery.cases)
        finally:
            metrics.GALLERY_AGE.set(min(self.gallery_age_seconds or 0.0, 1e9))

    @property
    def gallery_age_seconds(self) -> float | None:
        """Since the gallery was confirmed; None before the first time."""
        return None if self._keeper is None else self._keeper.age_seconds()

    async def fetch(self, url: str) -> FetchedMedia:
        """Fetch a medium; see `GuardedFetcher.fetch`."""
        if self._fetcher is None:
            raise EngineError("the worker is closing")
        return await self._fetcher.fetch(url)

    async def decode(self, body: bytes) -> DecodedMedia:
        """Decode a medium; see `Recognition.decode`."""
        return await self._opened_recognition().decode(body)

    async def fingerprint_frames(self, media: DecodedMedia) -> list[ImageFingerprint]:
        """Fingerprint frames; see `Recognition.fingerprint_frames`."""
        try:
            prints = await self._opened_recognition().fingerprint_frames(media)
        except EngineError:
            self.children_answer = False
            raise
        self.children_answer = True
        return prints

    def match(self, prints: Sequence[ImageFingerprint]) -> Sequence[Match]:
        """Match one medium's frames. Blocks.

        Raises:
            GalleryStaleError: nothing may be matched now.
        """
        return match_frames(prints, self._fresh())

    def index(self) -> KeywordIndex:
        """Give the keywords in force, made ready once a version. For one thread at a time.

        Raises:
            GalleryStaleError: nothing may be matched now.
        """
        gallery = self._fresh()
        if self._index[0] is not gallery:
            self._index = (gallery, KeywordIndex(gallery.keywords))
        return self._index[1]

    def _fresh(self) -> Gallery:
        """Give the gallery; a post compared with the empty one of `current` would end as clear."""
        return self._opened_keeper().fresh()

    def _opened_keeper(self) -> GalleryKeeper:
        if self._keeper is None:
            raise GalleryStaleError("no gallery is loaded")
        return self._keeper

    def _opened_recognition(self) -> Recognition:
        if self._recognition is None:
            raise EngineError("no engine is loaded")
        return self._recognition

    def _check(self) -> None:
        space = self._opened_recognition().space
        with self._database.read() as connection:
            check_spaces(connection, space, self._clock.now())

    def _politeness(self) -> Politeness:
        url = self._settings.redis_url
        if url is None:
            return LocalPoliteness(clock=self._clock)
        self._redis = Redis.from_url(url.get_secret_value())
        return RedisPoliteness(self._redis, clock=self._clock)

    def _count(self, seconds: float, views: int) -> None:
        metrics.ENGINE_BATCH_SECONDS.labels(self._settings.engine).observe(seconds)
        metrics.ENGINE_IMAGES.labels(self._settings.engine).inc(views)
