"""What flows, and how it gets in: domain types, wire schemas, sources and media."""
