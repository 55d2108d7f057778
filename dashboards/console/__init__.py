"""The removal officers' console."""
