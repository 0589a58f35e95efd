"""What a machine says that has no memory for a socket just now; it is nobody's fault and passes."""

import errno

OUT_OF_MEMORY = (errno.ENOBUFS, errno.ENOMEM)
PAUSE_SECONDS = 0.1
"""Until it may have memory again."""
