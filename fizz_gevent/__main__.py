"""The first thing that runs: everything imported after this waits in greenlets, not in threads."""

from gevent import monkey

monkey.patch_all()

import sys  # noqa: E402

from fizz_gevent.cli import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
