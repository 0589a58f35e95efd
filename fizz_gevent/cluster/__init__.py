"""Where the truth that nodes share is kept."""
