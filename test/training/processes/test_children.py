"""Processes that hear only their parent, by real signals from others."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from pose_regressor_training.processes.children import SIGNALS, deaf_children, end_children, heed_parent

#: Who sends a signal counts: not the parent, but a process of its own, and not every machine has a program for that.
KILL = "import os, sys; os.kill(int(sys.argv[2]), int(sys.argv[1]))"


def answer(pipe):
    heed_parent()
    while True:
        pipe.send(pipe.recv() + 1)


@pytest.fixture
def child():
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=answer, args=(there,), daemon=True)
    with deaf_children():
        process.start()
    there.close()
    yield process, here
    process.kill()
    process.join()


def test_signals_of_others_are_not_heard_those_of_the_parent_are(child):
    process, pipe = child
    for number in SIGNALS:
        subprocess.run([sys.executable, "-S", "-c", KILL, str(int(number)), str(process.pid)], check=True)
    pipe.send(1)
    assert pipe.recv() == 2
    end_children()
    assert process.exitcode == 1


def test_a_child_ends_although_the_same_signal_of_another_waits_before_the_parents(child):
    """A child that is stopped hears nothing. Of two equal signals that wait, the system keeps the first."""
    process, pipe = child
    pipe.send(1)
    assert pipe.recv() == 2  # it listens
    os.kill(process.pid, signal.SIGSTOP)
    subprocess.run([sys.executable, "-S", "-c", KILL, str(int(signal.SIGTERM)), str(process.pid)], check=True)
    process.terminate()
    os.kill(process.pid, signal.SIGCONT)
    end_children()
    assert process.exitcode == 1


def test_this_process_hears_signals_as_before(child):
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(SIGNALS)
