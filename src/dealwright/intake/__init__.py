"""From a user's own tables, described by a mapping file, to a clean history and the rows set aside."""
