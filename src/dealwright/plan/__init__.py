"""The nightly plan: pure typed stages over columnar frames; no database inside."""
