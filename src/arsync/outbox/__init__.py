"""Sends what was decided, once, and writes it back. The outbox never plans."""
