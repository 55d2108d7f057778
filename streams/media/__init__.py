"""Media from a hostile network: the guarded fetcher and the sandboxed decoder."""
