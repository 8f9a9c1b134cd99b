"""How much memory a test takes for each pixel of a micrograph."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BYTES_PER_PIXEL = 10  # 4 GB for 20,000 x 20,000 pixels


@pytest.mark.skipif(not Path('/proc/self/clear_refs').exists(), reason='peaks are read from /proc')
def test_a_test_takes_a_few_bytes_a_pixel(tmp_path):
    sizes = (1000, 2500)
    command = [sys.executable, Path(__file__).with_name('slide_memory.py'), tmp_path, *map(str, sizes)]
    # From this size on memory goes back to the system when it is free, as that of large micrographs does.
    environment = {**os.environ, 'MALLOC_MMAP_THRESHOLD_': '1000000'}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr[-3000:]
    small, large = json.loads(run.stdout.splitlines()[-1])
    # What does not grow with the micrograph cancels: libraries, the network, a batch of windows.
    per_pixel = (large - small) / (sizes[1] ** 2 - sizes[0] ** 2)
    assert 3 < per_pixel < BYTES_PER_PIXEL
