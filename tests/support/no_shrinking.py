"""A plugin of pytest for runs that ask only whether a test fails: hypothesis looks for no smaller example."""

from hypothesis import Phase, settings

settings.register_profile("no shrinking", phases=(Phase.explicit, Phase.generate), database=None)
settings.load_profile("no shrinking")
