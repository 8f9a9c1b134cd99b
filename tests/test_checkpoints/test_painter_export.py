"""Exported folders whose enlarger is a painter: written, read back, and refused where they are not as written."""

import json
import random
import shutil

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from mmseg_pfdiff.checkpoints.load import load_cascade, load_models
from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.checkpoints.save import save_cascade
from mmseg_pfdiff.checkpoints.settings import build_from_settings, describe_model, read_settings
from mmseg_pfdiff.models import PairCascade, PairPainter

from ..generators import make_generator, make_mask_painter, make_painter, make_super_resolution, opening
from ..running import ROOT, run_tool
from ..test_models.test_mask_painter import looking
from .test_hostile_folders import HOSTILE, changed, places, refused
from .test_load import PALETTE, assert_same_pairs, make_card

CONFIG, WEIGHTS = 'super_resolution/config.json', 'super_resolution/painter.safetensors'


def with_grain(painter):
    """Of six tiles of rising brightness and noise."""
    generator = torch.Generator().manual_seed(0)
    steps = torch.arange(6)[:, None, None]
    tiles = 80 + 20 * steps + (4 + steps) * torch.randn(6, 32, 32, generator=generator)
    painter.grain.fit(tiles, F.avg_pool2d(tiles[:, None] / 127.5 - 1, 2))
    return painter


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('painter') / 'steel'
    save_cascade(PairCascade(make_generator(), with_grain(make_painter())), folder, make_card())
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / 'steel')


def change_config(folder, *path, value):
    content = json.loads((folder / CONFIG).read_text())
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (folder / CONFIG).write_text(json.dumps(content))


def change_weights(folder, change):
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)


def refusal(folder):
    """The message, in one line, that names a file of the folder."""
    with pytest.raises((ValueError, OSError)) as error:
        load_models(folder)
    text = str(error.value)
    assert text.startswith(str(folder)) and '\n' not in text and len(text) < 900
    return text


@pytest.mark.parametrize(
    ('settings', 'options'),
    [
        (dict(), dict()),
        (dict(crop=8, discriminator=dict(channels=(4, 8, 16))), dict(channels_last=True, exact=False)),
        (dict(factor=4, size=64, generator=dict(channels=12, num_blocks=2, noise_channels=3)), dict()),
    ],
)
def test_the_reloaded_cascade_draws_the_same_pairs(settings, options, tmp_path):
    cascade = PairCascade(make_generator(), with_grain(make_painter(**settings)), **options)
    save_cascade(cascade, tmp_path / 'a', make_card())
    again = load_cascade(tmp_path / 'a', **options)
    assert_same_pairs(cascade, again)
    # The grain came along: without it the images are others.
    again.super_resolution.grain.deviations.zero_()
    c = torch.tensor([[0.4, 0.3, 0.2, 0.1]])
    assert not torch.equal(cascade(c, 3)[0], again(c, 3)[0])


def test_a_palette_code_is_rebuilt(tmp_path):
    code = dict(code='palette', palette=PALETTE)
    generator = make_generator()
    generator = type(generator)(
        dict(type='PairDataPreprocessor', num_classes=4, size=16, **code),
        unet=dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4),
        sampler=dict(type='renoise', steps=2),
    )
    painter = PairPainter(
        dict(type='PairDataPreprocessor', num_classes=4, size=32, **code),
        generator=dict(channels=8, num_blocks=1, top_channels=4),
        grain=dict(num=6),
    )
    cascade = PairCascade(generator, with_grain(painter))
    save_cascade(cascade, tmp_path / 'a', make_card())
    assert_same_pairs(cascade, load_cascade(tmp_path / 'a'))


def test_the_folder_holds_what_draws_and_no_more(exported):
    part = exported / 'super_resolution'
    assert sorted(path.name for path in part.iterdir()) == ['config.json', 'painter.safetensors']
    names = load_file(exported / WEIGHTS).keys()
    assert {name.split('.')[0] for name in names} == {'generator', 'grain'}
    settings = json.loads((exported / CONFIG).read_text())
    assert set(settings) == {'type', 'data_preprocessor', 'factor', 'generator', 'grain'}
    assert settings['generator'] == dict(channels=8, num_blocks=1, top_channels=4, noise_channels=8, look_codes=6)
    assert json.loads((exported / 'model_index.json').read_text())['super_resolution'] == [
        'mmseg_pfdiff',
        'PairPainter',
    ]
    assert len({path.stat().st_mode for path in part.iterdir()}) == 1


