dataset_type = 'MicrographDataset'  # classes are those of the folder
data_root = 'data/metaldam'
train_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='micrograph'),
    dict(type='LoadLabelMap'),
    dict(type='RandomSquareSymmetry'),
    # Brightness and contrast by up to 20 %. A grey pixel has neither saturation nor hue, so the colour part leaves
    # micrographs as they are; hue_delta=0 is refused by numpy.
    dict(
        type='PhotoMetricDistortion',
        brightness_delta=51,
        contrast_range=(0.8, 1.2),
        saturation_range=(1.0, 1.0),
        hue_delta=1,
    ),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='micrograph'),
    dict(type='LoadLabelMap'),
    dict(type='PackMicrograph'),
]
# For tools/test.py --tta: the mean of each micrograph as it is, mirrored left to right and mirrored top to bottom.
views = [
    dict(type='RandomFlip', prob=0.0),
    dict(type='RandomFlip', prob=1.0, direction='horizontal'),
    dict(type='RandomFlip', prob=1.0, direction='vertical'),
]
tta_model = dict(type='MicrographTTAModel')
tta_pipeline = [
    dict(type='LoadImageFromFile', imdecode_backend='micrograph'),
    dict(type='TestTimeAug', transforms=[views, [dict(type='LoadLabelMap')], [dict(type='PackMicrograph')]]),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='tiles/img_dir/train', seg_map_path='tiles/ann_dir/train'),
        pipeline=train_pipeline,
    ),
)
# Whole micrographs, of differing sizes: one at a time, and loaded one at a time, as a mosaic may fill the memory.
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='img_dir/val', seg_map_path='ann_dir/val'),
        pipeline=test_pipeline,
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix=dict(img_path='img_dir/test', seg_map_path='ann_dir/test'),
        pipeline=test_pipeline,
    ),
)
val_evaluator = [dict(type='MicrographIoUMetric'), dict(type='PhaseFractionMetric')]
test_evaluator = [dict(type='MicrographIoUMetric'), dict(type='PhaseFractionMetric')]
