"""Balanced, compact territories: cells, flows between cells and centres, and who gets which."""
