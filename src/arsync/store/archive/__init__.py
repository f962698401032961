"""A whole database as rows in one form, whichever database it is in: for backups, restores and copies."""
