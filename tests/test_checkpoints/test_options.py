import shutil

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS

from mmseg_pfdiff.checkpoints.open import open_generator

from ..generators import opening
from ..running import ROOT, run_tool

CONFIGS = ROOT / 'configs/small'
FRACTIONS = torch.tensor([[0.4, 0.3, 0.2, 0.1]])


@pytest.fixture(scope='module')
def files(random_generators):
    return tuple(map(str, random_generators))


@pytest.fixture(scope='module')
def exported(files, tmp_path_factory):
    out = tmp_path_factory.mktemp('options') / 'steel'
    run_tool('export_generator.py', files[0], files[1], out, '--sr-config', files[2], '--sr-checkpoint', files[3])
    return str(out)


@pytest.mark.parametrize(
    ('options', 'sr_options'),
    [
        ({'model.fraction_guidance': 0.25, 'model.guidance_scale': 2.0}, {'model.fraction_guidance': 1.0}),
        ({'model.sampler.steps': 2}, {'model.sampler.type': 'ddim', 'model.sampler.eta': 0.5}),
        ({'model.sampler.type': 'renoise'}, {'model.sampler': 'unipc'}),
        ({'fraction_sampler.sigma': 0.3, 'fraction_sampler.epsilon': 0}, {}),
        ({'fraction_sampler.groups': [dict(name='all', share=1)]}, {}),
    ],
)
def test_a_folder_takes_the_options_of_its_configs(files, exported, options, sr_options):
    first, other = (
        open_generator(**source, cfg_options=options, sr_cfg_options=sr_options)
        for source in (opening(files), dict(source=exported))
    )
    assert first.identity == other.identity and first.requests.describe() == other.requests.describe()
    plain = open_generator(exported)
    assert (plain.identity, plain.requests.describe()) != (other.identity, other.requests.describe())
    assert torch.equal(first.requests(2, 5).target, other.requests(2, 5).target)
    pairs, same = (opened.cascade().draw(FRACTIONS, 0, [3]) for opened in (first, other))
    assert torch.equal(pairs.images, same.images) and torch.equal(pairs.plain, same.plain)


def test_options_are_exported(files, tmp_path):
    run_tool(
        'export_generator.py', files[0], files[1], tmp_path / 'out', '--sr-config', files[2], '--sr-checkpoint',
        files[3], '--cfg-options', 'model.guidance_scale=1.5', 'fraction_sampler.sigma=0.1',
        '--sr-cfg-options', 'model.fraction_guidance=0.75',
    )  # fmt: skip
    opened = open_generator(str(tmp_path / 'out'))
    assert opened.models['generator'].guidance_scale == 1.5 and opened.requests.sigma == 0.1
    assert opened.models['super_resolution'].fraction_guidance.weight == 0.75
    options = {'model.guidance_scale': 1.5, 'fraction_sampler.sigma': 0.1}
    same = open_generator(**opening(files), cfg_options=options, sr_cfg_options={'model.fraction_guidance': 0.75})
    assert same.identity == opened.identity and same.requests.describe() == opened.requests.describe()


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            {'model.fraction_guidence': 1},
            'fraction_guidence=1: there is no setting model.fraction_guidence, but .*fraction_guidance',
        ),
        ({'model.unet.depth': 1}, 'there is no setting model.unet.depth, but .*block_out_channels'),
        ({'train_dataloader.batch_size': 1}, "has no 'train_dataloader'; options for it begin with model. or fraction"),
        ({'model.fraction_guidance': 3}, 'with the options fraction_guidance=3: fraction_guidance must be a number'),
        ({'model.unet.layers_per_block': 2}, r'with the options unet.layers_per_block=2 \(layers_per_block\)'),
        ({'model.noise_schedule.beta_end': 0.03}, r'with the options noise_schedule.beta_end=0.03 \(beta_end\)'),
        ({'model.sampler.typo': 1, 'model.sampler.steps': 10**6}, r'sampler\.steps must be a whole number from 1 to'),
        ({'fraction_sampler.sgima': 1}, 'Option fraction_sampler.sgima: there is no such setting, but groups'),
        ({'fraction_sampler.type': 'FractionPlanner'}, 'a FractionPlanner does not draw with .*groups'),
        ({'fraction_sampler.groups.1.phase': 'ferrite'}, "no class is called 'ferrite'"),
    ],
)
def test_what_a_folder_lacks_is_refused_by_name(exported, options, message):
    with pytest.raises(ValueError, match=message):
        open_generator(exported, cfg_options=options)


