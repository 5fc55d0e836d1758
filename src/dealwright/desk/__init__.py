"""The live desk: PostgreSQL is the engine; this package starts it, migrates it and speaks to it."""
