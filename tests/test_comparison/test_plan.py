import pytest
from mmengine.config import Config

from mmseg_pfdiff.comparison import read_plan
from mmseg_pfdiff.comparison.run_configs import plan_classes, segmentor_config
from mmseg_pfdiff.comparison.tasks import list_tasks

from ..running import ROOT
from .conftest import write_plan


def test_every_plan_of_the_project_reads(tmp_path, demo_data):
    paths = sorted((ROOT / 'configs/comparison').glob('*.py'))
    for path in paths:
        text = path.read_text().replace("'../", f"'{ROOT}/configs/")
        (tmp_path / path.name).write_text(text)
    for path in paths:
        fields = Config.fromfile(tmp_path / path.name)
        # One folder for every split, which is all that reading looks for.
        roots = {
            **dict.fromkeys(fields.data, str(demo_data)),
            **({'_delete_': True} if '_base_' in path.read_text() else {}),
        }
        copy = tmp_path / f'copy_of_{path.name}'
        copy.write_text((tmp_path / path.name).read_text() + f'\ndata = {roots!r}\n')
        plan = read_plan(copy)
        assert set(plan.data) == set(fields.data) and plan.methods and plan.name == copy.stem


def test_what_does_not_fit_is_named(demo_data, tmp_path):
    path = tmp_path / 'plan.py'
    for fields, error, message in (
        (dict(budget='hours'), ValueError, "got 'hours'"),
        (dict(ratios=[0, 1]), ValueError, 'ratios and epochs at least 1'),
        (dict(methods={'a': dict(generator='none')}), ValueError, "needs the generator 'none'"),
        (dict(segmentors=dict(a='no.py')), FileNotFoundError, 'no.py is not there'),
        (dict(data=dict(a='nowhere')), FileNotFoundError, 'no data set at nowhere'),
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
        assert [hook.type for hook in config.custom_hooks] == ['EpochSeedHook', 'ValidateOnResumeHook']
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
    assert len(by_name['tests/demo/unet_r18/pf-diffseg/seed0'].needs) == 4
    longer = {task.name: task for task in list_tasks(plan._replace(budget='epochs'))}
    assert longer['runs/demo/unet_r18/pf-diffseg/x2/seed1'].units == 6
