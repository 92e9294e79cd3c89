"""What code says while it runs: log entries, prints, artifacts, results, and events for those who listen."""

import logging

from flowscope import EventType, FlowConfig, FlowEvent, current_flow, current_task, flow, flow_events, task


def test_prints_and_logs_are_recorded_with_their_task() -> None:
    """Prints, `logging` records of any library and the flow's own messages are entries of the running task."""

    @task
    def load(path: str) -> None:
        print(f"opening {path}")
        logging.getLogger("disk").warning("slow disk")
        current_task().log_info("loaded")

    @flow
    def ingest() -> None:
        load("data.csv")
        current_flow().log_info("done")

    run = ingest().execute()
    (load_call,) = run.executed_tasks
    entries = [(entry.message, entry.level, entry.source, entry.task_id) for entry in run.captured_logs()]
    assert entries == [
        ("opening data.csv", "INFO", "stdout", load_call.task_id),
        ("slow disk", "WARNING", "logging", load_call.task_id),
        ("loaded", "INFO", "log", load_call.task_id),
        ("done", "INFO", "log", None),
    ]


def test_the_log_reads_as_lines() -> None:
    """`log_messages()` gives the log as text, and `print_log_messages()` prints it."""

    @flow
    def speak() -> None:
        print("one")
        print("two")

    first, second = speak().execute().log_messages()
    assert first.endswith(" | INFO     | one")
    assert second.endswith(" | INFO     | two")


def test_the_config_says_what_is_captured() -> None:
    """A `FlowConfig` chooses levels and sources; it is frozen, and one serves many flows."""
    quiet = FlowConfig(log_level="WARNING", capture_stdout=False)

    @flow(flow_config=quiet)
    def speak() -> None:
        print("not recorded")
        current_flow().log_info("not recorded")
        current_flow().log_error("recorded")

    assert [entry.message for entry in speak().execute().captured_logs()] == ["recorded"]


def test_artifacts_and_results_are_kept_by_name() -> None:
    """A run keeps what it made and what came out; a return value is a result of its own accord."""

    @flow
    def report() -> int:
        run = current_flow()
        run.add_flow_artifact("the rows that were refused", key="rejects", data=["x"], artifact_type="rows")
        run.add_flow_result("rows", "how many rows were read", 3)
        return 3

    record = report().execute().flow_run
    assert [(artifact.key, artifact.data) for artifact in record.artifacts] == [("rejects", ["x"])]
    assert [(result.key, result.value) for result in record.results] == [("rows", 3), ("flow-return-value", 3)]


def test_listeners_receive_every_event_in_order() -> None:
    """A listener on the bus of the process sees what happens, as it happens, numbered without gaps."""
    seen: list[tuple[int, str]] = []

    def listen(event: FlowEvent) -> None:
        seen.append((event.sequence, event.event_type))

    @task
    def step() -> None:
        print("working")

    @flow
    def work() -> None:
        step()

    with flow_events.subscribe(listen, flow_name="work"):
        work().execute()
    assert seen == [
        (1, "flow_start"),
        (2, "task_start"),
        (3, "flow_message"),
        (4, "task_stop"),
        (5, "flow_stop"),
    ]


def test_a_flow_has_listeners_of_its_own() -> None:
    """A listener of one flow sees that flow's events only, of the types that it asked for."""
    durations: list[float] = []

    @task
    def step() -> None:
        print("working")

    @flow
    def work() -> None:
        step()
        step()

    run = work()
    run.add_listener(lambda event: durations.append(event.event_data.data["duration"]), EventType.TASK_STOP)
    run.execute()
    work().execute()
    assert durations == [call.duration for call in run.flow_run.tasks]


def test_the_record_can_keep_the_events() -> None:
    """With `capture_events` the events of the run, and no others, are part of its record."""

    @flow(flow_config=FlowConfig(capture_events=True))
    def work() -> str:
        return "done"

    events = work().execute().flow_run.events
    assert [event.event_type for event in events] == ["flow_start", "new_result", "flow_message", "flow_stop"]
    assert events[-1].event_data.data["status"] == "completed"
