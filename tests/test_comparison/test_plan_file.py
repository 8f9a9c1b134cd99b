import json

import pytest
from mmengine.config import Config

from mmseg_pfdiff.comparison.plan_file import read_plan
from mmseg_pfdiff.comparison.run_configs import generator_config, plan_classes, segmentor_config
from mmseg_pfdiff.comparison.tasks import list_tasks

from ..running import ROOT
from .conftest import write_plan

OFTEN = {'train_cfg.val_interval': 1}


def test_every_plan_of_the_project_reads(tmp_path, demo_data):
    paths = sorted((ROOT / 'configs/comparison').glob('*.py'))
    record = json.loads((demo_data / 'dataset.json').read_text())
    for path in paths:
        text = path.read_text().replace("'../", f"'{ROOT}/configs/")
        (tmp_path / path.name).write_text(text)
    for path in paths:
        fields = Config.fromfile(tmp_path / path.name)
        # Of each split only what reading looks for.
        for split in fields.data:
            for part in ('img_dir/val', 'img_dir/test', 'tiles/ann_dir/train'):
                (tmp_path / split / part).mkdir(parents=True, exist_ok=True)
            (tmp_path / split / 'dataset.json').write_text(json.dumps(record | dict(split=dict(name=split))))
        roots = {
            **{split: str(tmp_path / split) for split in fields.data},
            **({'_delete_': True} if '_base_' in path.read_text() else {}),
        }
        copy = tmp_path / f'copy_of_{path.name}'
        copy.write_text((tmp_path / path.name).read_text() + f'\ndata = {roots!r}\n')
        plan = read_plan(copy)
        assert set(plan.data) == set(fields.data) and plan.methods and plan.name == copy.stem
        if path.stem == 'cpu':
            # What was interrupted ends as what was not: no augmentation in worker processes.
            configs = [generator_config(one, str(demo_data), 0) for one in plan.generators.values()]
            plan = plan._replace(data=dict(holdout5=str(demo_data)))
            configs.append(segmentor_config(plan, 'holdout5', 'seg-guided', 'unet_r18', 1, 0, tmp_path))
            assert all(config.train_dataloader.num_workers == 0 for config in configs)


