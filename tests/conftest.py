"""How the tests are run: what each of pytest's processes loads, and which files are begun first."""

import gc
import sys
from importlib import import_module

import pytest

# The files that take longest, begun first: beside what begins last, nothing is left to do for the other processes.
LONGEST = (
    'test_compare', 'test_evaluate_pairs', 'test_chain', 'test_interrupted_training', 'test_check_faults',
    'test_testing', 'test_painter_export', 'test_smp', 'test_slide_memory', 'test_pair_check', 'test_generate',
    'test_resume', 'test_sampling_benchmark', 'test_sliding_window', 'test_hostile_folders', 'test_painter_chain',
)  # fmt: skip

# What is imported stays: until that is done, nothing is garbage.
gc.disable()


def pytest_configure(config):
    # pytest-xdist would begin with the files of many tests, which are the short ones.
    config.option.loadscopereorder = False


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session):
    # What only hands tests to other processes need not import torch, which takes as long as it does there.
    if not session.config.pluginmanager.has_plugin('dsession'):
        session.config.pluginmanager.register(import_module(f'{__package__}.fixtures'))


def pytest_collection_modifyitems(items):
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST)))


def pytest_collection_finish():
    """Between the imports of the tests and the first of them."""
    gc.freeze()  # mmengine looks for garbage for every data set that it builds, for a third of a second with all this
    gc.enable()
    if forked := sys.modules.get(f'{__package__}.forked'):
        forked.start_server()
