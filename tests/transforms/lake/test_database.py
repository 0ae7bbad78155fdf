"""The process's database beside forks."""

import multiprocessing
import threading

from transforms.lake import database
from transforms.lake.database import open_database


def _answer(answers: "multiprocessing.SimpleQueue[int]") -> None:
    [(answer,)] = open_database().execute("select 42").fetchall()
    answers.put(answer)


def test_a_process_that_is_forked_while_another_thread_opens_the_database_opens_its_own() -> None:
    fork = multiprocessing.get_context("fork")
    answers = fork.SimpleQueue()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with database._opening:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        child = fork.Process(target=_answer, args=[answers])
        child.start()
        child.join(30)
        assert child.exitcode == 0
        assert answers.get() == 42
    finally:
        child.kill()
        done.set()
        thread.join()
