"""The jobs of a graph that run, and the threads that they run in."""

import threading
import weakref
from typing import Final

from ..._clock import seconds, tick
from ...errors import GraphError
from ...model.status import RunStatus
from ..job.activation import enclosing_activations
from ..job.state import JobState
from ..structure.graph_port import FINAL, Checkpoints, GraphPort, check_may_run, check_own
from .job_run import JobRun
from .status_changes import change_status, note_cancellation
from .worker_threads import WorkerThreads, new_worker_threads

__all__ = ["RunningJobs"]

_REFUSED: Final = "{what} inside a handler of the same graph would wait for itself. Use start()."


class RunningJobs:
    """What runs on one graph. May be used from any thread."""

    def __init__(self, graph_port: GraphPort) -> None:
        self._graph_ref = weakref.ref(graph_port)
        """Not the graph, which would be in a cycle then: its threads leave when nobody holds it, not some time later."""
        self._lock = threading.RLock()
        self._job_runs: dict[int, JobRun] = {}
        """By the identity of the job."""
        self._open = True
        self._single = new_worker_threads(1)
        self._wide = new_worker_threads(1)
        self._workers = [self._single, self._wide]
        weakref.finalize(self, _close, self._workers).atexit = False
        self.latest: JobState | None = None
        """The job that was started or resumed last."""

    @property
    def _graph_port(self) -> GraphPort:
        """The graph, by whose methods all of this is used."""
        graph_port = self._graph_ref()
        if graph_port is None:
            raise ReferenceError("the graph is gone")
        return graph_port

    def set_width(self, width: int) -> None:
        """Let so many activations of concurrent jobs to come run at once."""
        former, self._wide = self._wide, new_worker_threads(width)
        self._workers[:] = [self._single, self._wide]
        former.close()  # its threads leave when its jobs are through

    def run(self, job: JobState, kept: Checkpoints | None, loop: object = None) -> JobRun:
        """Let a job that does not run go on with what it has pending.

        Raises:
            GraphError: It runs or has ended, or the graph has been shut down.
            RuntimeError: No thread can be started. The job is as it was then.
        """
        self._check_at_rest(job)
        workers = self._single if job.execution_strategy == "sequential" else self._wide
        job_run = JobRun(self._graph_port, job, workers, loop=loop, checkpoints=kept, let_go=self._let_go)
        try:
            self._admit(job, job_run)
            job_run.begin()
        except BaseException as error:
            job_run.give_up(error)
            raise
        return job_run

    def _check_at_rest(self, job: JobState) -> None:
        check_may_run(job, runs=self.live(job) is not None, is_open=self._open)

    def _admit(self, job: JobState, job_run: JobRun) -> None:
        with self._lock:
            self._check_at_rest(job)
            self._job_runs[id(job)] = job_run
            self.latest = job

    def _let_go(self, job: JobState, job_run: JobRun) -> None:
        """Forget what has run a job, which has ended or paused."""
        with self._lock:
            if self._job_runs.get(id(job)) is job_run:
                del self._job_runs[id(job)]

    def live(self, job: JobState) -> JobRun | None:
        """What runs a job, if it runs: here, or in another object that stands for the same graph.

        Raises:
            GraphError: It is the job of another graph.
        """
        check_own(job, self._graph_port.flow_id)
        with self._lock:
            return self._job_runs.get(id(job)) or _begun(job)

    def pausing(self, job: JobState) -> JobRun | None:
        """What has paused a job, if its running handlers are not through yet."""
        job_run = self.live(job)
        return job_run if job.status is RunStatus.PAUSED else None

    def pause(self, job: JobState, reason: str, checkpoint: object) -> None:
        """Pause a job; one that does not run stays as it is."""
        job_run = self.live(job)
        if job_run is not None:
            job_run.pause(reason, checkpoint)

    def cancel(self, job: JobState, reason: str) -> None:
        """End a job; one that has ended stays as it is."""
        job_run = self.live(job)
        while job.status not in FINAL:
            if job_run is not None:
                job_run.cancel(reason)
            with job._lock:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
                job_run = self.live(job)  # it may have paused meanwhile, and may have been resumed
                if job_run is None and job.status not in FINAL:
                    note_cancellation(job, reason)
                    change_status(job, RunStatus.CANCELLED)

    def refuse_inside(self, what: str) -> None:
        """Refuse to wait inside a handler of the graph, for which others may have to wait.

        Raises:
            GraphError: This is one, or what one waits for.
        """
        if any(one.job.flow_id == self._graph_port.flow_id for one in enclosing_activations()):
            raise GraphError(_REFUSED.format(what=what))

    def shut_down(self, timeout: float | None, *, wait: bool) -> None:
        """Take no more jobs, and let those that run end: in time, or by an interrupt."""
        with self._lock:
            running = list(self._job_runs.values())
            if wait and timeout is None:
                for job_run in running:
                    job_run.check_may_wait()
            self._open = False
        began = tick()
        for job_run in running:
            left = None if timeout is None else max(0.0, timeout - seconds(began, tick()))
            if not (wait and job_run.wait(left)):
                job_run.interrupt("the graph was shut down")
        self._single.close()
        self._wide.close()


def _close(workers: list[WorkerThreads]) -> None:
    """Let the threads of a graph that nobody holds leave."""
    for threads in workers:
        threads.close()


def _begun(job: JobState) -> JobRun | None:
    live = job._live  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # the live side of one job
    return live if isinstance(live, JobRun) and not live.settled.is_set else None
