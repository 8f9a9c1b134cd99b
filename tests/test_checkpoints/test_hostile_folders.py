"""Exported folders from a stranger: what is absurd in them is refused in one line, before it costs memory or time."""

import copy
import json
import random
import shutil
import time

import pytest
import torch
from safetensors.torch import load_file, save_file

from mmseg_pfdiff.checkpoints.load import load_models
from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.checkpoints.save import save_cascade
from mmseg_pfdiff.models.cascade import PairCascade
from mmseg_pfdiff.models.diffusion.unet import unets_without_memory

from ..generators import make_generator, make_super_resolution
from .test_load import make_card

WEIGHTS = 'generator/unet/diffusion_pytorch_model.safetensors'
NESTED = []
for _ in range(300):
    NESTED = [NESTED]
HOSTILE = [
    None, True, -1, 0, 1, 7, 257, 1e10, 10**30, 1e308, -1e308, float('nan'), float('inf'), 0.5,
    '', 'x', 'x' * 10**6, '\ud800', 'DiffusionPipeline', [], [[]], [1e9] * 3, list(range(300)), {}, dict(type='os'),
    NESTED,
]  # fmt: skip


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp('hostile') / 'steel'
    generator = make_generator(fraction_guidance=0.5, noise_schedule=dict(beta_end=0.03))
    save_cascade(PairCascade(generator, make_super_resolution(max_noise=0.3)), folder, make_card())
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / 'steel')


def places(content, path=()):
    """The path of every value in a JSON file; of long lists those in front."""
    yield path
    inner = (
        content.items() if isinstance(content, dict) else enumerate(content[:3]) if isinstance(content, list) else ()
    )
    for key, value in inner:
        yield from places(value, (*path, key))


def changed(content, path, value):
    content = copy.deepcopy(content)
    place = content
    for key in path[:-1]:
        place = place[key]
    if path:
        place[path[-1]] = value
    return content if path else value


def refused(folder):
    """Opens a folder; the message of the refusal, or None."""
    start = time.perf_counter()
    try:
        open_generator(folder).cascade()
        return None
    except (ValueError, OSError) as error:
        text = str(error)
        assert '\n' not in text and len(text) < 900
        return text
    finally:
        assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    'name', ['model_index.json', 'card.json', 'generator/config.json', 'super_resolution/config.json']
)
def test_any_value_may_stand_anywhere(folder, name):
    content = json.loads((folder / name).read_text())
    if name.startswith(('card', 'generator')):  # opened in half the time
        index = json.loads((folder / 'model_index.json').read_text())
        (folder / 'model_index.json').write_text(json.dumps(index | dict(super_resolution=None)))
    rng, messages = random.Random(name), []
    number = 3 if name.startswith(('model', 'generator')) else 1  # the others are read last
    for path in places(content):
        for value in rng.sample(HOSTILE, number):
            (folder / name).write_text(json.dumps(changed(content, path, value)))
            messages.append(refused(folder))
    refusals = [message for message in messages if message]
    assert all(f'{folder}' in message or 'super-resolution model' in message for message in refusals)
    assert len(refusals) > len(messages) / 2


CONFIG = 'generator/config.json'


