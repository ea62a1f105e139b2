"""SIGTERM before the first step and after it."""

import os
import signal

import pytest

from mlhub.hashing.stop import STATUS, Stop, Stopped


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


def test_before_the_training_it_ends_the_program():
    with Stop() as stop, pytest.raises(SystemExit) as ended:
        terminate()
    assert (ended.value.code, stop.asked) == (STATUS, True)


def test_amid_the_training_it_is_noted_however_often():
    with Stop() as stop:
        stop.begin()
        terminate()
        terminate()
        with pytest.raises(Stopped):
            stop.check()


def test_a_handler_put_in_place_before_the_training_does_not_stay():
    with Stop() as stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stop.begin()
        terminate()
    assert stop.asked


def test_one_that_came_while_nothing_could_be_raised_is_found_at_the_beginning():
    with Stop() as stop:
        stop.asked = True
        with pytest.raises(Stopped):
            stop.begin()


def test_afterwards_the_handler_is_the_one_before():
    before = signal.getsignal(signal.SIGTERM)
    with Stop():
        pass
    assert signal.getsignal(signal.SIGTERM) is before
