"""The private server: started, restarted, killed, on long paths, below closed folders, and what it refuses."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from app.embedded_postgres import DATABASE, EmbeddedPostgres, EmbeddedPostgresError, find_binaries, main

Start = Callable[[Path], EmbeddedPostgres]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start throw-away servers that are gone after the test."""
    made: list[EmbeddedPostgres] = []

    def start_in(folder: Path) -> EmbeddedPostgres:
        made.append(server := EmbeddedPostgres(folder, throw_away=True))
        return server.start()

    yield start_in
    for server in made:
        server.discard()


def do(server: EmbeddedPostgres, command: str) -> None:
    with psycopg.connect(server.conninfo(DATABASE), autocommit=True) as connection:
        connection.execute(command.encode())


def answer(server: EmbeddedPostgres, question: str) -> object:
    with psycopg.connect(server.conninfo(DATABASE), autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def test_it_starts_stops_and_keeps_its_data(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path / "data")
    assert server.is_ready()
    do(server, "CREATE TABLE kept AS SELECT 42 AS number")
    server.stop()
    assert not server.is_ready()
    server.stop()  # a second time is no error
    server.start()
    assert answer(server, "SELECT number FROM kept") == 42


def test_it_has_no_network_port_and_a_closed_folder(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path / "data")
    assert answer(server, "SELECT current_setting('listen_addresses')") == ""
    assert server.data.stat().st_mode & 0o077 == 0


def test_text_sorts_alike_on_every_machine_and_time_is_utc(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path / "data")
    assert answer(server, "SELECT string_agg(c, '' ORDER BY c) FROM unnest(ARRAY['b','A','é','a','Z']) AS c") == "AZabé"
    assert answer(server, "SELECT current_setting('TimeZone')") == "UTC"
    assert answer(server, "SELECT current_setting('server_encoding')") == "UTF8"


def test_it_comes_back_after_being_killed(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path / "data")
    do(server, "CREATE TABLE kept AS SELECT 7 AS number")
    do(server, "CHECKPOINT")
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    server.start()
    assert answer(server, "SELECT number FROM kept") == 7


@pytest.mark.parametrize("name", ["d" * 120, "with a space and 中文", "with,comma", "it's"])
def test_the_path_may_be_long_or_odd(tmp_path: Path, start: Start, name: str) -> None:
    server = start(tmp_path / name / "data")
    assert len(str(server.socket_folder)) < 100
    assert answer(server, "SELECT 1") == 1
    with psycopg.connect(server.url().replace("+psycopg", "")) as connection:
        assert connection.info.dbname == DATABASE


def test_a_second_launcher_uses_the_running_server(tmp_path: Path, start: Start) -> None:
    first = start(tmp_path / "data")
    postmaster = (first.data / "postmaster.pid").read_text()
    second = EmbeddedPostgres(tmp_path / "data", throw_away=True).start()
    assert (second.data / "postmaster.pid").read_text() == postmaster


def test_only_a_throw_away_server_is_removed(tmp_path: Path, start: Start) -> None:
    server = start(tmp_path / "data")
    with pytest.raises(EmbeddedPostgresError, match="not a throw-away database"):
        EmbeddedPostgres(server.data).discard()
    server.discard()
    assert not server.data.exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.txt").write_text("precious")
    with pytest.raises(EmbeddedPostgresError, match="is not empty and holds no PostgreSQL database"):
        EmbeddedPostgres(tmp_path / "data").start()
    assert (tmp_path / "data" / "thesis.txt").read_text() == "precious"


def test_variables_of_other_servers_do_not_matter(
    tmp_path: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "elsewhere")
    server = start(tmp_path / "data")
    assert answer(server, "SELECT 1") == 1
    assert server.is_ready()


def test_a_wrong_folder_of_programs_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path))
    with pytest.raises(EmbeddedPostgresError, match="which holds no initdb"):
        find_binaries()
    monkeypatch.delenv("PG_BIN")
    assert (find_binaries() / "initdb").exists()


def test_it_never_runs_as_root_even_below_a_closed_folder(tmp_path: Path, start: Start) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = start(closed / "data")
    assert server.data.stat().st_uid != 0
    assert answer(server, "SELECT 1") == 1


def test_it_is_started_and_stopped_by_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHANGDAN_DATA", str(tmp_path))
    server = EmbeddedPostgres(tmp_path / "postgres")
    assert main(["start"]) == 0
    assert capsys.readouterr().out.strip() == server.url()
    assert server.is_ready()
    assert main(["stop"]) == 0
    assert not server.is_ready()
    assert main(["dance"]) == 2
    assert "expected start or stop" in capsys.readouterr().err