@pytest.mark.parametrize(
    ('name', 'path', 'value', 'message'),
    [
        (CONFIG, ('num_train_timesteps',), 1e10, 'num_train_timesteps must be a whole number from 1 to 10000, got'),
        (CONFIG, ('num_train_timesteps',), 5000.5, 'num_train_timesteps must be a whole number from 1 to 10000'),
        (CONFIG, ('sampler', 'steps'), 10**9, 'sampler.steps must be a whole number from 1'),
        (CONFIG, ('sampler', 'num_train_timesteps'), 10**8, 'sampler.num_train_timesteps must be a number from'),
        (CONFIG, ('sampler', 'timestep_spacing'), 'x', 'RenoiseScheduler cannot draw 3 steps'),
        (CONFIG, ('sampler', 'type'), 'x' * 10**6, 'sampler.type must be a text of at most 100 characters, got'),
        (CONFIG, ('unet', 'block_out_channels'), [10**9, 10**9], 'unet.block_out_channels must be a list of at'),
        (CONFIG, ('unet', 'block_out_channels'), [8192, 8192], 'does not agree with the config.json'),
        (CONFIG, ('unet', 'block_out_channels'), [8] * 40, 'unet.block_out_channels must be a list of at most 10'),
        (CONFIG, ('unet', 'layers_per_block'), 5000, 'unet.layers_per_block must be a whole number from 1 to 16'),
        (CONFIG, ('unet', 'in_channels'), 4, r"unet may hold block_out_channels.*got \['in_channels'\]"),
        (CONFIG, ('data_preprocessor', 'size'), 17, r'multiples of 2, got \(17,\)'),
        (CONFIG, ('data_preprocessor', 'palette'), [[0, 0, 0]] * 300, 'data_preprocessor.palette must be a list of'),
        (CONFIG, ('data_preprocessor', '_scope_'), 'os', r"data_preprocessor may hold .*got \['_scope_'\]"),
        (CONFIG, ('noise_schedule', 'trained_betas'), [0.1] * 20_000, 'noise_schedule.trained_betas is .* more than'),
        (CONFIG, ('noise_schedule', 'a'), NESTED, 'noise_schedule.a.* is nested too deeply'),
        (CONFIG, ('guidance_scale',), float('nan'), 'is no JSON: NaN stands for no number'),
        ('card.json', ('palette',), [[0, 0, 300]] * 4, 'palette must be a list of at most 255, each three'),
        ('card.json', ('palette',), [[0, 0, 0]] * 300, 'got 4 names and 300 colours'),
        ('card.json', ('classes', 0), 'x' * 10**6, 'classes must be a list of at most 255, each a printable'),
        ('card.json', ('classes', 0), 'defect', 'got 3 names and 4 colours'),
        ('card.json', ('vectors', 1, 2), float('nan'), 'is no JSON: NaN'),
        ('card.json', ('vectors', 1, 2), 10**400, 'damaged'),
        ('card.json', ('vectors', 1, 2), True, r'vectors must be \(R, 4\) numbers, row 1'),
        ('card.json', ('licence',), 7, 'licence must be a text of at most 10000'),
        ('card.json', ('fraction_settings', 'sigma'), 1e308, 'sigma must be a number from 0 to 100'),
        ('card.json', ('fraction_settings', 'groups', 0, 'share'), 'x', "Group 'uniform': share must be in"),
        ('card.json', ('fraction_settings', 'groups'), [dict(name='a', share=0.001)] * 1000, 'list of 1 to 100 groups'),
        ('card.json', ('fraction_settings',), dict(target_mean=dict(defect='x')), 'Shares of target_mean must be in'),
        ('model_index.json', ('generator',), 7, 'generator must be a PFDiffSeg of mmseg_pfdiff, got 7'),
        ('model_index.json', ('format_version',), {}, 'format version {}'),
    ],
)  # fmt: skip
def test_absurd_values_are_named(folder, name, path, value, message):
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps(changed(content, path, value)))
    with pytest.raises(ValueError, match=message) as error:
        open_generator(folder)
    assert str(error.value).startswith(str(folder)) and len(str(error.value)) < 900


def test_no_memory_is_taken_for_a_network_without_weights(folder):
    content = json.loads((folder / CONFIG).read_text())
    content['unet'] = dict(content['unet'], block_out_channels=[4096] * 10, layers_per_block=16)
    content['data_preprocessor']['size'] = 512
    (folder / CONFIG).write_text(json.dumps(content))
    assert 'does not agree' in refused(folder), 'of 10^11 weights, 400 gigabytes'
    with unets_without_memory():
        net = make_generator().unet.net
    assert {weights.device.type for weights in net.parameters()} == {'meta'}
    assert {weights.device.type for weights in make_generator().unet.net.parameters()} == {'cpu'}


def halved(tensors):
    return {name: tensor[: len(tensor) // 2].contiguous() for name, tensor in tensors.items()}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (halved, 'size mismatch'),
        (lambda tensors: tensors | dict(more=torch.zeros(3)), 'Unexpected key.*more'),
        (
            lambda tensors: {name: tensor.to(torch.complex64) for name, tensor in tensors.items()},
            'must be floating-point',
        ),
        (lambda tensors: {name: tensor.to(torch.int8) for name, tensor in tensors.items()}, 'damaged, or does not fit'),
        (lambda tensors: {name: tensor * torch.nan for name, tensor in tensors.items()}, 'not finite'),
    ],
)
def test_weights_of_another_kind_are_refused(folder, change, message):
    save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)
    with pytest.raises(ValueError, match=message) as error:
        load_models(folder)
    assert str(folder / WEIGHTS) in str(error.value) and '\n' not in str(error.value)


def test_weights_of_half_precision_are_taken(folder):
    save_file({name: tensor.half() for name, tensor in load_file(folder / WEIGHTS).items()}, folder / WEIGHTS)
    assert {weights.dtype for weights in load_models(folder)[0]['generator'].parameters()} == {torch.float32}


def test_damaged_weights_are_refused(folder):
    whole = (folder / WEIGHTS).read_bytes()
    header = 8 + int.from_bytes(whole[:8], 'little')
    rng = random.Random(0)
    damaged = [whole[:length] for length in (0, 7, 8, 100, header, header + 5, len(whole) - 1)]
    damaged += [whole + b'x', b'\xff' * 8 + whole[8:]]
    for _ in range(20):
        flipped = bytearray(whole)
        flipped[rng.randrange(header)] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    messages = []
    for content in damaged:
        (folder / WEIGHTS).write_bytes(content)
        messages.append(refused(folder))
    assert all(message is None or WEIGHTS in message for message in messages)
    assert None not in messages[:9]
