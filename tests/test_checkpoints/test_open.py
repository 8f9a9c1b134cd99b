"""Configs as users have them: resolved, with modules of their own, with less in them than ours."""

import textwrap
import uuid

import pytest
import torch
from mmengine.config import Config
from mmseg.registry import MODELS, TASK_UTILS

from mmseg_pfdiff.checkpoints.open import open_generator
from mmseg_pfdiff.requests.base import FractionRequest

from ..running import ROOT, run_tool

TINY = ROOT / 'configs/small/pf-diffseg_tiny-64x64.py'
MODULE = '''
    """What a user adds: data and a network of their own."""
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import DATASETS, MODELS
    from mmseg_pfdiff.models import PFDiffSeg

    @DATASETS.register_module()
    class MySteel(BaseSegDataset):
        METAINFO = dict(classes=('ferrite', 'pearlite', 'cementite', 'pore'), palette=[[n, 0, 0] for n in range(4)])

        def __init__(self, **kwargs):
            super().__init__(img_suffix='.png', seg_map_suffix='.png', **kwargs)

    @MODELS.register_module()
    class MyGenerator(PFDiffSeg):
        def __init__(self, *args, strength=1.0, **kwargs):
            super().__init__(*args, **kwargs)
            self.strength = strength
'''


@TASK_UTILS.register_module()
class EqualShares:
    """A source of fractions of another package."""

    num = None

    def __init__(self, vectors, classes, number):
        self.classes = classes
        self.target = torch.full((number,), 1 / number, dtype=torch.float64)

    def __call__(self, seed, index):
        return FractionRequest(self.target, 'equal')

    def describe(self):
        return dict(type='EqualShares', number=len(self.target))


GROUPS = [dict(name='all', share=0.5), dict(name='pores', share=0.5, phase='pore', richest=0.5)]


@pytest.fixture
def own(random_generators, tmp_path, monkeypatch):
    """A config with a module of its own, resolved, and its checkpoint."""
    monkeypatch.syspath_prepend(str(tmp_path))
    prefix = f'Own{uuid.uuid4().hex[:8]}'  # of this test: a module is imported once
    (tmp_path / f'{prefix}.py').write_text(textwrap.dedent(MODULE).replace('My', prefix))
    config = Config.fromfile(random_generators[0])
    config.custom_imports = dict(imports=[prefix])
    config.train_dataloader.dataset.type = f'{prefix}Steel'
    config.fraction_sampler = dict(groups=GROUPS)
    config.dump(tmp_path / 'own.py')
    return str(tmp_path / 'own.py'), str(random_generators[1])


def test_a_resolved_config_opens_as_the_one_it_was_resolved_from(random_generators):
    dumped = Config.fromfile(random_generators[0])
    options = {
        'model.unet': dumped.model.unet.to_dict(),
        'model.data_preprocessor.size': 32,
        'model.sampler.steps': 3,
        'train_dataloader.dataset.data_root': dumped.train_dataloader.dataset.data_root,
    }
    checkpoint = str(random_generators[1])
    first = open_generator(str(TINY), checkpoint, cfg_options=options)
    second = open_generator(str(random_generators[0]), checkpoint)
    assert first.identity == second.identity and first.requests.describe() == second.requests.describe()
    assert first.card.vectors.equal(second.card.vectors)


def test_a_config_with_modules_of_its_own_opens_and_is_exported(own, tmp_path):
    opened = open_generator(*own)
    assert opened.card.classes == ('ferrite', 'pearlite', 'cementite', 'pore')
    assert opened.card.data.endswith('Steel.') and opened.requests.names == ['all', 'pores']
    run_tool('export_generator.py', *own, tmp_path / 'out')
    again = open_generator(tmp_path / 'out')
    assert again.identity == opened.identity and again.requests.describe() == opened.requests.describe()
    pairs = [each.cascade().draw(each.requests(0, 0).target[None], 0, [0]) for each in (opened, again)]
    assert torch.equal(pairs[0].images, pairs[1].images) and torch.equal(pairs[0].labels, pairs[1].labels)


