"""Whose signatures are trusted: the roots of the configuration, and in a demonstration an authority of its own."""

from __future__ import annotations

import datetime as dt
import os
import secrets
from pathlib import Path

from app.config import Config
from app.operations.signing import CertificateFile
from contracts.clauses import Party
from contracts.signing_demo import DemoAuthority, authority_of, demo_authority, demo_key


def trusted_roots(config: Config, *, now: dt.datetime) -> tuple[bytes, ...]:
    """The certificates (PEM) that signers' certificates must lead to; none means that nobody can sign yet."""
    roots = [] if config.signing_roots is None else [config.signing_roots.read_bytes()]
    if config.demo_signing:
        roots.append(_demo_authority(config, now).root)
    return tuple(roots)


def demo_archive(config: Config, party: Party, passphrase: bytes, *, now: dt.datetime) -> bytes:
    """A new key of a party (PKCS #12 under the passphrase) from the demonstration's authority.

    :raises LookupError: this is no demonstration.
    """
    if not config.demo_signing:
        raise LookupError("demonstration keys are off; expected CHANGDAN_DEMO_SIGNING")
    return demo_key(_demo_authority(config, now), party, passphrase, now=now)


def _demo_authority(config: Config, now: dt.datetime) -> DemoAuthority:
    """The authority of this installation, made at the first need: two processes at once agree on one file."""
    path = config.data / "demo-signing.pem"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(f"{path}.{os.getpid()}")
        draft.touch(mode=0o600)
        draft.write_bytes(demo_authority(now=now).archive)
        try:
            os.link(draft, path)  # fails where another process was faster
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return authority_of(path.read_bytes())


def demo_signature(config: Config, party: Party, terms_hash: str, *, now: dt.datetime) -> CertificateFile:
    """A key of the demonstration for a party, to sign some terms with: made, used once and forgotten.

    :raises LookupError: this is no demonstration.
    """
    passphrase = secrets.token_hex(16).encode()
    archive = demo_archive(config, party, passphrase, now=now)
    return CertificateFile(archive=archive, passphrase=passphrase, terms_hash=terms_hash)