def test_options_without_a_model_are_refused(files, tmp_path):
    guidance = {'model.fraction_guidance': 1.0}
    run_tool('export_generator.py', *files[:2], tmp_path / 'small')
    with pytest.raises(ValueError, match='holds no super_resolution model'):
        open_generator(str(tmp_path / 'small'), sr_cfg_options=guidance)
    with pytest.raises(ValueError, match=r'no super-resolution model that model\.fraction_guidance could change'):
        open_generator(*files[:2], sr_cfg_options=guidance)
    with pytest.raises(ValueError, match="has no 'fraction_sampler'; options for it begin with model"):
        open_generator(str(tmp_path / 'small'), sr_cfg_options={'fraction_sampler.sigma': 1})


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'modle.fraction_guidance': 1}, "Option modle.fraction_guidance: .*has no 'modle'; it has .*model"),
        ({'model.fraction_guidence': 1}, 'no PFDiffSeg can be built with these settings .*fraction_guidence'),
        ({'model.fraction_guidance': 'much'}, 'no PFDiffSeg can be built'),
        ({'model.sampler.steps.x': 1}, 'Options model.sampler.steps.x do not fit'),
        ({'fraction_sampler.sgima': 1}, 'fraction_sampler is no FractionSampler with .*sgima'),
        ({'train_dataloader.dataset.data_rot': 'x'}, 'MicrographDataset of .*could not be opened.*data_rot'),
    ],
)
def test_what_a_config_lacks_is_refused_by_name(files, options, message):
    with pytest.raises(ValueError, match=message):
        open_generator(*files[:2], cfg_options=options)


def test_each_stage_of_a_baseline_takes_its_options(demo_data, tmp_path):
    files, size = [], 'model.data_preprocessor.size'
    options = {size: 32, 'model.base_channels': 8, 'train_dataloader.dataset.data_root': str(demo_data)}
    small = {size: 32, 'model.generator': dict(base_channels=4, num_downsamplings=2, num_blocks=1)}
    for name, over in (('dcgan', options), ('pix2pixhd', small)):
        config = Config.fromfile(CONFIGS / f'{name}_tiny-64x64.py')
        config.merge_from_dict(over)
        torch.save(MODELS.build(config.model).state_dict(), tmp_path / f'{name}.pth')
        files += [str(CONFIGS / f'{name}_tiny-64x64.py'), str(tmp_path / f'{name}.pth')]
    stages = dict(zip(('source', 'checkpoint', 'image_config', 'image_checkpoint'), files, strict=True))
    stages |= dict(cfg_options=options, image_cfg_options=small, data=str(demo_data))
    opened = open_generator(**stages)
    assert {name: model and model.data_preprocessor.size for name, model in opened.models.items()} == dict(
        mask_model=32, image_model=32, super_resolution=None
    )
    assert opened.cascade().tile_size == 32 and opened.card is None and opened.requests.describe() == {}
    assert opened.choose_requests() is opened.requests
    with pytest.raises(
        ValueError, match='Neither two-stage baselines nor label maps that are taken as they are can be steered'
    ):
        opened.choose_requests(target_mean='defect=0.03')
    assert opened.identity['image_model']['settings']['generator']['num_blocks'] == 1
    with pytest.raises(ValueError, match=r'Option modle\.x: .*pix2pixhd'):
        open_generator(**stages | dict(image_cfg_options={'modle.x': 1}))
    with pytest.raises(ValueError, match='Neither DCGAN nor Pix2PixHD draws with a sampler'):
        open_generator(**stages, steps=3)
    with pytest.raises(ValueError, match=r'DCGAN, which is no image model .*Give the mask model first'):
        open_generator(**stages | dict(image_config=files[0], image_cfg_options=options))
    with pytest.raises(ValueError, match='Config and checkpoint of the second stage go together'):
        open_generator(**stages | dict(image_checkpoint=None))
    with pytest.raises(SystemExit):
        run_tool('generate_pairs.py', *files[:2], '--out', tmp_path / 'x', '--image-cfg-options', 'model.a=1')


def test_data_of_a_command_line(files, exported, demo_data, tmp_path, capsys):
    shutil.copytree(demo_data, tmp_path / 'moved')
    opened = open_generator(files[0], files[1], data=str(tmp_path / 'moved'))
    assert f'Data of {tmp_path}/moved: classes matrix, ' in capsys.readouterr().out
    assert torch.equal(opened.card.vectors, open_generator(*files[:2]).card.vectors)
    with pytest.raises(ValueError, match=r'has no dataset\.json'):
        open_generator(files[0], files[1], data=str(tmp_path))
    with pytest.raises(ValueError, match='is an exported generator, complete in itself: leave out data'):
        open_generator(exported, data=str(demo_data))
