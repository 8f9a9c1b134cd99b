import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_pfdiff.data.metaldam.splits import read_split
from mmseg_pfdiff.files import file_sha256

from ..running import run_tool


@pytest.fixture
def tool():
    """Runs a tool with arguments: `tool('metaldam', SOURCE, OUT, ...)`."""
    return lambda name, *args: run_tool(f'dataset_converters/{name}.py', *args)


@pytest.fixture
def demo_zip(demo_release, tmp_path):
    return Path(shutil.make_archive(str(tmp_path / 'published'), 'zip', demo_release.parent))


def test_convert_and_again(tool, demo_release, tmp_path, capsys):
    out = tmp_path / 'out'
    # Options may stand between the paths.
    args = (demo_release, '--tile-size', '64', out, '--split', demo_release / 'split', '--tiling', 'grid')
    tool('metaldam', *args)
    printed = capsys.readouterr()
    assert f'{out}: written' in printed.out
    assert 'MetalDAM in the paper' in printed.out
    assert '31.86' in printed.out
    assert 'image without label: micrograph100' in printed.out
    assert 'writing' in printed.err  # the progress bar
    assert len(list((out / 'tiles' / 'img_dir' / 'train').iterdir())) >= 7 * 3
    tool('metaldam', *args)
    assert 'complete already, nothing changed' in capsys.readouterr().out


def test_download(tool, demo_release, demo_zip, tmp_path, capsys):
    out = tmp_path / 'data' / 'metaldam'
    options = ('--url', demo_zip.as_uri(), '--tile-size', '64', '--split', demo_release / 'split')
    with pytest.raises(SystemExit, match=r'error: .*SHA-256'):  # it is not release 1.0
        tool('metaldam', '--download', out, *options)
    assert not out.exists()
    tool('metaldam', '--download', out, *options, '--sha256', file_sha256(demo_zip))
    assert (tmp_path / 'data' / 'MetalDAM_labeled.zip').read_bytes() == demo_zip.read_bytes()
    assert (out / 'dataset.json').exists()


def test_errors_end_the_run_in_one_line(tool, demo_release, tmp_path, capsys):
    with pytest.raises(SystemExit, match=r'error: .*none does not exist'):
        tool('metaldam', tmp_path / 'none', tmp_path / 'out')
    with pytest.raises(SystemExit, match=r'error: There is no split .*holdout5'):
        tool('metaldam', demo_release, tmp_path / 'out', '--split', 'fold9')
    for args in ((tmp_path / 'out',), (demo_release, tmp_path / 'out', '--download')):
        with pytest.raises(SystemExit, match='2'):
            tool('metaldam', *args)
        assert 'give either SOURCE or --download' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_demo_release_tool(tool, tmp_path, capsys):
    out = tmp_path / 'demo'
    tool('make_demo_release', out, '--num', '6', '--size', '64', '80')
    assert len(list((out / 'images').iterdir())) == 7
    assert len(list((out / 'labels').iterdir())) == 6
    assert f'--split {out}/split' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'error: .*new or empty'):
        tool('make_demo_release', out)


@pytest.fixture
def own(tmp_path):
    """Arguments for two micrographs of one's own, of two classes each."""
    arguments = []
    for part in ('train', 'val'):
        for kind in ('images', 'labels'):
            (tmp_path / part / kind).mkdir(parents=True)
            pixels = np.eye(8, 12, dtype=np.uint8) if kind == 'labels' else np.arange(96, dtype=np.uint8).reshape(8, 12)
            Image.fromarray(pixels + (part == 'val') * (kind == 'images')).save(tmp_path / part / kind / f'{part}.png')
        arguments += [f'--{part}', tmp_path / part / 'images', tmp_path / part / 'labels']
    return [*arguments, '--tile-size', '8']


def test_own_micrographs(tool, own, tmp_path, capsys):
    out = tmp_path / 'out'
    args = (out, '--num-classes', '2', *own, '--classes', 'ferrite', 'pearlite')
    tool('micrographs', *args)
    printed = capsys.readouterr().out
    assert 'ferrite %  pearlite %  ignored %' in printed and f'{out}: written' in printed
    assert printed.splitlines()[1].split() == ['train', '1', '2', '91.67', '8.33', '0.00']
    assert json.loads((out / 'dataset.json').read_text())['classes'] == ['ferrite', 'pearlite']
    tool('micrographs', *args)
    assert 'complete already, nothing changed' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'error: .*no pixel of class_2 \(2\)'):
        tool('micrographs', tmp_path / 'other', '--num-classes', '3', *own)
    tool('micrographs', tmp_path / 'other', '--num-classes', '3', *own, '--allow-absent')
    assert 'No pixel in val: class_2 (no score of it on val).' in capsys.readouterr().out


@pytest.mark.metaldam
def test_make_metaldam_splits(tool, metaldam_root, tmp_path):
    tool('make_metaldam_splits', metaldam_root, '--out', tmp_path)
    assert read_split(tmp_path / 'fold3').parts == read_split('fold3').parts
    assert read_split(tmp_path / 'holdout5').parts == read_split('holdout5').parts
