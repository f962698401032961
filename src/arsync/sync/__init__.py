"""Pulls from the source into the cache: backfill, delta, and single payers afresh. Sync never decides."""
