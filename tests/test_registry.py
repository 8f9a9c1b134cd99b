from mmengine.config import Config
from mmengine.registry import VISUALIZERS
from mmseg.registry import DATASETS, HOOKS, MODELS

from mmseg_pfdiff.engine.config_changes import config_changes

from .running import ROOT

NAME = 'small/unet_r18_128x128_real.py'


def test_a_config_can_be_based_on_one_of_the_installed_package(demo_data, tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text(f"_base_ = ['mmseg_pfdiff::{NAME}']\ntrain_cfg = dict(max_epochs=3)\n")
    config, original = Config.fromfile(path), Config.fromfile(ROOT / 'configs' / NAME)
    assert config.train_cfg.max_epochs == 3
    assert config.model._scope_ == 'mmseg_pfdiff', 'mmengine builds all that comes from there in this scope'
    model = MODELS.build(config.model)
    assert type(model).__name__ == original.model.type
    config.train_dataloader.dataset.data_root = str(demo_data)
    sample = DATASETS.build(config.train_dataloader.dataset)[0]
    assert sample['data_samples'].gt_sem_seg.shape == (64, 64)
    visualizer = VISUALIZERS.build({**config.visualizer, 'name': 'of the scope', 'vis_backends': None})
    assert type(visualizer).__name__ == 'SegLocalVisualizer'
    for hook in config.default_hooks.values():
        assert type(HOOKS.build(hook)).__name__ == hook.type
    # It is the same training as that of the config in the checkout.
    assert config_changes(original.pretty_text, config) == ([], [('train_cfg.max_epochs', 20, 3)])
