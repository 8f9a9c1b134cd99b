import json
import shutil

import pytest

from mmseg_pfdiff.data.metaldam.dataset import MetalDAMDataset
from mmseg_pfdiff.metrics.real_tiles import held_out_tiles
from mmseg_pfdiff.pairs.folder import PairFolder
from mmseg_pfdiff.pairs.rows import PairRow
from mmseg_pfdiff.phases.fractions import phase_fractions
from mmseg_pfdiff.reports.demo_page import MIXED, REAL, write_demo_page

from .test_evaluate_pairs import read_page

META = MetalDAMDataset.METAINFO


@pytest.fixture
def demo(demo_data, tmp_path):
    """What the steps of the demo leave, of true masks in place of networks."""
    (tmp_path / 'data').symlink_to(demo_data)
    folder = PairFolder.create(tmp_path / 'pairs', dict(META, size=[64, 64]))
    tiles = held_out_tiles(demo_data, 'test', 64, 4)
    for n in range(20):
        image, label = (maps[n % len(maps)] for maps in (tiles.images, tiles.labels))
        fractions = tuple(phase_fractions(label, 4).tolist())
        folder.write(PairRow(n, 0, 'uniform', fractions, fractions, n < 15), image.numpy(), label.numpy())
    folder.finish()
    for work_dir in (tmp_path / REAL, tmp_path / MIXED):
        shutil.copytree(demo_data / 'ann_dir/test', work_dir / 'predictions')
        values = dict(zip(META['classes'], [50.0, 60.126, 70.0, None], strict=True))
        (work_dir / 'test.json').write_text(json.dumps([dict(micrograph='a<b', aAcc=91.5, mIoU=60.0, IoU=values)]))
    (tmp_path / 'logs').mkdir()
    for n, seconds in enumerate((30, 90), 1):
        (tmp_path / f'logs/{n}_step.seconds').write_text(f'{seconds}')
        (tmp_path / f'logs/{n}_step.log').write_text(f'python tools/step.py {tmp_path}/data --x "<y>"\nmuch more\n')
    return tmp_path


def test_the_page_shows_each_step(demo):
    page = write_demo_page(demo)
    tags = read_page(page)
    assert page == demo / 'index.html' and len(tags.sources) == 3 and 'y' not in tags.seen
    assert '20 pairs, 15 of them kept for training' in tags.text and ', '.join(META['classes']) in tags.text
    assert 'python tools/step.py OUT/data --x "<y>"\npython' in tags.text and 'much more' not in tags.text
    assert '2.0 minutes in all.' in tags.text and '<td>90</td>' in page.read_text()
    assert '<td class="text">a&lt;b</td><td>91.50</td><td>60.00</td><td>50.00</td><td>60.13</td>' in page.read_text()
