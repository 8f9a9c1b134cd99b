import json

import pytest
from mmseg.registry import MODELS

from mmseg_pfdiff.checkpoints.settings import build_from_settings, read_settings
from mmseg_pfdiff.models.diffusion.pf_diffseg import PFDiffSeg

from ..generators import make_generator, make_super_resolution


def test_every_argument_is_told_and_survives_json():
    unet = dict(block_out_channels=(8, 16, 16), layers_per_block=2, norm_num_groups=4, patch_size=2)
    generator = make_generator(
        unet=unet, cond_drop_prob=0.3, cond_jitter=0.1, lambda_l1=0.5, min_snr_gamma=5, guidance_scale=1.5,
        fraction_guidance=0.25, num_train_timesteps=300, noise_schedule=dict(beta_schedule='squaredcos_cap_v2'),
        sampler=dict(type='ddim', steps=4, eta=0.2),
    )  # fmt: skip
    settings = json.loads(json.dumps(read_settings(generator)))
    assert settings['unet'] == dict(unet, block_out_channels=[8, 16, 16])
    assert settings['sampler'] == dict(type='DDIMScheduler', steps=4, eta=0.2, timestep_spacing='trailing')
    assert settings['noise_schedule'] == dict(beta_schedule='squaredcos_cap_v2')
    assert settings['data_preprocessor']['code'] == 'simplex'
    again = build_from_settings(settings)
    assert read_settings(again) == read_settings(generator)
    for name in ('cond_drop_prob', 'cond_jitter', 'lambda_l1', 'min_snr_gamma', 'guidance_scale'):
        assert getattr(again, name) == getattr(generator, name)
    assert again.fraction_guidance.weight == 0.25
    assert again.training_schedule.config == generator.training_schedule.config


def test_the_super_resolution_tells_its_own():
    model = make_super_resolution(max_noise=0.4)
    settings = read_settings(model)
    assert (settings['type'], settings['factor'], settings['max_noise']) == ('PairSuperResolution', 2, 0.4)
    assert 'noise_level_input' not in settings['unet']
    assert read_settings(build_from_settings(settings)) == settings


def test_other_classes_are_neither_written_nor_built():
    class Mine(PFDiffSeg):
        pass

    mine = make_generator()
    mine.__class__ = Mine
    with pytest.raises(ValueError, match='got a Mine'):
        read_settings(mine)
    settings = read_settings(make_generator())
    # Registered, but not of ours.
    assert MODELS.get('EncoderDecoder') is not None
    for changed in (
        dict(type='EncoderDecoder'),
        dict(type=None),
        dict(data_preprocessor=dict(type='SegDataPreProcessor')),
    ):
        with pytest.raises(ValueError, match='Other classes are not loaded'):
            build_from_settings(settings | changed)


def test_an_argument_that_nothing_tells_is_named():
    generator = make_generator()
    del generator.cond_jitter
    with pytest.raises(TypeError, match="PFDiffSeg does not tell its argument 'cond_jitter'"):
        read_settings(generator)
