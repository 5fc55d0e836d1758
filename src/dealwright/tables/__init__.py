"""Read any company's tables: the reader, the mapping onto the canonical columns, the validator."""
