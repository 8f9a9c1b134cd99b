# Tiles for the generators. The model reduces them to its own size.
dataset_type = 'MicrographDataset'  # classes are those of the folder
data_root = 'data/metaldam'
load = [
    dict(type='LoadImageFromFile', color_type='grayscale', imdecode_backend='micrograph'),
    dict(type='LoadLabelMap'),
]
pack = dict(type='PackSegInputs', meta_keys=('img_path', 'sample_idx'))
dataset = dict(
    type=dataset_type,
    data_root=data_root,
    data_prefix=dict(img_path='tiles/img_dir/train', seg_map_path='tiles/ann_dir/train'),
)
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**dataset, pipeline=[*load, dict(type='RandomSquareSymmetry'), pack]),
)
# Validation draws a pair for the fractions of each of these tiles, always the same.
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='SpacedSampler', num=16),
    dataset=dict(**dataset, pipeline=[*load, pack]),
)
val_evaluator = dict(type='PhaseFractionError')