def test_the_card_names_the_painter(exported):
    text = (exported / 'README.md').read_text()
    drawing = sum(weights.numel() for weights in load_file(exported / WEIGHTS).values())
    assert (
        f'The super-resolution is a PairPainter with {drawing / 1e6:.1f} million parameters for pairs of 32x32' in text
    )
    assert '- The super-resolution: in one pass, with the grain of a training tile' in text
    assert '- The generator: RenoiseScheduler, 3 steps' in text and '`painter.safetensors`' in text


def test_a_mask_painter_goes_with_its_looks(tmp_path):
    cascade = PairCascade(make_generator(), looking(make_mask_painter(crop=16)))
    save_cascade(cascade, tmp_path / 'a', make_card())
    again = load_cascade(tmp_path / 'a')
    assert_same_pairs(cascade, again)
    assert all(map(torch.equal, again.super_resolution.looks.buffers(), cascade.super_resolution.looks.buffers()))
    settings = json.loads((tmp_path / 'a' / CONFIG).read_text())
    assert settings['type'] == 'MaskPainter' and settings['looks'] == dict(num=6)
    assert settings['generator']['look_codes'] == 6 and 'look_numbers' not in settings['generator']
    assert 'with the looks of a training tile' in (tmp_path / 'a/README.md').read_text()
    change_config(tmp_path / 'a', 'looks', 'num', value=10**9)
    assert 'looks.num must be a whole number from 1 to 10000' in refusal(tmp_path / 'a')
    change_config(tmp_path / 'a', 'looks', 'num', value=7)
    assert 'painter.safetensors is damaged, or does not fit' in refusal(tmp_path / 'a')


def test_settings_of_the_training_are_no_trait_of_a_painter_that_draws():
    torch.manual_seed(0)
    first = describe_model(make_painter())
    others = make_painter(crop=16, max_noise=0.3, lambda_low=1.0, discriminator=dict(channels=(8, 8)))
    assert describe_model(others) == first and set(first) == {'type', 'settings', 'tensors_sha256'}
    with torch.no_grad():
        others.discriminator.last.bias += 1
    assert describe_model(others) == first
    others.grain.deviations += 1
    assert describe_model(others)['tensors_sha256'] != first['tensors_sha256']
    assert describe_model(make_painter(grain=dict(num=5)))['settings'] != first['settings']


@pytest.fixture(scope='module')
def sources(random_generators, demo_data, tmp_path_factory):
    """The same generator and painter as configs with checkpoints and as an exported folder."""
    root = tmp_path_factory.mktemp('forms')
    config = Config.fromfile(ROOT / 'configs/small/painter_tiny-64to128.py')
    config.merge_from_dict(
        {
            'model.data_preprocessor.size': 64,
            'model.generator': dict(channels=8, num_blocks=1, top_channels=4),
            'model.discriminator.channels': (4, 8),
            'model.grain': dict(num=6),
            'train_dataloader.dataset.data_root': str(demo_data),
        }
    )
    config.dump(root / 'painter.py')
    torch.manual_seed(0)
    torch.save(dict(state_dict=with_grain(MODELS.build(config.model)).state_dict()), root / 'painter.pth')
    files = [*random_generators[:2], root / 'painter.py', root / 'painter.pth']
    run_tool('export_generator.py', *files[:2], root / 'exported', '--sr-config', files[2], '--sr-checkpoint', files[3])
    return files, root / 'exported'


