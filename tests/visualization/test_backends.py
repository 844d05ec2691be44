"""Where numbers and pictures of a run go, beside the local files."""

import re
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.registry import VISBACKENDS
from mmaction.visualization import ActionVisualizer
from mmengine.config import Config, DictAction
from mmengine.visualization import LocalVisBackend
from mmengine.visualization.vis_backend import BaseVisBackend

from ssvad.visualization import MLflowVisBackend
from ssvad.visualization.backend_names import expand_backend_names
from ssvad.visualization.keep_picture import keep_picture
from ssvad.visualization.mlflow_backend import mlflow_name

TAKEN = re.compile(r'^[/\w.\- :]*$')  # MLflow's own pattern


def merged(value):
    """The config that a command line with a list of backends leads to."""
    cfg = Config(
        dict(visualizer=dict(type='X', vis_backends=[dict(type='LocalVisBackend')]))
    )
    value = DictAction._parse_iterable(value)
    cfg.merge_from_dict({'visualizer.vis_backends': value})
    expand_backend_names(cfg)
    return [backend['type'] for backend in cfg.visualizer.vis_backends]


@pytest.mark.parametrize('value', ['A,B', '[A,B]', '[A, B]'])
def test_names_become_configs(value):
    assert merged(value) == ['A', 'B']
    assert merged('Tensor') == ['Tensor']


@pytest.mark.parametrize('visualizer', [None, dict(type='X'), dict(vis_backends=None)])
def test_configs_without_names_stay(visualizer):
    cfg = Config(dict(visualizer=visualizer))
    expand_backend_names(cfg)
    assert cfg.to_dict() == dict(visualizer=visualizer)


@given(st.text(max_size=20))
def test_mlflow_takes_every_name(name):
    assert TAKEN.match(mlflow_name(name))
    assert len(mlflow_name(name)) == len(name)


def test_mlflow_names_stay_where_they_can():
    assert mlflow_name('stad/frame_mAP@0.50') == 'stad/frame_mAP_0.50'
    for name in ('loss', 'detections/a b-c.d', 'x:y'):
        assert mlflow_name(name) == name


def test_mlflow_backend_logs_under_names_that_are_taken(tmp_path, monkeypatch):
    logged = []
    backend = VISBACKENDS.build(dict(type='MLflowVisBackend', save_dir=str(tmp_path)))
    assert type(backend) is MLflowVisBackend
    backend._env_initialized = True
    backend._mlflow = SimpleNamespace(
        log_metric=lambda *args: logged.append(args),
        log_metrics=lambda *args: logged.append(args),
        log_image=lambda image, name: logged.append(name),
    )
    backend.add_scalar('a@1', 2.0, 3)
    backend.add_scalars({'a@1': 2.0, 'loss': 4.0}, 3, 'x.json')
    backend.add_image('detections/v@1', np.zeros((2, 2, 3), np.uint8), 5)
    assert logged == [
        ('a_1', 2.0, 3),
        ({'a_1': 2.0, 'loss': 4.0}, 3),
        'detections/v_1_5.png',
    ]


class Recorder(BaseVisBackend):
    """Takes a note of pictures."""

    def __init__(self):
        super().__init__('')
        self.pictures = []

    experiment = _init_env = None

    def add_image(self, name, image, step=0, **kwargs):
        self.pictures.append((name, image, step))


def test_pictures_are_written_once_and_sent_on(tmp_path):
    recorder, local = Recorder(), LocalVisBackend(str(tmp_path / 'vis_data'))
    visualizer = ActionVisualizer(vis_backends=[local, recorder])
    runner = SimpleNamespace(work_dir=str(tmp_path), visualizer=visualizer)
    picture = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    keep_picture(runner, 'views_epoch_3', picture, 'views', 3)
    ((name, sent, step),) = recorder.pictures
    assert (name, step) == ('views', 3) and (sent == picture).all()
    (path,) = tmp_path.rglob('*.png')
    assert path == tmp_path / 'pictures/views_epoch_3.png'
    assert (cv2.imread(str(path))[..., ::-1] == picture).all()
