"""Who visits whom when: prize-collecting routes with time windows, two engines, and one checker for both."""
