"""The standing watch kept for each victim, and what watches the watch."""
