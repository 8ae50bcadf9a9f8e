"""Commands about contracts: is this file one, as it was made and signed?"""

from __future__ import annotations

from pathlib import Path

import click
from flask import current_app
from flask.cli import with_appcontext

from app.clock import clock
from app.config import Config
from app.jobs.transactions import consistent_read
from app.operations import verification
from app.operations.verification import Verified
from app.trust import trusted_roots


@click.command("verify-contract")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_appcontext
def verify_contract(file: Path) -> None:
    """Check a contract's PDF: its bytes, its terms, its signatures. Ends with 1 unless all is as it was made."""
    config: Config = current_app.config["CHANGDAN"]
    roots = trusted_roots(config, now=clock())
    with consistent_read() as session:
        found = verification.verify(session, content=file.read_bytes(), roots=roots, now=clock())
    for line in _told(found):
        click.echo(line)
    if not found.whole:
        raise click.exceptions.Exit(1)


def _told(found: Verified) -> list[str]:
    lines = [f"sha256 {found.sha256}"]
    if found.number is None:
        lines.append("no document of this exchange carries this seal or these terms")
    else:
        state = "as it was made" if found.whole else "NOT as it was made and signed"
        lines.append(f"contract {found.number}, version {found.version}: {state}")
    lines += [
        f"{one.place}: {one.text.en} ({one.text.zh}); found {one.found}; expected {one.expected}"
        for one in found.findings
    ]
    for signature in found.signatures:
        faults = {
            "bytes changed": not signature.intact,
            "no trusted root": not signature.trusted,
            "something added": not signature.covers_document,
        }
        judged = ", ".join(name for name, is_so in faults.items() if is_so) or "valid"
        lines.append(f"signature of the {signature.side}, {signature.signer}, at {signature.signed_at}: {judged}")
    if not found.signatures:
        lines.append("no signature")
    return lines
