import pytest

from ..comparing import write_plan


@pytest.fixture
def plan_file(demo_data, tmp_path):
    return write_plan(tmp_path / 'small.py', demo_data)
