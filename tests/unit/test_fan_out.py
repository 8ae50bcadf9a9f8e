"""Sub-markets and scenarios spread over processes and over the workers of a cluster, one of them killed at work."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import joblib
import pytest
from distributed import Client, LocalCluster

from benchmarks.instances import Case, make
from matching.answer import Answer, Certificate
from matching.criticality import criticality
from matching.fan_out import spread
from matching.run import run
from matching.scenarios import clear_all, with_quantity
from matching.snapshot import Snapshot

# The scheduler runs in a thread of this process: a warning that is an error would stop it, and the test wait for ever.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def nation() -> Snapshot:
    """Six products that nothing ties together."""
    return make(Case(offers=720, lanes=12_000, periods=4, windows="ladder", products=6))


def _said(answer: Answer) -> tuple[object, ...]:
    """All of an answer but how long it took and what memory."""
    certificate: Certificate = replace(answer.certificate, seconds={}, peak_memory=0.0)
    return answer.contracts, answer.results, answer.prices, certificate


def test_two_processes_give_the_answer_of_one(nation: Snapshot) -> None:
    alone = run(nation)
    heard: list[tuple[str, int, float]] = []
    with spread(workers=2):
        shared = run(nation, lambda *progress: heard.append(progress))
    assert _said(shared) == _said(alone)
    assert [share for _, _, share in heard] == pytest.approx([at / 6 for at in range(1, 7)])


def test_firms_are_ranked_alike_by_two_processes(nation: Snapshot) -> None:
    with spread(workers=2):
        shared = criticality(nation, 4)
    assert shared == criticality(nation, 4)


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0") as workers:
        yield workers


def test_a_worker_killed_at_work_changes_nothing(nation: Snapshot, cluster: LocalCluster) -> None:
    """The scheduler gives what the killed worker had to another; the answer is complete and the same."""
    scenarios = [with_quantity(nation, nation.offers[at].offer, Fraction(1, 2)) for at in range(6)]
    alone = [_said(answer) for answer in clear_all(scenarios)]
    with Client(cluster) as client:
        first = dict(client.run(os.getpid))
        victim = min(first.values())
        killer = threading.Thread(target=_kill_at_work, args=(client, victim))
        killer.start()
        with joblib.parallel_config(backend="dask"):
            shared = [_said(answer) for answer in clear_all(scenarios)]
        killer.join()
        assert victim not in dict(client.run(os.getpid)).values()
    assert shared == alone


def _kill_at_work(client: Client, victim: int) -> None:
    """Kill a worker's process while it has a task."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        by_address = dict(client.run(os.getpid))
        busy = client.processing()
        if any(tasks and by_address.get(address) == victim for address, tasks in busy.items()):
            os.kill(victim, signal.SIGKILL)
            return
        time.sleep(0.02)
    raise AssertionError("the worker never had a task")


def test_a_cluster_by_its_address(nation: Snapshot, cluster: LocalCluster) -> None:
    with spread(cluster=cluster.scheduler_address):
        shared = run(nation)
    assert _said(shared) == _said(run(nation))
