"""How hypothesis searches here: without a clock, so that a busy machine fails nothing."""

from hypothesis import settings

settings.register_profile("transport", deadline=None, database=None)
settings.load_profile("transport")
