"""The whole chain by its command lines, with networks as small as they get."""

import json
import os
import shutil
import socket

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from PIL import Image

from mmseg_pfdiff.pairs.folder import PairFolder

from ..forked import start
from ..running import ROOT, SMALL_SEGMENTOR, run_tool

CONFIGS = ROOT / 'configs/small'
TINY = ['model.unet.block_out_channels=(8,16)', 'model.unet.norm_num_groups=4', 'model.sampler.steps=2']


@pytest.fixture(scope='module')
def data(demo_data):
    return demo_data


def generator_options(data, size, epochs):
    return [
        *TINY,
        f'model.data_preprocessor.size={size}',
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


def train_generator(config, data, size, work_dir, epochs, *flags):
    options = generator_options(data, size, epochs)
    run_tool('train.py', CONFIGS / config, '--work-dir', work_dir, *flags, '--cfg-options', *options)


@pytest.fixture(scope='module')
def generators(data, tmp_path_factory):
    root = tmp_path_factory.mktemp('generators')
    train_generator('pf-diffseg_tiny-64x64.py', data, 32, root / 'g', 1)
    train_generator('pair-sr_tiny-64to128.py', data, 64, root / 'sr', 1)
    return root


@pytest.fixture(scope='module')
def pairs(data, generators, tmp_path_factory):
    out = tmp_path_factory.mktemp('pairs') / 'pairs'
    generate(data, generators, out, 48)
    return out


def generate(data, generators, out, num, *arguments):
    run_tool(
        'generate_pairs.py', generators / 'g/pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth',
        '--sr-config', generators / 'sr/pair-sr_tiny-64to128.py', '--sr-checkpoint', generators / 'sr/epoch_1.pth',
        '--out', out, '--num', num, '--max-moved', 1, '--max-invented', 1, *arguments,
    )  # fmt: skip


def test_training_leaves_checkpoint_picture_and_resolved_config(generators):
    assert (generators / 'g/epoch_1.pth').exists()
    picture = np.array(Image.open(generators / 'g/pairs/epoch_1.png'))
    assert picture.ndim == 3 and picture.std() > 10
    assert "type='PFDiffSeg'" in (generators / 'g/pf-diffseg_tiny-64x64.py').read_text()
    scalars = next((generators / 'g').glob('*/vis_data/scalars.json')).read_text()
    assert 'fraction_mae.martensite_austenite' in scalars


def test_resume_goes_on_with_the_averaged_weights(data, generators, tmp_path):
    shutil.copytree(generators / 'g', tmp_path / 'g')
    (tmp_path / 'g/last_checkpoint').write_text(str(tmp_path / 'g/epoch_1.pth'))
    train_generator('pf-diffseg_tiny-64x64.py', data, 32, tmp_path / 'g', 2, '--resume')
    logs = ' '.join(path.read_text() for path in (tmp_path / 'g').glob('*/*.log'))
    assert 'resumed epoch: 1' in logs and (tmp_path / 'g/epoch_2.pth').exists()
    assert 'no `ema_state_dict`' not in logs


def test_pairs_stand_in_their_folder(pairs):
    folder = PairFolder(pairs)
    rows = folder.rows()
    assert [row.index for row in rows] == list(range(48))
    assert {row.group for row in rows} == {'uniform', 'rich_martensite_austenite', 'rich_defect'}
    assert Image.open(folder.image_path(47)).size == (64, 64)
    assert folder.description['generator']['sampler']['type'] == 'DPMSolverMultistepScheduler'
    assert len(folder.description['super_resolution']['tensors_sha256']) == 64


def test_the_same_command_continues_and_another_is_refused(data, generators, pairs, tmp_path, capsys):
    out = tmp_path / 'pairs'
    shutil.copytree(pairs, out)
    folder = PairFolder(out)
    folder.label_path(5).unlink()
    before = np.array(Image.open(folder.image_path(5)))
    generate(data, generators, out, 48, '--batch-size', 3)
    assert '1 pairs written' in capsys.readouterr().out
    assert (np.abs(np.array(Image.open(folder.image_path(5))).astype(int) - before) > 1).mean() < 0.02
    generate(data, generators, out, 48)
    assert 'pairs written' not in capsys.readouterr().out
    for *arguments, name in (('--seed', 1, 'seed'), ('--steps', 3, 'sampler.steps'), ('--sampler', 'ddim', 'type')):
        with pytest.raises(SystemExit, match=name):
            generate(data, generators, out, 48, *arguments)


def test_a_table_of_fractions_is_met_row_by_row(data, generators, tmp_path, capsys):
    table = tmp_path / 'asked.csv'
    table.write_text('matrix,austenite,martensite_austenite,defect\n0.4,0.3,0.2,0.1\n0,0,1,0\n')
    command = ['generate_pairs.py', generators / 'g/pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth']
    command += ['--max-moved', 1, '--max-invented', 1, '--out', tmp_path / 'a', '--speck-area', 4, '--fractions', table]
    run_tool(*command)
    assert '2 pairs of 32x32' in capsys.readouterr().out
    folder = PairFolder(tmp_path / 'a')
    for row in folder.rows():
        counts = np.bincount(folder.read(row.index)[1].ravel(), minlength=4)
        # Phases that so short a training did not draw stay absent.
        present = np.array(row.target) * (counts > 0)
        assert np.abs(counts - 1024 * present / present.sum()).max() < 1
    assert all(0 < row.measures['support_distance'] < 1 for row in folder.rows())
    for arguments, message in (
        (['--target-mean', 'defect=0.02'], 'exclude each other'),
        (['--num', 3], 'at most 2, the rows'),
        (['--size', '16x64'], 'at least 32x32'),
        (['--speck-area', 5], 'speck_area'),
    ):
        with pytest.raises(SystemExit, match=message):
            run_tool(*command, *arguments)


def test_a_mean_over_all_pairs_is_planned(generators, tmp_path):
    run_tool(
        'generate_pairs.py', generators / 'g/pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth',
        '--max-moved', 1, '--out', tmp_path / 'a', '--target-mean', 'defect=0.03', '--num', 256, '--steps', 1,
    )  # fmt: skip
    rows = PairFolder(tmp_path / 'a').rows()
    assert np.mean([row.measured[3] for row in rows]) == pytest.approx(0.03, abs=0.003)


def free_port():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        return listener.getsockname()[1]


def run_as_rank(rank, port, *arguments):
    """Runs a tool as one of the two processes that a launcher starts."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port)
    )
    run_tool(*arguments)


def test_two_processes_write_the_folder_of_one(generators, pairs, tmp_path):
    out = tmp_path / 'two'
    command = ['generate_pairs.py', generators / 'g/pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth']
    command += ['--sr-config', generators / 'sr/pair-sr_tiny-64to128.py']
    command += ['--sr-checkpoint', generators / 'sr/epoch_1.pth', '--out', out, '--num', 48]
    command += ['--max-moved', 1, '--max-invented', 1, '--launcher', 'pytorch', '--device', 'cpu']
    logs = [tmp_path / f'{rank}.log' for rank in (0, 1)]
    port = free_port()
    processes = [start(log, run_as_rank, rank, port, *command) for rank, log in enumerate(logs)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0], [log.read_text()[-3000:] for log in logs]
    one, two = PairFolder(pairs), PairFolder(out)
    assert [(r.index, r.group, r.target) for r in one.rows()] == [(r.index, r.group, r.target) for r in two.rows()]
    for row in one.rows():
        images = [np.array(Image.open(folder.image_path(row.index))).astype(int) for folder in (one, two)]
        assert (np.abs(images[0] - images[1]) > 1).mean() < 0.02
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in pairs.iterdir())


def test_a_checkpoint_of_another_network_is_named(generators, tmp_path):
    with pytest.raises(SystemExit, match='does not fit the network'):
        run_tool(
            'generate_pairs.py', CONFIGS / 'pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth',
            '--out', tmp_path / 'x', '--num', 1,
        )  # fmt: skip
    assert not (tmp_path / 'x').exists()


def test_seg_guided_diff_trains_resumes_and_generates(data, generators, tmp_path):
    for stage in ('mask', 'image'):
        config = f'seg-guided-{stage}_tiny-64x64.py'
        train_generator(config, data, 32, tmp_path / stage, 1)
        train_generator(config, data, 32, tmp_path / stage, 2, '--resume')
        assert np.array(Image.open(tmp_path / stage / 'pairs/epoch_2.png')).std() > 10
    command = ['generate_pairs.py', tmp_path / 'mask/seg-guided-mask_tiny-64x64.py', tmp_path / 'mask/epoch_2.pth']
    command += ['--image-config', tmp_path / 'image/seg-guided-image_tiny-64x64.py', '--out', tmp_path / 'pairs']
    command += ['--image-checkpoint', tmp_path / 'image/epoch_2.pth', '--num', 5]
    command += ['--sr-config', generators / 'sr/pair-sr_tiny-64to128.py']
    command += ['--sr-checkpoint', generators / 'sr/epoch_1.pth']
    run_tool(*command, '--batch-size', 2)
    folder = PairFolder(tmp_path / 'pairs')
    rows = folder.rows()
    assert [row.group for row in rows] == ['unconditional'] * 5 and all(row.kept for row in rows)
    assert np.isnan(rows[0].target).all() and sum(rows[0].measured) == pytest.approx(1)
    assert folder.read(4)[0].shape == (64, 64) and folder.description['image_model']['type'] == 'MaskToImageDiffusion'
    folder.label_path(3).unlink()
    run_tool(*command)
    assert len(folder.rows()) == 5 and folder.label_path(3).exists()
    for arguments, message in ((['--fractions', 'defect=1'], '2'), (['--seed', 1], 'seed')):
        with pytest.raises(SystemExit, match=message):
            run_tool(*command, *arguments)
    with pytest.raises(SystemExit, match='which is no mask model'):
        run_tool(command[0], generators / 'g/pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth', *command[3:])


def segmentor_options(data, pairs, epochs):
    return [
        *(f'{key}={value}' for key, value in SMALL_SEGMENTOR.items()),
        'model.data_preprocessor.size=(64,64)', 'model.test_cfg.crop_size=(64,64)', 'model.test_cfg.stride=(32,32)',
        f'train_dataloader.dataset.real.data_root={data}', f'train_dataloader.dataset.synthetic.data_root={pairs}',
        'train_dataloader.dataset.real.pipeline.2.crop_size=(64,64)',
        'train_dataloader.dataset.synthetic.pipeline.2.scale=(64,64)',
        'train_dataloader.dataset.synthetic.pipeline.3.crop_size=(64,64)',
        'train_dataloader.dataset.ratio=1', 'train_dataloader.batch_size=8',
        f'train_cfg.max_epochs={epochs}', 'train_cfg.val_interval=1', 'default_hooks.checkpoint.interval=1',
        *(f'{part}_dataloader.{key}' for part in ('train', 'val', 'test') for key in (
            'num_workers=0', 'persistent_workers=False')),
        *(f'{part}_dataloader.dataset.data_root={data}' for part in ('val', 'test')),
    ]  # fmt: skip


def test_mixed_training_resume_and_slide_test(data, pairs, tmp_path):
    config = CONFIGS / 'unet_r18_128x128_ratio2.py'
    for epochs, flags in ((1, ()), (2, ('--resume',))):
        options = segmentor_options(data, pairs, epochs)
        run_tool('train.py', config, '--work-dir', tmp_path / 'w', *flags, '--cfg-options', *options)
    options = segmentor_options(data, pairs, 2)
    run_tool(
        'test.py', config, tmp_path / 'w/epoch_2.pth', '--work-dir', tmp_path / 'w', '--out', tmp_path / 'predictions',
        '--cfg-options', *options,
    )  # fmt: skip
    report = json.loads((tmp_path / 'w/test.json').read_text())
    names = sorted(path.stem for path in (data / 'img_dir/test').glob('*.png'))
    assert sorted(row['micrograph'] for row in report) == sorted([*names, 'all'])
    for row in report:
        label = None if row['micrograph'] == 'all' else data / f'ann_dir/test/{row["micrograph"]}.png'
        if label is not None:
            truth = np.array(Image.open(label))
            guess = np.array(Image.open(tmp_path / f'predictions/{row["micrograph"]}.png'))
            assert row['aAcc'] == pytest.approx(100 * (truth == guess)[truth != 255].mean(), abs=1e-6)
            assert (row['IoU']['defect'] is None) == (not (truth == 3).any())


def test_a_checkpoint_of_another_network_is_not_tested(data, generators, tmp_path):
    with pytest.raises(SystemExit, match='does not fit the network'):
        run_tool(
            'test.py', CONFIGS / 'unet_r18_128x128_real.py', generators / 'g/epoch_1.pth', '--work-dir', tmp_path,
            '--cfg-options', f'test_dataloader.dataset.data_root={data}',
        )  # fmt: skip


def test_a_checkpoint_of_another_number_of_classes_is_not_tested(data, tmp_path):
    config = Config.fromfile(CONFIGS / 'unet_r18_128x128_real.py')
    config.model.pop('train_cfg')
    config.model.decode_head.num_classes = 3
    torch.save(dict(state_dict=MODELS.build(config.model).state_dict()), tmp_path / 'three.pth')
    options = [f'test_dataloader.dataset.data_root={data}']
    with pytest.raises(SystemExit, match=r'of another shape, decode_head\.conv_seg'):
        run_tool(
            'test.py', CONFIGS / 'unet_r18_128x128_real.py', tmp_path / 'three.pth', '--work-dir', tmp_path,
            '--cfg-options', *options,
        )  # fmt: skip


@pytest.mark.parametrize('folder', ['ann_dir/test', 'img_dir/test/predictions'])
def test_predictions_are_not_written_among_the_data(data, generators, tmp_path, folder):
    with pytest.raises(SystemExit, match=f'--out .*{folder} lies in .*, whose files it would replace'):
        run_tool(
            'test.py', CONFIGS / 'unet_r18_128x128_real.py', generators / 'g/epoch_1.pth', '--work-dir', tmp_path,
            '--out', data / folder, '--cfg-options', f'test_dataloader.dataset.data_root={data}',
        )  # fmt: skip


def test_generators_have_no_test(generators, tmp_path):
    with pytest.raises(SystemExit, match='has no test part'):
        run_tool('test.py', CONFIGS / 'pf-diffseg_tiny-64x64.py', generators / 'g/epoch_1.pth')