def test_checkpoint_and_export_have_one_identity(sources):
    first, second = open_generator(**opening(sources[0])), open_generator(sources[1])
    assert first.identity == second.identity
    described = first.identity['super_resolution']
    assert described['type'] == 'PairPainter' and 'sampler' not in described
    assert described['settings']['generator']['channels'] == 8 and 'crop' not in described['settings']
    for index in (0, 7):
        target = first.requests(0, index).target[None]
        pairs = [opened.cascade().draw(target, 0, [index]) for opened in (first, second)]
        assert all(map(torch.equal, *pairs)) and pairs[0].images.shape == (1, 64, 64)


def test_another_sampler_is_of_the_generator_alone(sources):
    for opened in (
        open_generator(**opening(sources[0]), sampler='ddim', steps=5),
        open_generator(sources[1], sampler='ddim', steps=5),
    ):
        assert opened.identity['generator']['sampler']['steps'] == 5
        assert 'sampler' not in opened.identity['super_resolution']
    with pytest.raises(ValueError, match=r'there is no setting model\.sampler\.steps, but type, data_preprocessor'):
        open_generator(sources[1], sr_cfg_options={'model.sampler.steps': 3})
    with pytest.raises(ValueError, match=r'painter\.py: no PairPainter can be built .*sampler'):
        open_generator(**opening(sources[0]), sr_cfg_options={'model.sampler': 'ddim'})


@pytest.mark.parametrize(
    ('path', 'value', 'message'),
    [
        (('generator', 'channels'), 10**9, 'generator.channels must be a whole number from 1 to 8192, got 1000000000'),
        (('generator', 'channels'), 8.0, 'generator.channels must be a whole number'),
        (('generator', 'num_blocks'), 10**6, 'generator.num_blocks must be a whole number from 0 to 16'),
        (('generator', 'top_channels'), 0, 'generator.top_channels must be a whole number from 1'),
        (('generator', 'noise_channels'), -1, 'generator.noise_channels must be a whole number from 0'),
        (('generator', 'mask_channels'), 3, "generator may hold channels, num_blocks"),
        (('generator',), [8], 'generator must be an object, got [8]'),
        (('grain', 'num'), 10**9, 'grain.num must be a whole number from 1 to 10000'),
        (('grain', 'num'), 7, 'painter.safetensors is damaged, or does not fit'),
        (('factor',), 10**9, 'factor must be a whole number from 1 to 16'),
        (('factor',), 3, 'factor must be 2, 4, 8, ..., got 3'),
        (('factor',), 4, 'painter.safetensors is damaged, or does not fit'),
        (('data_preprocessor', 'num_classes'), 10**9, 'data_preprocessor.num_classes must be a whole number'),
        (('data_preprocessor', 'size'), None, 'data_preprocessor.size must be a whole number'),
        (('data_preprocessor', 'type'), 'Runner', "got 'PairPainter' with 'Runner'"),
        (('type',), 'PairSuperResolution', "config.json must be of a PairPainter, got 'PairSuperResolution'"),
        (('type',), 'os.system', "config.json must be of a PairPainter, got 'os.system'"),
        (('discriminator',), dict(channels=[8192] * 8), 'discriminator: a painter that draws has no settings of its'),
        (('crop',), 8, 'crop: a painter that draws has no settings of its training'),
        (('colour',), 1, 'do not fit PairPainter of this version'),
        (('sampler',), dict(type='ddim', steps=3), 'do not fit PairPainter of this version'),
    ],
)  # fmt: skip
def test_absurd_settings_are_named(folder, path, value, message):
    change_config(folder, *path, value=value)
    assert message in refusal(folder)


def test_any_value_may_stand_anywhere(folder):
    content = json.loads((folder / CONFIG).read_text())
    rng, messages = random.Random(0), []
    for path in places(content):
        for value in rng.sample(HOSTILE, 2):
            (folder / CONFIG).write_text(json.dumps(changed(content, path, value)))
            messages.append(refused(folder))
    refusals = [message for message in messages if message]
    assert all(f'{folder}' in message or 'super-resolution model' in message for message in refusals)
    assert len(refusals) > len(messages) / 2


