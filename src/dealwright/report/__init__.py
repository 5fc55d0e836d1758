"""Pictures, pages and maps for people who would rather look than read."""
