"""Independent work spread over processes or machines, or done here, one after the other.

Who calls decides where: with `joblib.parallel_config(n_jobs=2)` on two processes of this machine, with
`joblib.parallel_config(backend="dask")` on the workers of a Dask cluster, without either in this process. Work that a
killed worker leaves undone is done by another; the order of the results is that of the tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import joblib

Result = TypeVar("Result")


def at_once() -> int:
    """How many pieces of work run at the same time where the caller has said to do it."""
    return int(joblib.effective_n_jobs(None))


def fan_out(work: Callable[..., Result], tasks: Sequence[tuple[Any, ...]]) -> Iterator[Result]:
    """The result of `work` for the arguments of each task, in the order of the tasks.

    Arguments and results must be picklable unless the work is done in this process."""
    results: Iterator[Result] = joblib.Parallel(return_as="generator")(joblib.delayed(work)(*task) for task in tasks)
    return results


@contextmanager
def _on_cluster(address: str) -> Iterator[None]:
    from distributed import Client  # noqa: PLC0415  # only an installation with a cluster has it

    with Client(address), joblib.parallel_config(backend="dask"):  # type: ignore[no-untyped-call]
        yield


def spread(*, workers: int = 1, cluster: str | None = None) -> AbstractContextManager[object]:
    """Where the work inside goes: to some processes of this machine, or to the Dask cluster of a scheduler's address.

    :raises ModuleNotFoundError: a cluster is asked for and the extra `cluster` is not installed.
    :raises OSError: the scheduler does not answer.
    """
    if cluster is not None:
        return _on_cluster(cluster)
    return nullcontext() if workers == 1 else joblib.parallel_config(n_jobs=workers)
