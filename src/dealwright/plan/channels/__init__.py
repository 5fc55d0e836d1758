"""Capacity-constrained allocation of accounts to channels, with a proof of how good it is."""
