"""Grain and looks that a training measures, on tiles whose noise is known."""

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from mmengine.structures import PixelData
from mmseg.registry import DATASETS
from mmseg.structures import SegDataSample
from torch.utils.data import Dataset

from mmseg_pfdiff.models.gan.grain import measure_noise

from ..generators import OPTIMIZERS, make_painter
from .toy import NUMBERS

SIZE = 32
NETWORKS = dict(
    data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=SIZE),
    generator=dict(channels=8, num_blocks=1, top_channels=4),
    discriminator=dict(channels=(4, 8)),
    grain=dict(num=4),
    crop=16,
)


@DATASETS.register_module()
class NoisyTiles(Dataset):
    """Tiles of a brightness and a noise that rise with their index; `read` notes which ones were looked at."""

    metainfo: dict = {}
    read: list = []

    def __init__(self, number):
        self.number = number

    def __len__(self):
        return self.number

    def __getitem__(self, index):
        self.read.append(int(index))
        generator = torch.Generator().manual_seed(int(index))
        image = 90 + 5 * index + (2 + index) * torch.randn(1, SIZE, SIZE, generator=generator)
        labels = (torch.arange(SIZE) % 4).expand(1, SIZE, SIZE).clone()
        sample = SegDataSample(gt_sem_seg=PixelData(data=labels), metainfo=dict(sample_idx=int(index)))
        return dict(inputs=image.round().clamp(0, 255).to(torch.uint8), data_samples=sample)


def runner(folder, tiles=12, epochs=1, model=None, **options):
    """A training of a painter that measures four tiles."""
    config = dict(
        default_scope='mmseg',
        work_dir=str(folder),
        model=model or dict(type='PairPainter', **NETWORKS),
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            dataset=dict(type='NoisyTiles', number=tiles),
            sampler=dict(type='DefaultSampler'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=OPTIMIZERS,
        custom_hooks=[
            dict(type='PainterHook'),
            dict(type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=2e-3, gamma=10),
        ],
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1)),
        randomness=dict(seed=0),
        log_level='ERROR',
        experiment_name=f'grain{next(NUMBERS)}',
    )
    NoisyTiles.read.clear()
    return Runner.from_cfg(Config({**config, **options}))


def measured(places):
    return torch.stack([measure_noise(NoisyTiles(12)[place]['inputs'][0].float())[1] for place in places])


def test_evenly_chosen_tiles_are_measured_before_the_first_step(tmp_path):
    run = runner(tmp_path)
    run.train()
    assert NoisyTiles.read[:4] == [0, 4, 7, 11]
    grain = run.model.grain
    assert torch.equal(grain.deviations, measured([0, 4, 7, 11]))
    assert (grain.deviations.mean(1) - torch.tensor([2.0, 6, 9, 13])).abs().max() < 2
    # Brightness on the scale of pair tensors; the contrast of reduced tiles is half of the noise.
    brightness = torch.tensor([90.0, 110, 125, 145]) / 127.5 - 1
    assert (grain.looks[:, 0] - brightness).abs().max() < 0.02
    assert (grain.looks[:, 1] * 127.5 - torch.tensor([1.0, 3, 4.5, 6.5])).abs().max() < 1


def test_a_mask_painter_gets_the_looks_of_evenly_chosen_tiles(tmp_path):
    run = runner(tmp_path, model=dict(type='MaskPainter', **NETWORKS, looks=dict(num=3)))
    run.train()
    assert NoisyTiles.read[4:7] == [0, 6, 11]
    looks = run.model.looks
    assert torch.equal(looks.fractions, torch.full((3, 4), 0.25))
    assert (looks.greys - (torch.tensor([90.0, 120, 145]) / 127.5 - 1)[:, None]).abs().max() < 0.05
    saved = CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_1.pth'))['state_dict']
    assert torch.equal(saved['looks.textures'], looks.textures) and looks.textures[..., 4:8].min() > 0
    assert torch.equal(run.model.grain.deviations, measured([0, 4, 7, 11]))


def test_the_averaged_weights_that_are_saved_have_the_grain(tmp_path):
    run = runner(tmp_path)
    run.train()
    checkpoint = CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_1.pth'))
    for part in (checkpoint['state_dict'], checkpoint['ema_state_dict']):
        [deviations] = [value for name, value in part.items() if name.endswith('grain.deviations')]
        assert torch.equal(deviations, run.model.grain.deviations) and deviations.min() > 0
    # Averages: near the weights of training, which lie beside them, and not these.
    name = 'generator.first.weight'
    averaged, trained = checkpoint['state_dict'][name], checkpoint['ema_state_dict'][f'module.{name}']
    assert torch.equal(trained, run.model.state_dict()[name]) and not torch.equal(averaged, trained)
    assert (averaged - trained).abs().max() < 0.01


def test_what_a_checkpoint_brought_is_kept(tmp_path):
    runner(tmp_path).train()
    kept = CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_1.pth'))['state_dict']
    for options in (dict(resume=True), dict(load_from=str(tmp_path / 'epoch_1.pth'))):
        # Other tiles, whose grain would be another.
        run = runner(tmp_path, tiles=5, epochs=2, **options)
        run.train()
        assert torch.equal(run.model.grain.deviations, kept['grain.deviations'])
        assert torch.equal(run.model.grain.looks, kept['grain.looks'])
        assert len(NoisyTiles.read) == 5 * (1 if 'resume' in options else 2), 'read by the training alone'


def test_fewer_tiles_than_are_measured_are_measured_again(tmp_path):
    run = runner(tmp_path, tiles=2)
    run.train()
    assert NoisyTiles.read[:4] == [0, 0, 1, 1]
    assert torch.equal(run.model.grain.deviations, measured([0, 0, 1, 1]))
    alone = runner(tmp_path / 'alone', tiles=1)
    alone.train()
    assert torch.equal(alone.model.grain.deviations, measured([0] * 4))


def test_a_painter_of_a_checkpoint_draws_with_the_grain(tmp_path):
    runner(tmp_path).train()
    painter = make_painter(grain=dict(num=4))
    painter.load_state_dict(CheckpointLoader.load_checkpoint(str(tmp_path / 'epoch_1.pth'))['state_dict'])
    bright = torch.full((1, 1, 16, 16), 145 / 127.5 - 1)
    labels = torch.zeros(1, SIZE, SIZE, dtype=torch.long)
    drawn = painter.paint(bright, labels, 0, [0]).float()
    painter.grain.deviations.zero_()
    assert 1 < (drawn - painter.paint(bright, labels, 0, [0]).float()).std() < 16


def test_other_models_are_refused(tmp_path):
    model = dict(
        type='DCGAN',
        data_preprocessor=dict(type='PairDataPreprocessor', num_classes=4, size=SIZE),
        base_channels=4,
        latent_dim=4,
    )
    run = runner(tmp_path, model=model, custom_hooks=[dict(type='PainterHook')])
    with pytest.raises(TypeError, match=r'PainterHook is for a PairPainter, got a DCGAN\. Leave the hook out'):
        run.train()
    assert not NoisyTiles.read
