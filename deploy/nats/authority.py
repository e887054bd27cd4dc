"""A private authority for the brokers' certificates. Its key stays where it was made.

Brokers prove themselves to one another and to clients by certificates, clients to brokers by their keys (`users.py`).
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

AUTHORITY = "nats_authority"
LIFE = timedelta(days=825)
AUTHORITY_LIFE = timedelta(days=3650)
RENEWED_BEFORE = timedelta(days=90)
"""What ends sooner is made anew, so that a deployment that is updated now and then never ends by its certificates."""
_BACKDATED = timedelta(hours=1)
"""Clocks differ."""


def certificates(folder: Path, brokers: Sequence[str], names: Sequence[str], mode: int) -> list[str]:
    """Make what is missing in `folder`, or ends soon: the authority, a key and a certificate for each broker.

    Every certificate is good for all `names`, host names or addresses: brokers and clients learn the others' addresses from
    the one that they know. Gives the files' names; `mode` is theirs, but the authority's key is its owner's alone.
    """
    issuer, key = _authority(folder, mode)
    made = [f"{AUTHORITY}.crt"]
    for broker in brokers:
        made += [f"{broker}.crt", f"{broker}.key"]
        path = folder / f"{broker}.crt"
        if not (path.exists() and _is_good(path, issuer, names) and (folder / f"{broker}.key").exists()):
            own = ec.generate_private_key(ec.SECP256R1())
            _write(folder / f"{broker}.key", _pem(own), mode)
            _write(path, _certificate(broker, own, names, issuer, key).public_bytes(Encoding.PEM), mode)
    return made


def _authority(folder: Path, mode: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    paths = folder / f"{AUTHORITY}.crt", folder / f"{AUTHORITY}.key"
    if all(path.exists() for path in paths):
        issuer = x509.load_pem_x509_certificate(paths[0].read_bytes())
        key = load_pem_private_key(paths[1].read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            text = f"{paths[1]} holds no key of this authority; remove it and {paths[0]} to have both made"
            raise TypeError(text)
        if issuer.not_valid_after_utc - datetime.now(UTC) > LIFE:
            return issuer, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Konullu brokers")])
    issuer = (
        _begun(name, name, key, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )
    _write(paths[1], _pem(key), 0o600)
    _write(paths[0], issuer.public_bytes(Encoding.PEM), mode)
    return issuer, key


def _is_good(path: Path, issuer: x509.Certificate, names: Sequence[str]) -> bool:
    """Whether it is by this authority, for these names, and lasts a while."""
    found = x509.load_pem_x509_certificate(path.read_bytes())
    own = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    signed = found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    return (
        found.not_valid_after_utc - datetime.now(UTC) > RENEWED_BEFORE
        and signed == _key_of(issuer)
        and set(own) == set(_alternatives(names))
    )


def _certificate(
    broker: str,
    own: ec.EllipticCurvePrivateKey,
    names: Sequence[str],
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, broker)])
    # A broker is asked by others and asks them.
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    return (
        _begun(subject, issuer.subject, own, LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(uses, critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(_key_of(issuer), critical=False)
        .sign(key, SHA256())
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _key_of(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    found = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(found)


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative(name) for name in names]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.replace(path)
