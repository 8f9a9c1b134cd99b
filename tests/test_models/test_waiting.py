"""Training and guided drawing never look at what is computed, for which a GPU would have to be waited for.

On torch's meta device tensors have no values: whatever looks at one raises.
"""

import pytest
import torch
from mmengine.optim import build_optim_wrapper

from mmseg_pfdiff.models import DCGAN, MaskDiffusion, MaskToImageDiffusion, Pix2PixHD
from mmseg_pfdiff.phases.fractions import phase_fractions

from ..generators import OPTIMIZERS, TINY_UNET, batch, make_generator, make_painter, make_super_resolution

PREPROCESSOR = dict(type='PairDataPreprocessor', num_classes=4, size=16)
MODELS = dict(
    generator=lambda: make_generator(min_snr_gamma=5.0, noise_schedule=dict(prediction_type='v_prediction')),
    super_resolution=lambda: make_super_resolution(size=16, max_noise=0.1),
    masks=lambda: MaskDiffusion(PREPROCESSOR, TINY_UNET),
    images=lambda: MaskToImageDiffusion(PREPROCESSOR, TINY_UNET),
    dcgan=lambda: DCGAN(PREPROCESSOR, base_channels=4),
    pix2pixhd=lambda: Pix2PixHD(
        PREPROCESSOR,
        generator=dict(base_channels=4, num_downsamplings=2, num_blocks=1),
        discriminator=dict(num_scales=1, base_channels=4, num_layers=2),
    ),
    painter=lambda: make_painter(size=16, crop=8),
)


@pytest.mark.parametrize('name', MODELS)
def test_a_training_step_looks_at_nothing(name):
    model = MODELS[name]().to('meta').train()
    gan = name in ('dcgan', 'pix2pixhd', 'painter')
    optimizers = build_optim_wrapper(model, OPTIMIZERS if gan else dict(optimizer=dict(type='AdamW', lr=1e-4)))
    data = batch(4, size=32)
    if gan:
        losses = model.train_step(data, optimizers)
    else:
        losses = model(**model.data_preprocessor(data, True), mode='loss')
        optimizers.update_params(sum(losses.values()))
    assert losses and all(loss.device.type == 'meta' for loss in losses.values())


def test_guided_drawing_looks_at_nothing():
    model = make_generator(fraction_guidance=1.0, guidance_scale=2.0, sampler=dict(type='ddim', steps=3)).to('meta')
    drawn = model.sample(torch.full((2, 4), 0.25, device='meta'), seed=0, indices=[0, 1], size=(24, 24))
    assert drawn.shape == (2, 4, 24, 24) and drawn.device.type == 'meta'


def test_labels_are_looked_at_before_they_go_to_the_device():
    model = make_generator().to('meta')
    for value, message in ((4, r'0\.\.3 or 255 \(ignored\), got \[4\]'), (255, r'\[2\] of the batch hold ignored')):
        data = batch(4)
        data['data_samples'][2].gt_sem_seg.data.fill_(value)
        with pytest.raises(ValueError, match=message):
            model.data_preprocessor(data, True)
    assert phase_fractions(torch.zeros(1, 4, 4, dtype=torch.uint8, device='meta'), 4).shape == (1, 4)


def test_what_moves_with_a_model_is_no_part_of_its_checkpoint():
    model = make_generator(fraction_guidance=1.0)
    assert all(name.startswith('unet.net.') for name in model.state_dict())
    moved = {name for name, value in model.to('meta').named_buffers() if value.device.type == 'meta'}
    assert {'data_preprocessor.codec.codes', 'fraction_guidance.signal', 'fraction_guidance.noise'} <= moved
