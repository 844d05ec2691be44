"""Every config parses, and what it describes can be built."""

import pytest
from mmaction.registry import (
    HOOKS,
    METRICS,
    MODELS,
    PARAM_SCHEDULERS,
    TRANSFORMS,
)
from mmengine.config import Config
from mmengine.registry import init_default_scope

from tests.helpers import ROOT

CONFIGS = sorted(path.name for path in (ROOT / 'configs').glob('*.py'))


def load(name):
    init_default_scope('mmaction')
    return Config.fromfile(ROOT / 'configs' / name)


def datasets_of(loader):
    dataset = loader['dataset']
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset.get('datasets', [dataset])


@pytest.mark.parametrize('name', CONFIGS)
def test_model_and_parts_can_be_built(name):
    cfg = load(name)
    model = MODELS.build(cfg.model)
    assert model.data_preprocessor is not None
    METRICS.build(cfg.val_evaluator)
    for hook in cfg.custom_hooks:
        HOOKS.build(hook)
    assert cfg.param_scheduler.type in PARAM_SCHEDULERS
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for dataset in datasets_of(loader):
            for transform in dataset.pipeline:
                TRANSFORMS.build(transform)


@pytest.mark.parametrize('name', CONFIGS)
def test_config_begins_with_its_command(name):
    text = (ROOT / 'configs' / name).read_text()
    assert f'python tools/train.py configs/{name}' in text.split('"""')[1]


@pytest.mark.parametrize('name', [name for name in CONFIGS if name.startswith('ucf24')])
def test_published_detector_has_its_size(name):
    model = MODELS.build(load(name).model)
    detector = getattr(model, 'detector', model)
    assert sum(p.numel() for p in detector.parameters()) == 48_003_705


@pytest.mark.parametrize('name', [name for name in CONFIGS if '_semi_' in name])
def test_unlabelled_pipelines_drop_the_labels_before_packing(name):
    labeled, unlabeled = datasets_of(load(name).train_dataloader)
    kinds = [transform.type for transform in unlabeled.pipeline]
    assert 'DropLabels' in kinds and 'TubesToMask' not in kinds
    assert 'DropLabels' not in [transform.type for transform in labeled.pipeline]
    assert labeled.split_file != unlabeled.split_file


def test_methods_of_the_paper_differ_in_one_dict():
    semi = [name for name in CONFIGS if name.startswith('ucf24_semi')]
    cfgs = {name: load(name).to_dict() for name in semi}
    attention = {
        name: cfg['model']['method'].pop('attention') for name, cfg in cfgs.items()
    }
    assert len({str(value) for value in attention.values()}) == len(semi) == 3
    first, *others = cfgs.values()
    assert all(other == first for other in others)
