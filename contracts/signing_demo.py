"""Keys for demonstrations: an authority of its own and a certificate for each party, trusted by nobody else."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from market.errors import InvalidValue

from .clauses import Party

YEARS = 10


@dataclass(frozen=True, slots=True)
class DemoAuthority:
    """A root key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def root(self) -> bytes:
        """The certificate as PEM: the root to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def archive(self) -> bytes:
        """Key and certificate as PEM, to be kept for the demonstration alone: signatures outlive a process."""
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + self.root


def demo_authority(*, now: dt.datetime) -> DemoAuthority:
    """A new authority, valid for ten years before `now` and after: it also stands behind a played past."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Changdan demonstration authority")])
    return DemoAuthority(key, _certificate(name, key, name, key, authority=True, now=now))


def authority_of(archive: bytes) -> DemoAuthority:
    """The authority that was archived.

    :raises InvalidValue: the archive holds no such key and certificate.
    """
    try:
        key = serialization.load_pem_private_key(archive, password=None)
        certificate = x509.load_pem_x509_certificate(archive)
    except ValueError:
        raise InvalidValue("an archive that cannot be read; expected a key and a certificate as PEM") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InvalidValue("an archive with another kind of key; expected one of an elliptic curve")
    return DemoAuthority(key, certificate)


def demo_key(authority: DemoAuthority, party: Party, passphrase: bytes, *, now: dt.datetime) -> bytes:
    """A new key of a party with its certificate, as PKCS #12 archive under the passphrase."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, party.name.zh[:64]),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, party.credit_code[:64]),
        ]
    )
    certificate = _certificate(subject, key, authority.certificate.subject, authority.key, authority=False, now=now)
    return pkcs12.serialize_key_and_certificates(
        party.credit_code.encode(),
        key,
        certificate,
        [authority.certificate],
        serialization.BestAvailableEncryption(passphrase),
    )


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool,
    now: dt.datetime,
) -> x509.Certificate:
    """A certificate for signing documents, or for an authority signing certificates."""
    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=not authority,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=365 * YEARS if authority else 1))
        .not_valid_after(now + dt.timedelta(days=365 * YEARS))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
