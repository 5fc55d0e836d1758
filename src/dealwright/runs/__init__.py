"""A night as a whole: one request; one function that reads, plans, writes and publishes; runs read back."""
