"""History in, match model and evidence out; no database and no files inside."""
