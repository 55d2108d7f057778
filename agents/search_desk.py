"""What searches are carried out with: the enabled services, a case's words, what was seen."""

from collections.abc import Sequence

from agents.filing import Filing
from agents.intake import Intake
from agents.one_search import SearchDesk
from agents.seen_again import SeenAgain
from monitors.keystore import KeyStore
from monitors.keywords import WatchedKeyword
from monitors.lookback import DEFAULT_LOOKBACK, load_lookback, may_hold, place_of
from monitors.register import CaseRegister
from monitors.spelling_changes import watched_keywords
from monitors.spellings import SLANG_SIMILARITY, in_force
from streams.clock import Clock
from streams.errors import KeyDestroyedError, SealError
from streams.settings import Settings
from streams.sources.catalogue import Catalogue
from streams.types import CaseId

MAX_WORDS = 30
"""Questions to one service: a case has some ten keywords, and services allow some 100 a minute."""

ACTOR = "haechi"


def words_to_ask(watched: Sequence[WatchedKeyword], most: int = MAX_WORDS) -> list[str]:
    """Choose what services are asked for: every keyword, then their spellings in turn.

    Services fold case and width themselves; what they do not know is slang and romanisation.
    """
    spellings = [
        [one.text, *(own.text for own in in_force(one) if own.similarity >= SLANG_SIMILARITY)]
        for one in watched
    ]
    longest = max(map(len, spellings), default=0)
    ranked = [some[place] for place in range(longest) for some in spellings if place < len(some)]
    return list(dict.fromkeys(ranked))[:most]


def build_search_desk(
    settings: Settings, catalogue: Catalogue, intake: Intake, filing: Filing, clock: Clock
) -> SearchDesk:
    """Build what the collector's searches need."""
    database = intake.database
    keystore = KeyStore(settings.keys_dir)
    register = CaseRegister(database, keystore, clock, actor=ACTOR)

    def watched(case: CaseId) -> Sequence[WatchedKeyword]:
        try:
            return watched_keywords(register, case)
        except (KeyDestroyedError, SealError):  # withdrawn meanwhile: nothing may be asked
            return []

    place = place_of(settings.home, settings.lookback_url)
    again = SeenAgain(
        database=database,
        keystore=keystore,
        open_store=lambda: load_lookback(DEFAULT_LOOKBACK, place) if may_hold(place) else None,
        file=filing.file,
        watched=watched,
        clock=clock,
        days=settings.lookback_days,
    )
    return SearchDesk(
        database=database,
        intake=intake,
        clock=clock,
        sources=catalogue.build_searches(clock),
        words=lambda case: words_to_ask(watched(case)),
        look_back=again.find if settings.lookback_days else None,
        seconds=settings.search_seconds,
    )
