"""One command per file; each only reads its arguments and names a verb."""