def test_what_does_not_fit_is_named(demo_data, tmp_path):
    path = tmp_path / 'plan.py'
    for fields, error, message in (
        (dict(budget='hours'), ValueError, "got 'hours'"),
        (dict(ratios=[0, 1]), ValueError, 'ratios: each must be a whole number, at least 1; got 0'),
        (dict(methods={'a': dict(generator='none')}), ValueError, "needs the generator 'none'"),
        (dict(segmentors=dict(a='no.py')), FileNotFoundError, 'no.py is not there'),
        (dict(data=dict(a='nowhere')), FileNotFoundError, 'no data set at nowhere'),
        (dict(methods={'a': dict(image='small')}), ValueError, "method 'a' needs a generator, or pairs_of"),
        (dict(methods={'a': dict(generator='small', remodel=True)}), ValueError, 'name their folder as masks'),
        (dict(methods={'a': dict(generator='small', masks='no')}), FileNotFoundError, 'no folder .*no of label maps'),
        (
            dict(methods={'a': dict(generator='small', image='small', masks='ann_dir/train')}),
            ValueError,
            'name the image model as generator',
        ),
        (dict(methods={'a': dict(pairs_of='b')}), ValueError, "'a' takes the pairs of 'b': that must be a method"),
        (
            dict(methods={'a': dict(generator='small'), 'b': dict(pairs_of='a', drop_disagreeing=True)}),
            ValueError,
            'nothing may be said here of how pairs are drawn',
        ),
        (dict(methods={'a': dict(generator='small', ratios=[0])}), ValueError, 'ratios: each must be .* got 0'),
        (dict(methods={'a': dict(generator='small', ratios=2)}), ValueError, "'a': ratios must be a list.* got 2"),
        (dict(methods={'a': dict(generator='small', real_finish=2)}), ValueError, 'below the 2 epochs, got 2'),
        (dict(methods={'a': dict(generator='small', real_share=2)}), ValueError, r'real_share must be in \[0, 1\]'),
        (dict(methods={'a': dict(generator='small', arguments='--num 1')}), ValueError, "of words, got '--num 1'"),
        (dict(methods={'real': dict(generator='small')}), ValueError, "method 'real' cannot be called so"),
        (dict(methods=['a']), ValueError, 'is no plan of a comparison'),
        (dict(ratios=2), ValueError, 'ratios must be a list of different whole numbers; got 2'),
        (dict(ratios=[]), ValueError, 'ratios must not be empty'),
        (dict(epochs=None), ValueError, 'epochs must be a whole number, at least 1; got None'),
        (dict(seeds=[0, 0]), ValueError, r'seeds must be a list of different whole numbers; got \[0, 0\]'),
        (dict(segmentors={}), ValueError, 'segmentors must not be empty'),
        (dict(data={}), ValueError, 'data must not be empty'),
        (dict(segmentor_options={'default_hooks.checkpoint.save_best': None}), ValueError, "lacks .*save_best='mIoU'"),
        (dict(segmentor_options={'test_evaluator': []}), ValueError, "a test_evaluator of type 'Micro"),
        (
            dict(segmentor_options={'train_cfg.val_interval': 3}),
            ValueError,
            'lacks .*val_interval of at most 2',
        ),
        (
            dict(segmentor_options={**OFTEN, 'test_dataloader.dataset.data_prefix': dict(img_path='img_dir/val')}),
            ValueError,
            'validates and tests on the same micrographs',
        ),
        (
            dict(segmentor_options={**OFTEN, 'val_dataloader.dataset.data_prefix': dict(img_path='images')}),
            FileNotFoundError,
            'val_dataloader of .* looks for micrographs in .*images, which is not there',
        ),
        (dict(segmentor_options={'train_cfg.val_interval.a': 3}), ValueError, 'is no plan of a comparison'),
        (dict(seconds=dict(pair=1)), ValueError, r"got \['pair'\]"),
        (dict(colour='red'), ValueError, 'no plan of a comparison.*colour'),
    ):
        with pytest.raises(error, match=message):
            read_plan(write_plan(path, demo_data, **fields))
    with pytest.raises(FileNotFoundError, match='plans lie in'):
        read_plan(tmp_path / 'none.py')


def test_the_budget_decides_what_an_epoch_is(plan_file, demo_data, tmp_path):
    plan = read_plan(plan_file)
    real = segmentor_config(plan, 'demo', 'real', 'unet_r18', 0, 7, None)
    mixed = segmentor_config(plan, 'demo', 'pf-diffseg', 'unet_r18', 3, 7, tmp_path / 'pairs')
    tiles = len(list((demo_data / 'tiles/img_dir/train').glob('*.png')))
    for config in (real, mixed):
        assert config.train_dataloader.sampler == dict(type='FixedLengthSampler', length=tiles)
        assert config.randomness.seed == 7
        assert config.val_dataloader.dataset.data_root == config.test_dataloader.dataset.data_root == str(demo_data)
        assert config.train_cfg.max_epochs == 2
    assert real.train_dataloader.dataset == mixed.train_dataloader.dataset.real
    assert mixed.train_dataloader.dataset.ratio == 3
    assert mixed.train_dataloader.dataset.synthetic.data_root == str(tmp_path / 'pairs')
    epochs = plan._replace(budget='epochs')
    config = segmentor_config(epochs, 'demo', 'pf-diffseg', 'unet_r18', 3, 7, tmp_path / 'pairs')
    assert config.train_dataloader.sampler.type == 'DefaultSampler'
    assert plan_classes(plan) == ('matrix', 'austenite', 'martensite_austenite', 'defect')


