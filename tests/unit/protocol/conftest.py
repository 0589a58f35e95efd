"""How hypothesis searches here: without a clock, so that a busy machine fails nothing."""

from hypothesis import settings

settings.register_profile("protocol", deadline=None, database=None)
settings.load_profile("protocol")
