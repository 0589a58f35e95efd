"""Commands find the server wherever it listens, and are told of nobody else's."""

import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Start
from tests.harness.certificates import Certificate, make_certificate
from tests.harness.commands import Listening, run_command
from tests.harness.programs import require
from tests.harness.server import FizzServer, free_port


def assert_reachable(server: FizzServer, environ: Mapping[str, str] | None = None) -> None:
    """Both ways of talking work: a request, and a WebSocket."""
    environ = environ or {}
    with Listening(server, "private-a", environ=environ) as listening:
        listening.wait_for("listening to private-a")
        words = ("trigger", "private-a", "--event=e", "--data=1", "--json")
        done = run_command(server, *words, environ=environ)
        assert done.json == {"channels": {"private-a": {"subscription_count": 1}}}
        assert listening.event().endswith("  private-a  e  1")
        assert listening.stop() == 0
        assert len(listening.said) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "::1", "localhost"])
def test_whatever_address_is_configured(fizz: Start, host: str) -> None:
    assert_reachable(fizz(server={"host": host}))


def test_behind_a_prefix(fizz: Start) -> None:
    """Protocol: §12.1: the prefix is sent and never signed."""
    assert_reachable(fizz(server={"path": "/ws/fizz"}))


def test_a_unix_socket(fizz: Start, tmp_path: Path) -> None:
    server = fizz(server={"host": f"unix:{tmp_path}/f.sock", "path": "/p", "port": 1})
    assert_reachable(server)
    server.stop()
    complaint = run_command(server, "channels").complaint
    assert complaint.startswith(f"fizz: cannot reach http on unix:{tmp_path}/f.sock/p (host: ")
    assert complaint.endswith("is the server running?")


def test_variables_lead_elsewhere(fizz: Start) -> None:
    """Another server's file, and the variables that applications have."""
    there = fizz()
    here = fizz(server={"host": "127.0.0.1"})
    words = ("trigger", "a", "--event=e", "--data=1")
    environ = {"FIZZ_HOST": "localhost", "FIZZ_PORT": str(there.port), "FIZZ_SCHEME": "http"}
    with there.client() as client, here.client() as other:
        client.subscribe("a")
        other.subscribe("a")
        assert run_command(here, *words, environ=environ).code == 0
        assert client.expect("e") == 1
        other.expect_nothing()
    nobody = str(free_port())
    complaint = run_command(here, *words, environ={"FIZZ_PORT": nobody}).complaint
    assert f"http://127.0.0.1:{nobody} (host: {here.folder}/fizz.yaml:" in complaint
    assert "port: FIZZ_PORT): connection refused" in complaint


def test_a_name_that_nobody_has(fizz: Start) -> None:
    server = fizz()
    complaint = run_command(server, "channels", environ={"FIZZ_HOST": "fizz.invalid"}).complaint
    assert f"cannot reach http://fizz.invalid:{server.port} (host: FIZZ_HOST, " in complaint
    assert "the host name is not known" in complaint


def tls(certificate: Certificate) -> dict[str, object]:
    return {"options": {"tls": {"cert": str(certificate.cert), "key": str(certificate.key)}}}


@pytest.fixture
def own(tmp_path: Path) -> Certificate:
    """A certificate that nobody signed, for a name that no machine has."""
    require("openssl")
    return make_certificate(tmp_path, name="my-app.test")


@pytest.mark.parametrize("hostname", [None, "my-app.test"])
def test_a_certificate_made_at_home_is_trusted_by_who_has_it(
    fizz: Start, own: Certificate, hostname: str | None
) -> None:
    context = own.client_context()
    server = fizz(server={**tls(own), "host": "127.0.0.1", "hostname": hostname}, tls=context)
    assert_reachable(server)


def test_tls_on_ipv6_and_on_a_unix_socket(
    fizz: Start, certificate: Certificate, tmp_path: Path
) -> None:
    for host in ("::1", f"unix:{tmp_path}/f.sock"):
        context = certificate.client_context()
        assert_reachable(fizz(server={**tls(certificate), "host": host}, tls=context))


def test_a_certificate_is_trusted_by_whom_the_operator_trusts(
    fizz: Start, certificate: Certificate
) -> None:
    """As from another machine, with no certificate in its own configuration."""
    there = fizz(server=tls(certificate), tls=certificate.client_context())
    here = fizz()
    environ = {"FIZZ_HOST": "localhost", "FIZZ_PORT": str(there.port), "FIZZ_SCHEME": "https"}
    complaint = run_command(here, "channels", environ=environ).complaint
    assert f"the certificate of https://localhost:{there.port} is not to be trusted" in complaint
    assert "SSL_CERT_FILE" in complaint
    trusted = {**environ, "SSL_CERT_FILE": str(certificate.cert)}
    assert run_command(here, "channels", environ=trusted).code == 0
    assert_reachable(here, trusted)


def test_a_trusted_certificate_of_another_name_is_refused(fizz: Start, own: Certificate) -> None:
    there = fizz(server={**tls(own), "host": "0.0.0.0"}, tls=own.client_context())
    here = fizz()
    environ = {
        "FIZZ_HOST": "127.0.0.2",
        "FIZZ_PORT": str(there.port),
        "FIZZ_SCHEME": "wss",
        "SSL_CERT_FILE": str(own.cert),
    }
    for command in (("channels",), ("listen", "a")):
        complaint = run_command(here, *command, environ=environ).complaint
        assert "is not to be trusted" in complaint
        assert "127.0.0.2" in complaint


def test_another_servers_certificate_does_not_pass_for_the_configured_one(
    fizz: Start, own: Certificate, tmp_path: Path
) -> None:
    """Trust in a file is trust in that very certificate."""
    server = fizz(server=tls(own), tls=own.client_context())
    (tmp_path / "other").mkdir()
    stranger = make_certificate(tmp_path / "other", name="my-app.test")
    shutil.copy(stranger.cert, own.cert)  # renewed on disk, not yet taken over by the server
    complaint = run_command(server, "channels").complaint
    assert "is not to be trusted" in complaint


def test_the_wrong_scheme_is_guessed(fizz: Start, certificate: Certificate) -> None:
    plain = fizz()
    secure = fizz(server=tls(certificate), tls=certificate.client_context())
    for command in (("channels",), ("listen", "a")):
        complaint = run_command(plain, *command, environ={"FIZZ_SCHEME": "https"}).complaint
        assert "is it plain http there (FIZZ_SCHEME)?" in complaint
        complaint = run_command(secure, *command, environ={"FIZZ_SCHEME": "http"}).complaint
        assert "FIZZ_SCHEME=https" in complaint


def test_a_port_that_answers_nothing_is_not_waited_for_for_ever(fizz: Start) -> None:
    """A connection that is accepted and dropped at once."""
    server = fizz()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        environ = {"FIZZ_PORT": str(listener.getsockname()[1])}
        with Listening(server, "a", environ=environ) as listening:
            accepted, _ = listener.accept()
            accepted.close()
            assert listening.wait() == 1
        assert "cannot reach http://127.0.0.1:" in listening.said[0]