def test_no_memory_is_taken_for_a_network_without_weights(folder):
    change_config(folder, 'generator', value=dict(channels=8192, num_blocks=16, top_channels=8192, noise_channels=8192))
    assert 'painter.safetensors is damaged, or does not fit' in refusal(folder), 'of 10^10 weights, 80 gigabytes'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda tensors: {k: v for k, v in tensors.items() if k != 'grain.looks'}, 'damaged, or does not fit'),
        (lambda tensors: tensors | dict(more=torch.zeros(3)), 'damaged, or does not fit'),
        (lambda tensors: tensors | {'discriminator.last.bias': torch.zeros(5)}, 'damaged, or does not fit'),
        (lambda tensors: {k: v[: len(v) // 2].contiguous() for k, v in tensors.items()}, 'damaged, or does not fit'),
        (lambda tensors: {k: v.to(torch.complex64) for k, v in tensors.items()}, 'must be floating-point numbers'),
        (lambda tensors: {k: v.to(torch.int8) for k, v in tensors.items()}, 'must be|damaged'),
        (lambda tensors: {k: v * torch.nan for k, v in tensors.items()}, 'not finite'),
        (lambda tensors: tensors | {'grain.looks': torch.full((6, 2), torch.inf)}, 'not finite'),
    ],
)
def test_weights_of_another_kind_are_refused(folder, change, message):
    change_weights(folder, change)
    text = refusal(folder)
    assert str(folder / WEIGHTS) in text and any(part in text for part in message.split('|'))


def test_missing_and_damaged_weights_are_named(folder):
    whole = (folder / WEIGHTS).read_bytes()
    for length in (0, 7, 100, len(whole) - 1):
        (folder / WEIGHTS).write_bytes(whole[:length])
        assert f'{folder / WEIGHTS} is damaged' in refusal(folder)
    (folder / WEIGHTS).unlink()
    assert f'{folder / WEIGHTS} is missing' in refusal(folder)


def test_weights_of_half_precision_are_taken(folder):
    change_weights(folder, lambda tensors: {name: tensor.half() for name, tensor in tensors.items()})
    painter = load_models(folder)[0]['super_resolution']
    assert {weights.dtype for weights in (*painter.parameters(), *painter.grain.buffers())} == {torch.float32}


def test_a_folder_of_the_other_kind_of_enlarger_is_refused(folder, tmp_path):
    index = json.loads((folder / 'model_index.json').read_text())
    for entry, message in (
        (['mmseg_pfdiff', 'PairSuperResolution'], "must be of a PairSuperResolution, got 'PairPainter'"),
        (
            ['mmseg_pfdiff', 'DCGAN'],
            'super_resolution must be a PairSuperResolution or a PairPainter or a MaskPainter of',
        ),
        (['mmseg_pfdiff', 'PFDiffSeg'], 'super_resolution must be a PairSuperResolution or a PairPainter'),
        ('PairPainter', 'super_resolution must be a PairSuperResolution or a PairPainter'),
    ):
        (folder / 'model_index.json').write_text(json.dumps(index | dict(super_resolution=entry)))
        assert message in refusal(folder)
    save_cascade(PairCascade(make_generator(), make_super_resolution()), tmp_path / 'other', make_card())
    (tmp_path / 'other/model_index.json').write_text(json.dumps(index))
    assert "must be of a PairPainter, got 'PairSuperResolution'" in refusal(tmp_path / 'other')


def test_what_a_reader_could_not_open_is_not_written(tmp_path):
    class Mine(PairPainter):
        pass

    mine, diverged, wide = make_painter(), make_painter(), make_painter(grain=dict(num=20_000))
    mine.__class__ = Mine
    with torch.no_grad():
        diverged.generator.first.bias[0] = torch.nan
    for painter, message in ((mine, 'got a Mine'), (diverged, 'not finite'), (wide, 'grain.num must be a whole')):
        with pytest.raises(ValueError, match=message):
            save_cascade(PairCascade(make_generator(), painter), tmp_path / 'out', make_card())
    assert not (tmp_path / 'out').exists() and not list(tmp_path.glob('.*.part'))


def test_settings_build_an_equal_painter():
    settings = read_settings(make_painter(generator=dict(channels=6, num_blocks=0, top_channels=2, noise_channels=0)))
    assert read_settings(build_from_settings(json.loads(json.dumps(settings)))) == settings
