"""model-index.yml and its metafiles: every config once, and what they say is so."""

from pathlib import Path

import pytest
import yaml
from mmengine.config import Config

from tests.helpers import ROOT

INDEX = yaml.safe_load((ROOT / 'model-index.yml').read_text())
FILES = [yaml.safe_load((ROOT / path).read_text()) for path in INDEX['Import']]
COLLECTIONS = [collection for file in FILES for collection in file['Collections']]
MODELS = [model for file in FILES for model in file['Models']]
PUBLIC = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / 'configs').rglob('*.py')
    if '_base_' not in path.parts
)
DATA = dict(ucf24='UCF101-24', jhmdb21='JHMDB-21', toy='toy videos', own='your own')


def test_every_metafile_is_imported():
    found = {p.relative_to(ROOT).as_posix() for p in ROOT.glob('configs/**/*meta*.yml')}
    assert set(INDEX['Import']) == found


def test_every_config_is_listed_once():
    assert sorted(model['Config'] for model in MODELS) == PUBLIC


def test_names_are_unique():
    for items in (COLLECTIONS, MODELS):
        names = [item['Name'] for item in items]
        assert len(set(names)) == len(names)


def test_there_is_nothing_to_download_and_no_result():
    for model in MODELS:
        assert set(model) == {'Name', 'In Collection', 'Config', 'Metadata'}


def test_every_collection_has_a_model_and_a_paper():
    assert {m['In Collection'] for m in MODELS} == {c['Name'] for c in COLLECTIONS}
    assert all(collection['Paper']['Title'] for collection in COLLECTIONS)


@pytest.mark.parametrize('model', MODELS, ids=lambda model: model['Name'])
def test_what_is_said_of_a_config_is_so(model):
    path = Path(model['Config'])
    if not (ROOT / path).is_file():
        pytest.fail(f'{path} is not there')
    cfg = Config.fromfile(ROOT / path, import_custom_modules=False)
    folder = path.parent.name
    name = f'{folder}_{path.stem}' if folder == 'reference' else path.stem
    assert model['Name'] == name
    method = cfg.model.get('method', cfg.model).type
    assert model['In Collection'] == method
    facts = model['Metadata']
    assert facts['Training Data'] == DATA[path.stem.split('_')[0]]
    assert facts['Epochs'] == cfg.train_cfg.max_epochs
    assert facts['Batch Size'] == cfg.train_dataloader.batch_size
    backbone = cfg.model.get('detector', cfg.model).backbone.type
    assert ('Architecture' in facts) is (backbone != 'I3D')
