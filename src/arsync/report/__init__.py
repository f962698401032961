"""What a controller reads: figures from the cache as sheets, the same for commands and pages. Nothing is written."""
