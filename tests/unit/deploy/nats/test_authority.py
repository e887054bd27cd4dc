"""Certificates by the deployment's own authority: for brokers, among brokers, and in time."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from deploy.nats import authority

BROKERS = ("nats-1", "nats-2", "nats-3")


def make(folder: Path, *names: str) -> dict[str, bytes]:
    listed = authority.certificates(folder, BROKERS, (*BROKERS, *names), 0o644)
    assert {f"{broker}.{kind}" for broker in BROKERS for kind in ("crt", "key")} < set(listed)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


@pytest.mark.parametrize("broker", BROKERS)
def test_each_broker_is_believed_under_every_name_it_is_reached_by(tmp_path: Path, broker: str) -> None:
    make(tmp_path, "127.0.0.1")
    store = Store([certificate(tmp_path, authority.AUTHORITY)])

    for name in BROKERS:
        verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName(name))
        verifier.verify(certificate(tmp_path, broker), [])
    PolicyBuilder().store(store).build_client_verifier().verify(certificate(tmp_path, broker), [])


def test_a_broker_asks_and_is_asked_and_issues_nothing(tmp_path: Path) -> None:
    make(tmp_path)
    extensions = certificate(tmp_path, "nats-1").extensions

    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }


def test_the_authoritys_key_is_its_owners_alone(tmp_path: Path) -> None:
    make(tmp_path)

    assert (tmp_path / f"{authority.AUTHORITY}.key").stat().st_mode & 0o777 == 0o600


def test_what_is_good_stays_and_what_is_not_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(tmp_path)

    assert make(tmp_path) == first

    (tmp_path / "nats-2.key").unlink()
    second = make(tmp_path)
    assert {name for name in first if second[name] != first[name]} == {"nats-2.crt", "nats-2.key"}

    third = make(tmp_path, "other.example")
    assert {name for name in first if third[name] == second[name]} == {
        f"{authority.AUTHORITY}.{kind}" for kind in ("crt", "key")
    }

    monkeypatch.setattr(authority, "RENEWED_BEFORE", authority.LIFE)
    ending = make(tmp_path, "other.example")
    assert all(ending[f"{broker}.crt"] != third[f"{broker}.crt"] for broker in BROKERS)


def test_another_authoritys_certificate_is_made_anew(tmp_path: Path) -> None:
    make(tmp_path)
    for kind in ("crt", "key"):
        (tmp_path / f"{authority.AUTHORITY}.{kind}").unlink()

    make(tmp_path)

    store = Store([certificate(tmp_path, authority.AUTHORITY)])
    verifier = PolicyBuilder().store(store).build_server_verifier(x509.DNSName("nats-1"))
    verifier.verify(certificate(tmp_path, "nats-1"), [])


def test_an_authority_outlives_what_it_issues(tmp_path: Path) -> None:
    make(tmp_path)
    issuer, issued = certificate(tmp_path, authority.AUTHORITY), certificate(tmp_path, "nats-1")

    assert issuer.not_valid_after_utc > issued.not_valid_after_utc
    assert issued.not_valid_before_utc < datetime.now(UTC) - timedelta(minutes=30)
