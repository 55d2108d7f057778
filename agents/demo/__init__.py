"""The demo: the real pipeline on a local stream of harmless pictures, and what it found."""
