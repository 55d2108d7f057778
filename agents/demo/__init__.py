"""The demo: the real pipeline on a local stream of harmless media, and what it found."""
