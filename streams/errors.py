"""Every error this product raises on purpose.

StreamError
├── InvalidMessageError          never processable: dead letter at once, no retry
│   └── OversizedMessageError
├── MediaError                   one medium's counted outcome; never a dead letter
│   ├── MediaRefusedError            outcome `refused`
│   │   ├── ForbiddenAddressError        not a public address (SSRF), or a forbidden scheme or port
│   │   ├── TooManyRedirectsError
│   │   ├── MediaTooLargeError           bytes, pixels or frames over the cap
│   │   ├── LowDetailError               a reference that would match half the world
│   │   └── SubjectUnclearError          a portrait of nobody, or of several people
│   ├── MediaVanishedError           outcome `vanished`: 404, 410, 451
│   ├── UndecodableMediaError        outcome `unreadable`
│   │   ├── DecoderCrashedError          killed the decoder, or ran over its time or memory
│   │   └── UnreadableFileError          a local file that is missing or may not be read
│   └── MediaUnavailableError        try again later: time-out, refused connection, 429, 5xx
├── ConfigurationError           a setting, a model file or a machine that cannot work
│   ├── SourceGoneError              the source says that it is gone for good: 410
│   ├── RobotsDisallowError          robots.txt forbids it, and no legal basis is recorded
│   ├── ModelError                   a model's file is missing, altered or cannot be loaded
│   └── SandboxError                 no sandbox on this machine: nothing is decoded
├── CaseError                    a case's command that cannot be carried out
│   ├── UnknownCaseError
│   ├── CaseNotActiveError
│   └── NoConsentError               the case lacks the consent to a face or a voice
├── UnknownReferenceError        the case has no reference of this identifier
├── UnknownKeywordError          the case has no keyword of this identifier
├── UnknownNegativeError         no negative has this identifier
├── UnknownTaskError             no task has this identifier
├── UnknownSearchError           no search has this identifier
├── SearchUnattendedError        no collector carries the search out
├── AccountError                 a user of the console that cannot be added or changed
├── KeyDestroyedError            the case's key is gone: its features are unreadable for ever
├── SealError                    sealed bytes were altered, or belong to something else
└── TransientError               database, disk, broker or child: retried with capped back-off
    ├── DatabaseUnavailableError     locked, unreachable or a full disk
    ├── BrokerUnavailableError       did not acknowledge what was sent
    ├── GalleryStaleError            not confirmed lately: nothing is matched, nor called clear
    ├── InboxFullError               too many posts wait: sources pause, the push endpoint says 503
    ├── SourceError                  a source does not give; read again from its cursor, later
    │   ├── StalledError                 connected, but silent for too long
    │   ├── RateLimitedError             429; carries how long it asked to be left alone
    │   ├── UnauthorizedError            401, 403: a token that is missing, wrong or expired
    │   ├── OversizedAnswerError         more than is read of one answer
    │   └── ConsumerTooSlowError         it gave up on us
    └── EngineError                  an engine child died or does not answer
"""

from typing import ClassVar


class StreamError(Exception):
    """Base class of the errors raised on purpose."""

    reason: ClassVar[str] = "stream_error"
    """The metric label and dead-letter field: snake_case, never renamed."""


class InvalidMessageError(StreamError):
    """The message can never be processed; the shell sends it to the dead letters."""

    reason = "invalid_message"


class OversizedMessageError(InvalidMessageError):
    """The message is larger than a post may be."""

    reason = "oversized_message"


class MediaError(StreamError):
    """One medium could not be inspected; its outcome says how."""

    reason = "media"


class MediaRefusedError(MediaError):
    """The medium must not be fetched or decoded."""

    reason = "media_refused"


class ForbiddenAddressError(MediaRefusedError):
    """The URL leads to an address, a scheme or a port that the guard forbids."""

    reason = "forbidden_address"


class TooManyRedirectsError(MediaRefusedError):
    """More redirects than allowed."""

    reason = "too_many_redirects"


class MediaTooLargeError(MediaRefusedError):
    """More bytes, pixels or frames than allowed."""

    reason = "media_too_large"


class LowDetailError(MediaRefusedError):
    """Nothing in the picture tells it from another: as a reference it would match at random."""

    reason = "low_detail"


class SubjectUnclearError(MediaRefusedError):
    """A portrait that shows nobody or several people: no stranger's face or voice is kept."""

    reason = "subject_unclear"


