"""A painter by the command lines: trained, resumed, drawn with, counted, exported and measured."""

import csv

import numpy as np
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader
from PIL import Image

from mmseg_pfdiff.pairs.folder import PairFolder

from ..running import ROOT, run_tool

CONFIG = ROOT / 'configs/small/painter_tiny-64to128.py'
SMALL = [
    'model.generator.channels=8',
    'model.generator.num_blocks=1',
    'model.generator.top_channels=4',
    'model.discriminator.channels=(4,8)',
    'model.data_preprocessor.size=64',
    'model.crop=32',
    'model.grain.num=8',
]


def train(data, work_dir, epochs, *flags, config=CONFIG, more=()):
    options = [
        *SMALL,
        *more,
        f'train_cfg.max_epochs={epochs}',
        'train_cfg.val_interval=1',
        'default_hooks.checkpoint.interval=1',
        'val_dataloader.sampler.num=2',
        *(
            f'{part}_dataloader.{key}'
            for part in ('train', 'val')
            for key in (f'dataset.data_root={data}', 'num_workers=0', 'persistent_workers=False')
        ),
    ]
    run_tool('train.py', config, '--work-dir', work_dir, *flags, '--cfg-options', *options)


@pytest.fixture(scope='module')
def trained(demo_data, tmp_path_factory):
    """The work directory of two epochs, the second of which was resumed."""
    work_dir = tmp_path_factory.mktemp('painter')
    train(demo_data, work_dir, 1)
    train(demo_data, work_dir, 2, '--resume')
    return work_dir


@pytest.fixture(scope='module')
def files(random_generators, trained):
    """Arguments that name a generator and the painter."""
    painter = ['--sr-config', trained / CONFIG.name, '--sr-checkpoint', trained / 'epoch_2.pth']
    return [*random_generators[:2], *painter]


def test_training_leaves_checkpoint_picture_and_log(trained):
    picture = np.array(Image.open(trained / 'pairs/epoch_2.png'))
    assert picture.ndim == 3 and picture.std() > 10
    logs = [path.read_text() for path in sorted(trained.glob('*/*.log'))]
    assert 'Grain measured on 8 tiles: median deviation' in logs[0] and 'Grain measured' not in logs[1]
    assert 'resumed epoch: 1' in logs[1]
    assert not any('no `ema_state_dict`' in log for log in logs)


def test_resumed_training_goes_on_with_averages_optimizers_and_grain(trained):
    first, second = (CheckpointLoader.load_checkpoint(str(trained / f'epoch_{n}.pth')) for n in (1, 2))
    iterations = first['meta']['iter']
    assert [file['ema_state_dict']['steps'].item() for file in (first, second)] == [iterations, 2 * iterations]
    for part in ('generator', 'discriminator'):
        steps = [file['optimizer'][part]['state'][0]['step'].item() for file in (first, second)]
        assert steps == [iterations, 2 * iterations]
    rates = {part: second['optimizer'][part]['param_groups'][0]['lr'] for part in ('generator', 'discriminator')}
    assert rates == dict(generator=2e-4, discriminator=4e-4)
    for name in ('greys', 'deviations', 'looks'):
        assert torch.equal(first['state_dict'][f'grain.{name}'], second['state_dict'][f'grain.{name}'])
    assert (second['state_dict']['grain.deviations'] > 0).any()
    weights = [file['state_dict']['generator.first.weight'] for file in (first, second)]
    assert not torch.equal(*weights)
    logged = second['message_hub']['log_scalars']
    for name in ('loss_drawn', 'loss_real', 'loss_adversarial', 'loss_low', 'loss_features'):
        values = logged[f'train/{name}'].data[0]
        assert len(values) == 2 * iterations and np.isfinite(values).all()


def test_pairs_are_drawn_with_it(files, tmp_path):
    command = ['generate_pairs.py', *files, '--out', tmp_path / 'pairs', '--max-moved', 1, '--max-invented', 1]
    run_tool(*command, '--num', 3, '--batch-size', 2)
    folder = PairFolder(tmp_path / 'pairs')
    before = [folder.read(n) for n in range(3)]
    for row, (image, label) in zip(folder.rows(), before, strict=True):
        assert image.shape == label.shape == (64, 64)
        assert np.bincount(label.ravel(), minlength=4) / 4096 == pytest.approx(row.target, abs=1 / 4096)
    assert folder.description['super_resolution']['type'] == 'PairPainter'
    # It goes on, with the same pairs whatever was drawn beside them.
    folder.label_path(1).unlink()
    run_tool(*command, '--num', 4)
    for n, (image, label) in enumerate(before):
        again = folder.read(n)
        assert (np.abs(again[0].astype(int) - image) > 1).mean() < 0.02 and (again[1] != label).mean() < 0.02
    for arguments in (('--steps', 2), ('--seed', 1)):
        with pytest.raises(SystemExit, match=arguments[0][2:]):
            run_tool(*command, '--num', 4, *arguments)


