"""Training of the GANs by the command line, with networks as small as they get."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner.checkpoint import CheckpointLoader
from PIL import Image

from mmseg_pfdiff.checkpoints.weights import build_model, load_weights
from mmseg_pfdiff.models.gan.dcgan import DCGAN
from mmseg_pfdiff.models.gan.pix2pixhd import Pix2PixHD
from mmseg_pfdiff.pairs.folder import PairFolder

from ..running import ROOT, run_tool

TINY = {
    'dcgan': ['model.base_channels=8'],
    'pix2pixhd': [
        'model.generator.base_channels=4',
        'model.discriminator.base_channels=4',
        'train_dataloader.batch_size=16',
    ],
}


def train(name, data, work_dir, epochs, *flags):
    options = [
        *TINY[name],
        'model.data_preprocessor.size=32',
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
    config = ROOT / f'configs/small/{name}_tiny-64x64.py'
    run_tool('train.py', config, '--work-dir', work_dir, *flags, '--cfg-options', *options)


@pytest.mark.parametrize(('name', 'kind'), [('dcgan', DCGAN), ('pix2pixhd', Pix2PixHD)])
def test_a_gan_trains_and_resumes(name, kind, demo_data, tmp_path):
    train(name, demo_data, tmp_path, 1)
    first = CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_1.pth'))
    assert set(first['optimizer']) == {'generator', 'discriminator'}
    picture = np.array(Image.open(tmp_path / 'pairs/epoch_1.png'))
    assert picture.ndim == 3 and picture.std() > 10

    train(name, demo_data, tmp_path, 2, '--resume')
    second = CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_2.pth'))
    for part in ('generator', 'discriminator'):
        steps = [file['optimizer'][part]['state'][0]['step'].item() for file in (first, second)]
        assert steps[0] > 0 and steps[1] == 2 * steps[0], 'the optimizer went on where it was'
    logged = second['message_hub']['log_scalars']
    losses = logged['train/loss_discriminator'].data[0]
    assert len(losses) == second['meta']['iter'] and np.isfinite(losses).all()
    assert logged['train/generator.lr'].current() == logged['train/discriminator.lr'].current() == 2e-4

    config = Config.fromfile(tmp_path / f'{name}_tiny-64x64.py')
    model = build_model(config, kind, 'not a GAN').eval()
    load_weights(model, tmp_path / 'epoch_2.pth', config)
    drawn = (
        model.draw_labels(0, [3])
        if kind is DCGAN
        else model.draw_images(torch.zeros(1, 32, 32, dtype=torch.uint8), 0, [3])
    )
    assert drawn.shape == (1, 32, 32) and drawn.dtype == torch.uint8


def test_both_stages_draw_into_a_pair_folder(demo_data, tmp_path):
    for name in TINY:
        train(name, demo_data, tmp_path / name, 1)
    run_tool(
        'generate_pairs.py', tmp_path / 'dcgan/dcgan_tiny-64x64.py', tmp_path / 'dcgan/epoch_1.pth',
        '--image-config', tmp_path / 'pix2pixhd/pix2pixhd_tiny-64x64.py',
        '--image-checkpoint', tmp_path / 'pix2pixhd/epoch_1.pth', '--out', tmp_path / 'pairs', '--num', 4,
    )  # fmt: skip
    folder = PairFolder(tmp_path / 'pairs')
    assert [row.group for row in folder.rows()] == ['unconditional'] * 4
    assert folder.description['mask_model']['type'] == 'DCGAN' and folder.read(3)[0].shape == (32, 32)