class MediaVanishedError(MediaError):
    """The host says that it is gone; that may itself be a removal."""

    reason = "media_vanished"


class UndecodableMediaError(MediaError):
    """No decoder accepts these bytes."""

    reason = "undecodable_media"


class DecoderCrashedError(UndecodableMediaError):
    """The medium killed its decoder, or ran over its time or its memory."""

    reason = "decoder_crashed"


class UnreadableFileError(UndecodableMediaError):
    """A local file that is missing or may not be read."""

    reason = "unreadable_file"


class MediaUnavailableError(MediaError):
    """The host did not deliver this time; worth another try later."""

    reason = "media_unavailable"

    def __init__(self, message: str = "", *, retry_after_seconds: float | None = None) -> None:
        """Keep how long the host, or the breaker before it, asked to be left alone."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ConfigurationError(StreamError):
    """Haechi cannot work with these settings or on this machine."""

    reason = "configuration"


class SourceGoneError(ConfigurationError):
    """A source's host says that it is gone for good."""

    reason = "source_gone"


class RobotsDisallowError(ConfigurationError):
    """A host's robots.txt forbids what the operator asked for, without a recorded legal basis."""

    reason = "robots_disallow"


class ModelError(ConfigurationError):
    """A model's file is missing, altered or cannot be loaded."""

    reason = "model"


class SandboxError(ConfigurationError):
    """This machine offers no sandbox, so nothing is decoded."""

    reason = "sandbox"


class CaseError(StreamError):
    """A case's command that cannot be carried out."""

    reason = "case"


class UnknownCaseError(CaseError):
    """No case has this identifier or alias."""

    reason = "unknown_case"


class CaseNotActiveError(CaseError):
    """The case has no active legal basis."""

    reason = "case_not_active"


class NoConsentError(CaseError):
    """The subject has not consented to their face, or their voice, being known."""

    reason = "no_consent"


class UnknownReferenceError(StreamError):
    """The case has no reference of this identifier."""

    reason = "unknown_reference"


class UnknownKeywordError(StreamError):
    """The case has no keyword of this identifier."""

    reason = "unknown_keyword"


class UnknownNegativeError(StreamError):
    """No negative has this identifier."""

    reason = "unknown_negative"


class UnknownTaskError(StreamError):
    """No task has this identifier."""

    reason = "unknown_task"


class UnknownSearchError(StreamError):
    """No search has this identifier."""

    reason = "unknown_search"


class SearchUnattendedError(StreamError):
    """No collector carries the search out."""

    reason = "search_unattended"


class AccountError(StreamError):
    """A user of the console that cannot be added or changed."""

    reason = "account"


class KeyDestroyedError(StreamError):
    """The case's key was destroyed; what it sealed is unreadable for ever."""

    reason = "key_destroyed"


class SealError(StreamError):
    """Sealed bytes were altered, or sealed for another case or place."""

    reason = "seal"


class TransientError(StreamError):
    """Processable later; the caller retries with capped back-off."""

    reason = "transient"


class DatabaseUnavailableError(TransientError):
    """The database is locked, unreachable, or its disk is full."""

    reason = "database_unavailable"


class BrokerUnavailableError(TransientError):
    """The broker did not acknowledge a record."""

    reason = "broker_unavailable"


class GalleryStaleError(TransientError):
    """The gallery was not confirmed lately: a post compared with it would be a guess."""

    reason = "gallery_stale"


class InboxFullError(TransientError):
    """More posts wait than are taken in."""

    reason = "inbox_full"


class EngineError(TransientError):
    """An engine child died or does not answer."""

    reason = "engine"


class SourceError(TransientError):
    """A source of posts cannot be reached, or broke off."""

    reason = "source_unavailable"

    def __init__(self, message: str = "", *, retry_after_seconds: float | None = None) -> None:
        """Keep how long it asked to be left alone."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StalledError(SourceError):
    """The connection is open, and nothing has come through it for too long."""

    reason = "stalled"


class RateLimitedError(SourceError):
    """The source asks to be left alone for a while."""

    reason = "rate_limited"


class UnauthorizedError(SourceError):
    """The source does not accept the token: it is missing, wrong or expired."""

    reason = "unauthorized"


class OversizedAnswerError(SourceError):
    """The source answers with more than is read of one answer."""

    reason = "answer_too_large"


class ConsumerTooSlowError(SourceError):
    """The source dropped the connection because it was read too slowly."""

    reason = "consumer_too_slow"
