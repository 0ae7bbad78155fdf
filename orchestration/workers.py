"""Fan-out over regions: one seam, so that another engine can take the place of local processes.

A task gets a whole region; results come back in the order in which regions finish. Knows nothing of Dagster or of what a task does.
"""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from threading import Thread
from typing import TypeVar

from threadpoolctl import threadpool_limits

from transforms.calendar import Region
from transforms.errors import ProcessKilled

Result = TypeVar("Result")
_WORK = "trained or forecast a region"


def map_regions(task: Callable[[Region], Result], regions: Sequence[Region], workers: int) -> Iterator[tuple[Region, Result]]:
    """Yield `(region, task(region))` as results arrive; the first failure is raised and the tasks not yet begun are dropped.

    With one worker or one region everything happens in this process, where a debugger can stop.

    Raises
    ------
    ProcessKilled
        If a worker, or the process that starts workers, was killed.
    """
    if workers == 1 or len(regions) <= 1:
        for region in regions:
            yield region, task(region)
        return
    # The fork server imports the learning libraries once; plain fork is unsafe beside the threads of Arrow and DuckDB.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["orchestration.preload"])
    with ProcessPoolExecutor(min(workers, len(regions)), mp_context=context, initializer=_end_with_parent) as pool:
        threads = max(1, (os.cpu_count() or 1) // workers)
        try:
            futures = {_submitted(pool, task, region, threads): region for region in regions}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool as error:
            raise ProcessKilled(_WORK) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _submitted(pool: ProcessPoolExecutor, task: Callable[[Region], Result], region: Region, threads: int) -> Future[Result]:
    try:
        return pool.submit(_with_threads, task, region, threads)
    except (EOFError, ConnectionError, BrokenProcessPool) as error:
        # The fork server was killed while it was asked for a worker.
        raise ProcessKilled(_WORK) from error


def _end_with_parent() -> None:
    """End this worker once the process that it works for is gone: one that was killed would leave it waiting for tasks for good, with its memory."""
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("A worker is started by multiprocessing: this process has no parent to wait for.")

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, name="end with parent", daemon=True).start()


def _with_threads(task: Callable[[Region], Result], region: Region, threads: int) -> Result:
    """Run a task with its share of the cores; results are the same. OpenMP threads that wait for a core spin: boosting took twelve times as long."""
    with threadpool_limits(threads, user_api="openmp"):
        return task(region)
