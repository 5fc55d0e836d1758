"""A user's own tables, read through a mapping file into checked frames; every bad row is set aside with its reason."""
