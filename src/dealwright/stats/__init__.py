"""Statistics that learning and the nightly plan share: generalised linear models, links, measures."""
