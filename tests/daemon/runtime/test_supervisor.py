"""Supervisor: when one thread ends, all end; a signal is handled in whatever thread it arrives."""

import signal
import threading
from collections.abc import Iterator

import pytest

from daemon.runtime.supervisor import ThreadSupervisor


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Set by SIGUSR1, as the daemon's is by SIGTERM."""
    event = threading.Event()
    before = signal.signal(signal.SIGUSR1, lambda _number, _frame: event.set())
    yield event
    event.set()
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.timeout(10)
def test_a_signal_that_the_kernel_hands_to_another_thread_stops_all(stop: threading.Event) -> None:
    """The main thread alone runs handlers, and sleeps: nothing wakes it but itself, or this test's timeout."""
    crew, ended = ThreadSupervisor(stop), threading.Event()
    waiting = threading.Timer(0.5, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGUSR1))

    def work() -> None:
        stop.wait()
        ended.set()

    crew.start("worker", work)
    waiting.start()
    crew.wait()

    assert ended.is_set()


@pytest.mark.timeout(10)
def test_the_first_error_of_a_thread_ends_all_and_is_the_end_of_the_process() -> None:
    stop = threading.Event()
    crew = ThreadSupervisor(stop)

    def wait() -> None:
        stop.wait()

    def fail() -> None:
        raise ValueError("of one")

    crew.start("other", wait)
    crew.start("failing", fail)
    with pytest.raises(ValueError, match="of one"):
        crew.wait()

    assert stop.is_set()