def test_tasks_stand_after_what_they_need(plan_file):
    plan = read_plan(plan_file)._replace(seeds=[0, 1], ratios=[1, 2])
    tasks = list_tasks(plan)
    seen = set()
    for task in tasks:
        assert set(task.needs) <= seen
        seen.add(task.name)
    kinds = [task.kind for task in tasks]
    assert [kinds.count(kind) for kind in ('generator', 'pairs', 'segmentor', 'test')] == [1, 1, 2 + 4, 2 + 2]
    by_name = {task.name: task for task in tasks}
    assert by_name['runs/demo/unet_r18/pf-diffseg/x2/seed1'].units == 2
    # The ratio is chosen over all seeds of a split before any test.
    assert by_name['tests/demo/unet_r18/pf-diffseg/seed0'].needs == ('choices/demo/unet_r18/pf-diffseg',)
    assert len(by_name['choices/demo/unet_r18/pf-diffseg'].needs) == 4
    longer = {task.name: task for task in list_tasks(plan._replace(budget='epochs'))}
    assert longer['runs/demo/unet_r18/pf-diffseg/x2/seed1'].units == 6


def test_pairs_that_two_methods_share_are_drawn_once(demo_data, tmp_path):
    methods = {
        'filtered': dict(generator='small', drop_disagreeing=True),
        'finish': dict(pairs_of='filtered', ratios=[1, 3], real_share=0.5, real_finish=1),
    }
    plan = read_plan(write_plan(tmp_path / 'plan.py', demo_data, methods=methods))
    tasks = {task.name: task for task in list_tasks(plan)}
    pairs = tasks['pairs/demo/filtered']
    tiles = len(list((demo_data / 'tiles/img_dir/train').glob('*.png')))
    assert [task.kind for task in tasks.values()].count('pairs') == 1 and pairs.units == 3 * tiles
    assert 'runs/demo/unet_r18/real/x0/seed0' in pairs.needs
    assert 'runs/demo/unet_r18/filtered/x3/seed0' not in tasks
    assert tasks['runs/demo/unet_r18/finish/x3/seed0'].needs == ('pairs/demo/filtered',)
    config = segmentor_config(plan, 'demo', 'finish', 'unet_r18', 3, 0, tmp_path)
    assert config.train_dataloader.sampler == dict(type='MixSampler', length=tiles, real_share=0.5, real_from=1)
    longer = segmentor_config(plan._replace(budget='epochs'), 'demo', 'finish', 'unet_r18', 3, 0, tmp_path)
    assert longer.train_dataloader.sampler == dict(type='MixSampler', length=4 * tiles, real_share=0.5, real_from=1)


def test_a_segmentor_that_trains_on_no_mix_is_named(demo_data, tmp_path):
    config = ROOT / 'configs/small/unet_r18_128x128_real.py'
    fields = dict(segmentors=dict(a=str(config)), segmentor_options={'train_cfg.val_interval': 1})
    with pytest.raises(ValueError, match=r"unet_r18_128x128_real.py lacks train_dataloader.dataset.type='Synth"):
        read_plan(write_plan(tmp_path / 'plan.py', demo_data, **fields))


def test_a_generator_whose_epochs_are_no_number_is_named(demo_data, tmp_path):
    generators = dict(small=dict(config=str(ROOT / 'configs/small/pf-diffseg_tiny-64x64.py'), epochs='many'))
    with pytest.raises(ValueError, match="generator 'small': epochs must be a whole number, at least 1; got 'many'"):
        read_plan(write_plan(tmp_path / 'plan.py', demo_data, generators=generators))


def test_another_split_than_the_plan_says_is_refused(demo_data, tmp_path):
    with pytest.raises(ValueError, match=r"holds the split .* not 'fold1'"):
        read_plan(write_plan(tmp_path / 'plan.py', demo_data, data=dict(fold1=str(demo_data))))
