"""Every metric, once. Labels have fewer than 20 values; no identifier is ever one.

Touched by `agents`, `alerts` and `dashboards` alone: lower folders return values or raise.
"""

from prometheus_client import Counter, Gauge, Histogram

STAGE_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 120, 180, 300)
SLA_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 150, 180, 240, 300, 600)
"""Seconds; 180 is the objective of design.md."""

OBSERVED = Counter("haechi_posts_observed_total", "Posts received from a source", ["source"])
ENDED = Counter(
    "haechi_posts_total", "Posts that ended, by source and outcome", ["source", "outcome"]
)
MEDIA = Counter("haechi_media_total", "Media inspected, by outcome", ["outcome"])
REFUSED_POSTS = Counter(
    "haechi_posts_rejected_total", "Posts that a source could not take in", ["source"]
)
DUPLICATES = Counter(
    "haechi_records_duplicate_total", "Records of posts that had ended already", ["agent"]
)
REPRODUCED = Counter(
    "haechi_posts_reproduced_total", "Posts produced again since their outcome was overdue"
)
KEYWORD_HITS = Counter("haechi_keyword_hits_total", "Keywords of cases found in posts' text")
POSTPONED = Counter("haechi_posts_postponed_total", "Posts put off to a later try")
STEP_SECONDS = Histogram(
    "haechi_step_seconds", "One batch's step of an agent", ["agent"], buckets=STAGE_BUCKETS
)
STAGE_SECONDS = Histogram(
    "haechi_stage_seconds",
    "One item's stage: queue, fetch, decode, fingerprint, match, decide",
    ["stage"],
    buckets=STAGE_BUCKETS,
)
OBSERVED_TO_OUTCOME = Histogram(
    "haechi_observed_to_outcome_seconds", "Post observed to its outcome", buckets=SLA_BUCKETS
)
OBSERVED_TO_TASK = Histogram(
    "haechi_observed_to_task_seconds", "Post observed to its task open", buckets=SLA_BUCKETS
)
TASKS_OPENED = Counter("haechi_tasks_opened_total", "Takedown tasks opened", ["severity"])
QUARANTINED_SIGHTINGS = Counter(
    "haechi_quarantined_sightings_total", "Sightings that wait for the end of a quarantine"
)
QUARANTINED_REFERENCES = Gauge(
    "haechi_quarantined_references", "References in quarantine, by reason", ["reason"]
)
TASKS = Gauge("haechi_tasks", "Takedown tasks by status", ["status"])
REMEMBERED = Counter("haechi_fingerprints_remembered_total", "Fingerprints kept for looking back")
FORGOTTEN = Counter(
    "haechi_seen_forgotten_total", "What looking back kept and no longer does, by what", ["what"]
)
INBOX = Gauge("haechi_inbox_posts", "Posts that have not ended")
INBOX_AGE = Gauge("haechi_inbox_oldest_seconds", "Age of the oldest post that has not ended")
DEAD_LETTERS = Counter(
    "haechi_dead_letters_total", "Messages set aside, by agent and reason", ["agent", "reason"]
)
RETRIES = Counter(
    "haechi_retries_total", "Steps tried again, by agent and reason", ["agent", "reason"]
)
GALLERY_AGE = Gauge("haechi_gallery_age_seconds", "Since the gallery was last confirmed")
GALLERY_REFERENCES = Gauge("haechi_gallery_references", "References matched against")
GALLERY_CASES = Gauge("haechi_gallery_cases", "Cases that may lawfully be watched")
ENGINE_BATCH_SECONDS = Histogram(
    "haechi_engine_batch_seconds", "One call of an engine child", ["engine"], buckets=STAGE_BUCKETS
)
ENGINE_IMAGES = Counter("haechi_engine_images_total", "Views embedded", ["engine"])
CHILD_DEATHS = Counter(
    "haechi_child_deaths_total", "Children that died and were replaced", ["child"]
)
OUTBOX = Gauge("haechi_outbox_deliveries", "Webhook deliveries by status", ["status"])
WEBHOOKS = Counter("haechi_webhook_attempts_total", "Webhook attempts by result", ["result"])
LOGINS = Counter("haechi_logins_total", "Console log-ins by result", ["result"])
READY = Gauge("haechi_ready", "1 where the process says that it is ready")

STEPS_SKIPPED = Counter(
    "haechi_steps_skipped_total",
    "Steps of examining a medium that were not taken: step, and why (decided, no_time, time_box, "
    "no_model, crashed, cap).",
    ["step", "why"],
)

SOURCE_EVENTS = Counter(
    "haechi_source_events_total", "Events of a source, by kind", ["source", "kind"]
)
SOURCE_INTERRUPTIONS = Counter(
    "haechi_source_interruptions_total", "Times a source broke off, by reason", ["source", "reason"]
)
SOURCE_HEARD = Gauge("haechi_source_heard_seconds", "Since a source was last heard", ["source"])
SOURCE_LAG = Gauge(
    "haechi_source_lag_seconds", "How old a source's latest event was when it came", ["source"]
)
SOURCE_TROUBLE = Gauge(
    "haechi_source_troubles", "1 while a source has this trouble", ["source", "trouble"]
)
SOURCE_KIND_MISSING = Gauge(
    "haechi_source_missing_kinds", "1 while a kind of event is overdue", ["source", "kind"]
)
SOURCE_GAPS = Gauge("haechi_source_gaps", "Entries of the gap ledger", ["source", "state"])
LOCATIONS_GONE = Counter(
    "haechi_locations_gone_total", "Locations of tasks that their source said are gone"
)
SOURCE_LACKED = Counter(
    "haechi_source_lacked_posts_total", "Posts that another stream of the network gave", ["source"]
)
SEARCHES = Counter("haechi_searches_total", "Searches that ended, by state", ["state"])
SEARCH_SECONDS = Histogram(
    "haechi_search_seconds", "Search asked for to its end", buckets=SLA_BUCKETS
)
UNFILED = Gauge(
    "haechi_lookback_unfiled_fingerprints", "Fingerprints that wait for the look-back's store"
)