def test_pairs_larger_than_the_tiles(files, tmp_path):
    run_tool(
        'generate_pairs.py', *files, '--out', tmp_path, '--num', 1, '--size', '70x91', '--max-moved', 1,
        '--max-invented', 1,
    )  # fmt: skip
    folder = PairFolder(tmp_path)
    image, label = folder.read(0)
    assert image.shape == label.shape == (70, 91)
    assert np.isfinite(folder.rows()[0].measures['seam'])


def test_its_operations_are_counted(capsys):
    run_tool('count_operations.py', CONFIG, ROOT / 'configs/pfdiff/painter_128to256.py')
    rows = [line.strip('| ').split(' | ') for line in capsys.readouterr().out.splitlines() if 'painter' in line]
    assert [row[0] for row in rows] == ['painter_tiny-64to128', 'painter_128to256']
    assert 0 < float(rows[0][1]) < float(rows[1][1]) and 0 < float(rows[0][2]) < float(rows[1][2])


def test_it_is_exported_and_measured(files, tmp_path):
    run_tool('export_generator.py', *files[:2], tmp_path / 'steel', *files[2:])
    assert 'The super-resolution is a PairPainter' in (tmp_path / 'steel/README.md').read_text()
    for source, out in ((files, 'a'), ([tmp_path / 'steel'], 'b')):
        run_tool('generate_pairs.py', *source, '--out', tmp_path / out, '--num', 2, '--max-moved', 1)
    a, b = (PairFolder(tmp_path / out) for out in 'ab')
    assert a.description == b.description
    assert all(np.array_equal(*parts) for n in (0, 1) for parts in zip(a.read(n), b.read(n), strict=True))
    run_tool(
        'benchmark_sampling.py', tmp_path / 'steel', '--out', tmp_path / 'table', '--num', 2, '--steps', 2,
        '--samplers', 'ddim',
    )  # fmt: skip
    [row] = csv.DictReader((tmp_path / 'table/sampling.csv').open())
    assert row['evaluations'] == '3', 'two of the generator, one of the painter'


def test_images_for_label_maps_that_are_given(files, demo_data, tmp_path, capsys):
    config = ROOT / 'configs/small/mask-painter_tiny-128x128.py'
    train(demo_data, tmp_path / 'work', 1, config=config, more=['model.looks.num=8'])
    painter = [tmp_path / 'work' / config.name, tmp_path / 'work/epoch_1.pth']
    maps = demo_data / 'tiles/ann_dir/train'
    run_tool('generate_pairs.py', *painter, '--masks', maps, '--out', tmp_path / 'given', '--num', 2)
    given = PairFolder(tmp_path / 'given')
    for row in given.rows():
        image, label = given.read(row.index)
        assert image.shape == label.shape == (64, 64) and row.group == 'given' and row.kept
        assert np.bincount(label.ravel(), minlength=4) / 4096 == pytest.approx(row.target, abs=1e-9)
    remodelled = [
        '--masks',
        maps,
        '--remodel',
        '--fractions',
        'matrix=0.4,austenite=0.4,martensite_austenite=0.2,defect=0',
    ]
    run_tool('generate_pairs.py', *painter, *remodelled, '--out', tmp_path / 'new', '--num', 2, '--max-moved', 1)
    new = PairFolder(tmp_path / 'new')
    assert new.description['masks']['remodelled'] and new.description['image_model']['type'] == 'MaskPainter'
    for row in new.rows():
        shares = np.bincount(new.read(row.index)[1].ravel(), minlength=4) / 4096
        present = np.array(row.target) * (shares > 0)
        assert shares == pytest.approx(present / present.sum(), abs=1 / 4096)
    # The same painter out of an exported folder, and one that draws no images for label maps.
    run_tool(
        'export_generator.py', *files[:2], tmp_path / 'steel', '--sr-config', painter[0], '--sr-checkpoint', painter[1]
    )
    run_tool('generate_pairs.py', tmp_path / 'steel', '--masks', maps, '--out', tmp_path / 'again', '--num', 2)
    again = PairFolder(tmp_path / 'again')
    assert again.description == given.description
    assert all(np.array_equal(*parts) for n in (0, 1) for parts in zip(again.read(n), given.read(n), strict=True))
    with pytest.raises(SystemExit, match='draws no images for label maps, as a MaskPainter does'):
        run_tool('generate_pairs.py', *files[3::2], '--masks', maps, '--out', tmp_path / 'wrong', '--num', 2)
    for wrong, message in (
        ([*remodelled, '--size', '70x91'], 'images for given --masks take no options for size'),
        ([*remodelled[:2], *remodelled[3:]], 'for label maps of other fractions, add --remodel'),
        (['--remodel'], 'name their folder with --masks'),
    ):
        with pytest.raises(SystemExit):
            run_tool('generate_pairs.py', *painter, *wrong, '--out', tmp_path / 'wrong', '--num', 2)
        assert message in capsys.readouterr().err
