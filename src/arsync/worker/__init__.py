"""The jobs: which stage after which. The stages themselves meet only in the database."""
