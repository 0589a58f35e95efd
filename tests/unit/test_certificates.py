"""Certificates are found by name, and what is wrong with one is told before anything listens."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from fizz_gevent import certificates
from fizz_gevent.check import report
from fizz_gevent.config import Config, ServerConfig, TlsConfig
from fizz_gevent.config_file import load
from fizz_gevent.errors import ConfigError
from tests.harness.certificates import Certificate, make_certificate


@dataclass(frozen=True)
class Files:
    plain: Certificate
    locked: Certificate
    folder: Path

    def write(self, name: str, *parts: Path | str) -> str:
        path = self.folder / name
        path.write_text("".join(p if isinstance(p, str) else p.read_text() for p in parts))
        return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("certificates")
    plain = make_certificate(folder, name="plain.test")
    return Files(plain, make_certificate(folder, name="locked.test", passphrase="open"), folder)


def test_a_certificate_and_its_key_make_a_context(files: Files) -> None:
    context = certificates.load_context(TlsConfig(str(files.plain.cert), str(files.plain.key)))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.protocol == ssl.PROTOCOL_TLS_SERVER


def test_the_key_may_be_in_the_file_of_the_certificate(files: Files) -> None:
    both = files.write("both.pem", files.plain.cert, files.plain.key)
    certificates.load_context(TlsConfig(both))


def test_a_passphrase_opens_the_key(files: Files) -> None:
    locked = TlsConfig(str(files.locked.cert), str(files.locked.key), "open")
    certificates.load_context(locked)
    certificates.load_context(TlsConfig(str(files.plain.cert), str(files.plain.key), "unused"))


def test_clients_agree_on_http(files: Files) -> None:
    """A browser that offers HTTP/2 has to be told that it gets HTTP/1.1."""
    server_context = certificates.load_context(
        TlsConfig(str(files.plain.cert), str(files.plain.key))
    )
    client_context = files.plain.client_context()
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname="plain.test")
    ends, done = [client, server], []
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.append(end)
            except ssl.SSLWantReadError:
                pass
    assert client in done
    assert client.selected_alpn_protocol() == "http/1.1"


def broken(files: Files, case: str) -> tuple[TlsConfig, str, str]:
    """A configuration, the key to blame and what to say."""
    plain, locked, folder = files.plain, files.locked, files.folder
    cert, key, none = str(plain.cert), str(plain.key), str(folder / "none.pem")
    match case:
        case "no file of the certificate":
            return TlsConfig(none, key), "cert", f"{none} cannot be read: No such file"
        case "no file of the key":
            return TlsConfig(cert, none), "key", f"{none} cannot be read: No such file"
        case "a folder":
            return TlsConfig(str(folder), key), "cert", "cannot be read: Is a directory"
        case "no PEM":
            path = files.write("text.pem", "hello")
            return TlsConfig(path, key), "cert", f"{path} holds no certificate in PEM form"
        case "files exchanged":
            return TlsConfig(key, cert), "cert", f"{key} holds no certificate"
        case "no key in the certificate's file":
            return TlsConfig(cert), "cert", "no private key and options.tls.key is not set"
        case "another key":
            other = make_certificate(folder, name="other.test").key
            return TlsConfig(cert, str(other)), "key", f"{other} is not the key of the certificate"
        case "no passphrase":
            config = TlsConfig(str(locked.cert), str(locked.key))
            return config, "key", f"{locked.key} is encrypted and the passphrase is missing"
        case "wrong passphrase":
            config = TlsConfig(str(locked.cert), str(locked.key), "hidden-passphrase")
            return config, "passphrase", f"{locked.key} is encrypted and the passphrase is wrong"
        case "damaged certificate":
            path = files.write("cut.pem", plain.cert.read_text().replace("A", "B", 9))
            return TlsConfig(path, key), "cert", f"{path} holds no usable certificate"
        case "damaged key":
            path = files.write("cut.key", plain.key.read_text().replace("M", "", 3))
            return TlsConfig(cert, path), "key", f"{path} holds no usable private key"
        case "a key only":
            return TlsConfig(None, key), "key", "there is no certificate"
        case _:
            return TlsConfig(passphrase="x"), "passphrase", "there is no certificate"


CASES = [
    "no file of the certificate",
    "no file of the key",
    "a folder",
    "no PEM",
    "files exchanged",
    "no key in the certificate's file",
    "another key",
    "no passphrase",
    "wrong passphrase",
    "damaged certificate",
    "damaged key",
    "a key only",
    "a passphrase only",
]


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_told_in_one_line(files: Files, case: str) -> None:
    tls, name, reason = broken(files, case)
    key = f"servers.fizz.options.tls.{name}"
    config = Config(server=ServerConfig(tls=tls), origins={key: "fizz.yaml:9"})
    with pytest.raises(ConfigError) as caught:
        certificates.check(config)
    message = str(caught.value)
    assert message.startswith(f"fizz.yaml:9: {key}: ")
    assert reason in message
    assert "\n" not in message
    assert "hidden-passphrase" not in message


def test_without_tls_there_is_nothing_to_check() -> None:
    certificates.check(Config())


# -- by host name ------------------------------------------------------------------------------

PLACES = {
    "etc/certs/{}.crt": "etc/certs/{}.key",
    "home/.config/valet/Certificates/{}.crt": "home/.config/valet/Certificates/{}.key",
    "home/.valet/Certificates/{}.crt": "home/.valet/Certificates/{}.key",
    "home/Library/Application Support/Herd/config/valet/Certificates/{}.crt": (
        "home/Library/Application Support/Herd/config/valet/Certificates/{}.key"
    ),
    "home/.config/herd/config/valet/Certificates/{}.crt": (
        "home/.config/herd/config/valet/Certificates/{}.key"
    ),
    "live/{}/fullchain.pem": "live/{}/privkey.pem",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a home below it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(certificates, "_LETS_ENCRYPT", str(tmp_path / "live"))
    return tmp_path


def put(folder: Path, *names: str, host: str = "my-app.test") -> None:
    for name in names:
        path = folder / name.format(host)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("PEM")


def found(folder: Path, options: dict[str, object], **environ: str) -> TlsConfig:
    environ.setdefault("HOME", str(folder / "home"))
    return load(None, environ, options, search=()).server.tls


@pytest.mark.parametrize("cert", PLACES)
def test_a_certificate_of_the_host_name_is_found(folder: Path, cert: str) -> None:
    put(folder, cert, PLACES[cert])
    tls = found(folder, {"hostname": "My-App.test"})
    assert tls.cert is not None
    assert tls.key is not None
    assert Path(tls.cert).samefile(cert.format("my-app.test"))
    assert Path(tls.key).samefile(PLACES[cert].format("my-app.test"))
    assert found(folder, {"hostname": "app.test"}) == TlsConfig()
    assert found(folder, {}) == TlsConfig()


def test_the_nearer_place_wins(folder: Path) -> None:
    for cert, key in PLACES.items():
        put(folder, cert, key)
    assert found(folder, {"hostname": "my-app.test"}).cert == "etc/certs/my-app.test.crt"


def test_the_names_of_mkcert_do_as_well(folder: Path) -> None:
    put(folder, "etc/certs/{}.pem", "etc/certs/{}-key.pem")
    assert found(folder, {"hostname": "my-app.test"}).key == "etc/certs/my-app.test-key.pem"


def test_a_certificate_without_its_key_is_passed_over(folder: Path) -> None:
    put(folder, "etc/certs/{}.crt", "live/{}/fullchain.pem", "live/{}/privkey.pem")
    assert found(folder, {"hostname": "my-app.test"}).cert == str(
        folder / "live/my-app.test/fullchain.pem"
    )


def test_what_is_configured_wins(folder: Path) -> None:
    put(folder, "etc/certs/{}.crt", "etc/certs/{}.key")
    tls = found(folder, {"hostname": "my-app.test"}, FIZZ_TLS_CERT="own.pem")
    assert (tls.cert, tls.key) == ("own.pem", None)


def test_behind_a_proxy_nothing_is_looked_for(folder: Path) -> None:
    put(folder, "etc/certs/{}.crt", "etc/certs/{}.key")
    options: dict[str, object] = {"hostname": "my-app.test"}
    assert found(folder, options, FIZZ_TRUSTED_PROXIES="10.0.0.0/8") == TlsConfig()
    assert found(folder, {**options, "host": "unix:/run/x"}) == TlsConfig()


def test_with_a_passphrase_tls_is_wanted_anywhere(folder: Path) -> None:
    environ = {"FIZZ_TLS_PASSPHRASE": "open", "FIZZ_TRUSTED_PROXIES": "10.0.0.0/8"}
    options: dict[str, object] = {"hostname": "my-app.test"}
    config = load(None, {**environ, "HOME": str(folder)}, options, search=())
    with pytest.raises(ConfigError, match="there is no certificate"):
        certificates.check(config)
    put(folder, "etc/certs/{}.crt", "etc/certs/{}.key")
    assert found(folder, options, **environ) == TlsConfig(
        "etc/certs/my-app.test.crt", "etc/certs/my-app.test.key", "open"
    )


def test_what_was_found_is_said(folder: Path) -> None:
    put(folder, "etc/certs/{}.crt", "etc/certs/{}.key")
    config = load(None, {}, {"hostname": "my-app.test"}, search=())
    assert "etc/certs/my-app.test.crt  found for hostname my-app.test" in report(config)
