"""Programs that some tests need beside Python, and what to do where one is missing."""

import os
import shutil
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
NODE_MODULES = TESTS / "node_modules"
CHROMIUM = Path("/usr/bin/chromium")
CHROMEDRIVER = Path("/usr/bin/chromedriver")

PROGRAMS = {
    "browser": ("chromium", "chromedriver", "node_modules"),
    "node": ("node", "node_modules"),
    "needs_redis": ("redis-server",),
    "needs_nginx": ("nginx",),
    "needs_supervisor": ("supervisord",),
    "needs_autobahn": ("wstest",),
}
"""What the tests with a marker need. A test with none of these markers is ``plain``."""


def find(program: str) -> Path | None:
    """Return where a program (or the folder of npm packages) is, or ``None``."""
    if program == "node_modules":
        return NODE_MODULES if (NODE_MODULES / "pusher-js").is_dir() else None
    if program == "chromium":
        return CHROMIUM if CHROMIUM.exists() else None
    if program == "chromedriver":
        return CHROMEDRIVER if CHROMEDRIVER.exists() else None
    if program == "wstest":
        path = os.environ.get("FIZZ_WSTEST", "")
    else:
        # Debian keeps daemons where a user's PATH may not reach.
        path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""
    return Path(path) if path and Path(path).exists() else None


def require(*programs: str) -> None:
    """Skip the test where one of them is missing, but fail it where ``CI`` is set."""
    missing = [program for program in programs if find(program) is None]
    if not missing:
        return
    reason = f"missing: {', '.join(missing)} (bin/test says how to install it)"
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        pytest.skip(reason)
    pytest.fail(reason, pytrace=False)
