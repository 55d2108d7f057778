"""The pipeline: thin shells, each around one pure step."""
