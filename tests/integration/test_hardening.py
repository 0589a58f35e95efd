"""Fizz with no rights at all, where nothing can be written: as its unit and its image run it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.programs import find
from tests.harness.server import PYTHON, ROOT

READ_ONLY = """
set -e
awk '{print $5}' /proc/self/mountinfo | while read -r mount; do
    case $mount in /proc*|/sys*|/dev*) continue ;; esac
    mount -o remount,bind,ro "$mount" 2>/dev/null || true
done
mount -o remount,bind,ro / || exit 77
if touch "$PWD/written" 2>/dev/null; then exit 78; fi
exec "$@"
"""
_MOST_EXPOSED = 20
"""Tenths, of 100; systemd calls what is below 25 OK."""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mounts as Linux has them")
def test_it_serves_without_rights_where_nothing_can_be_written(fizz: Start) -> None:
    unshare, setpriv = find("unshare"), find("setpriv")
    if unshare is None or setpriv is None or os.geteuid() != 0:
        pytest.skip("needs root, unshare and setpriv")
    if subprocess.run([unshare, "-m", "true"], capture_output=True).returncode != 0:
        pytest.skip("no mounts of one's own here")
    rights = [str(setpriv), "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all"]
    command = [str(unshare), "-m", "sh", "-c", READ_ONLY, "sh", *rights, *PYTHON]
    server = fizz(command=command, server={"workers": 1})
    status = Path(f"/proc/{server.pid}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    with server.client() as client:
        client.subscribe("orders")
        server.api().trigger("orders", "news", 1)
        assert client.expect("news") == 1
    server.stop()
    assert not (server.folder / "written").exists()
    assert "Read-only file system" in server.stderr  # of the control socket, and that is all
    assert len(server.stderr.splitlines()) <= 2, server.stderr


def test_the_unit_leaves_little_exposed() -> None:
    analyze = find("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    command = [str(analyze), "security", "--offline=true", f"--threshold={_MOST_EXPOSED}"]
    result = subprocess.run(
        [*command, str(ROOT / "etc" / "fizz.service")], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout[-300:] + result.stderr