def test_a_network_of_its_own_draws_but_is_not_exported(own, tmp_path):
    config = Config.fromfile(own[0])
    config.model.type = config.train_dataloader.dataset.type.replace('Steel', 'Generator')
    config.model.strength = 2.0
    config.dump(tmp_path / 'mine.py')
    opened = open_generator(str(tmp_path / 'mine.py'), own[1])
    described = opened.identity['generator']
    assert described['type'] == config.model.type and described['settings']['strength'] == 2
    assert described['tensors_sha256'] == open_generator(*own).identity['generator']['tensors_sha256']
    with pytest.raises(SystemExit, match=r'error: Models that can be written are .*got a .*Generator'):
        run_tool('export_generator.py', tmp_path / 'mine.py', own[1], tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_what_a_config_lacks_is_said(random_generators, tmp_path):
    config, checkpoint = Config.fromfile(random_generators[0]), str(random_generators[1])
    config.pop('train_dataloader')
    config.dump(tmp_path / 'less.py')
    with pytest.raises(ValueError, match=r'less\.py has no train_dataloader\.dataset'):
        open_generator(str(tmp_path / 'less.py'), checkpoint)
    (tmp_path / 'none.py').write_text('x = 1')
    none = str(tmp_path / 'none.py')
    for stage in (dict(), dict(image_config=none, image_checkpoint=checkpoint)):
        with pytest.raises(ValueError, match=r'none\.py has no model'):
            open_generator(none, checkpoint, **stage)
    with pytest.raises(ValueError, match='fraction_sampler must be a dict'):
        open_generator(str(random_generators[0]), checkpoint, cfg_options=dict(fraction_sampler=3))


def test_checkpoints_without_weights_or_with_diverged_ones_are_named(random_generators, tmp_path):
    config, path = str(random_generators[0]), tmp_path / 'odd.pth'
    for content, kind in (([1, 2], 'list'), (torch.zeros(2), 'Tensor'), (dict(state_dict={}), 'dict')):
        torch.save(content, path)
        with pytest.raises(ValueError, match=rf'odd\.pth is a {kind} that holds no weights by name'):
            open_generator(config, str(path))
    state = torch.load(random_generators[1], weights_only=False)['state_dict']
    torch.save({f'module.{name}': value for name, value in state.items()}, path)
    opened = open_generator(config, str(path))
    assert opened.identity == open_generator(config, str(random_generators[1])).identity
    name = next(name for name, value in state.items() if value.is_floating_point())
    state[name] = torch.full_like(state[name], torch.nan)
    torch.save(dict(state_dict=state), path)
    with pytest.raises(ValueError, match=rf'odd\.pth: {name} holds numbers that are not finite; its training has'):
        open_generator(config, str(path))


SWAPPED = ['matrix', 'martensite_austenite', 'austenite', 'defect']


def test_models_of_the_same_classes_in_another_order_are_refused(random_generators, tmp_path):
    generator, sr_checkpoint = list(map(str, random_generators[:2])), str(random_generators[3])
    sr = Config.fromfile(random_generators[2])
    sr.train_dataloader.dataset.metainfo = dict(classes=SWAPPED)
    sr.dump(tmp_path / 'swapped.py')
    message = 'class 1 is martensite_austenite there and austenite here, class 2 is austenite there and martensite_'
    with pytest.raises(
        ValueError, match=rf'pth \(of .*swapped\.py\) was trained on other .*tiny-64x64\.py has: {message}'
    ):
        open_generator(*generator, sr_config=str(tmp_path / 'swapped.py'), sr_checkpoint=sr_checkpoint)
    # A checkpoint knows its classes best: those of its config may have been changed since, or be those of --data.
    content = torch.load(sr_checkpoint) | dict(meta=dict(dataset_meta=dict(classes=SWAPPED)))
    torch.save(content, tmp_path / 'swapped.pth')
    files = dict(sr_config=str(random_generators[2]), sr_checkpoint=str(tmp_path / 'swapped.pth'))
    with pytest.raises(
        ValueError, match=rf'swapped\.pth .*{message}.*metainfo\.classes=\(matrix,martensite_austenite,'
    ):
        open_generator(*generator, **files)
    torch.save(dict(content, state_dict=torch.load(generator[1])['state_dict']), tmp_path / 'first.pth')
    with pytest.raises(ValueError, match=rf'first\.pth .*{message}'):
        open_generator(generator[0], str(tmp_path / 'first.pth'))
    renamed = {'train_dataloader.dataset.metainfo.classes': SWAPPED}
    opened = open_generator(generator[0], str(tmp_path / 'first.pth'), cfg_options=renamed, **files)
    assert opened.classes == tuple(SWAPPED)


def test_a_mask_and_an_image_model_must_know_the_same_classes(demo_data, tmp_path):
    files = []
    for name in ('mask', 'image'):
        config = Config.fromfile(ROOT / f'configs/small/seg-guided-{name}_tiny-64x64.py')
        config.model.unet = dict(block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4)
        config.train_dataloader.dataset.data_root = str(demo_data)
        if name == 'image':
            config.train_dataloader.dataset.metainfo = dict(classes=SWAPPED)
        config.dump(tmp_path / f'{name}.py')
        torch.save(MODELS.build(config.model).state_dict(), tmp_path / f'{name}.pth')
        files += [str(tmp_path / f'{name}.py'), str(tmp_path / f'{name}.pth')]
    opening = dict(zip(('source', 'checkpoint', 'image_config', 'image_checkpoint'), files, strict=True))
    with pytest.raises(ValueError, match=r'image\.pth .* class 1 is martensite_austenite there and austenite here'):
        open_generator(**opening)
    same = {'train_dataloader.dataset.metainfo.classes': SWAPPED}
    assert open_generator(**opening, cfg_options=same).classes == tuple(SWAPPED)


def test_a_source_of_fractions_of_another_package_draws_but_is_not_exported(random_generators, tmp_path):
    (tmp_path / 'mine.py').write_text(
        f"_base_ = '{random_generators[0]}'\nfraction_sampler = dict(_delete_=True, type='EqualShares', number=4)\n"
    )
    opened = open_generator(str(tmp_path / 'mine.py'), str(random_generators[1]))
    assert opened.requests(0, 0).target.tolist() == [0.25] * 4
    assert opened.requests.describe() == dict(type='EqualShares', number=4)
    with pytest.raises(SystemExit, match='this config has a EqualShares'):
        run_tool('export_generator.py', tmp_path / 'mine.py', random_generators[1], tmp_path / 'out')
