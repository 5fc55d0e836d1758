"""The next best action: what may be done, what it would bring, and the choice between all of it."""
