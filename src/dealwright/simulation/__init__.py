"""Synthetic companies whose truth is known, so that every claim can be checked against it."""
