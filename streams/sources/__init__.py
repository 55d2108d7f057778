"""Where posts come from: one file a source, each a `Source`."""
