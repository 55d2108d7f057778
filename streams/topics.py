"""Every topic's name, once. Keys are post keys; values are the JSON of `streams.schemas`."""

POSTS = "haechi.posts.v1"
"""`PostRecord`: from the collector to `triage`."""

INSPECTIONS_URGENT = "haechi.inspections.urgent.v1"
"""`InspectionRecord`: posts whose text names a keyword; from `triage` to `inspect`."""

INSPECTIONS_BULK = "haechi.inspections.bulk.v1"
"""`InspectionRecord`: every other post with media."""

SIGHTINGS = "haechi.sightings.v1"
"""`SightingRecord`: posts with a match; from `inspect` to `decide`."""

DEAD_LETTERS = "haechi.dead_letters.v1"
"""`DeadLetterRecord`: copies of the database's rows, for whoever listens."""

ALL = (POSTS, INSPECTIONS_URGENT, INSPECTIONS_BULK, SIGHTINGS, DEAD_LETTERS)
