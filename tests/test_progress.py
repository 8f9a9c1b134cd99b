"""Progress of long work."""

import os
import signal
from multiprocessing import get_context

from mmseg_pfdiff.progress import Bar, progress


def die_with_the_lock():
    with Bar.get_lock():
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_process_that_is_killed_while_it_draws_a_bar_holds_up_nobody():
    list(progress(range(2)))
    child = get_context('fork').Process(target=die_with_the_lock)
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL and list(progress(range(3))) == [0, 1, 2]
