"""tools/standalone/run_onnx.py: alone, and the same boxes as the package finds."""

import json
import os
import runpy
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mmengine.dataset import Compose

from ssvad.evaluation.mask_to_boxes import mask_to_boxes, to_source_pixels
from ssvad.video_io import write_video
from tests.apis.inference import moving
from tests.helpers import ROOT, UCF24_MINI, needs_ucf24_mini
from tests.tools.test_export import CLASSES, PIPELINE, SEMI, model_of, outputs, save

runtime = pytest.importorskip('onnxruntime')
SCRIPT = ROOT / 'tools/standalone/run_onnx.py'
script = runpy.run_path(str(SCRIPT))
# what the script must do without
ALONE = """
import runpy, sys
class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {'ssvad', 'mmengine', 'mmaction', 'mmcv', 'torch',
                                      'cv2', 'scipy', 'onnx'}:
            raise ImportError(f'{name} is forbidden here')
sys.meta_path.insert(0, Forbid())
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


def run_alone(folder, *args):
    env = {k: v for k, v in os.environ.items() if k != 'PYTHONPATH'}
    return subprocess.run(
        [sys.executable, '-c', ALONE, str(SCRIPT), *map(str, args)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )


def test_the_blocker_blocks(tmp_path):
    (tmp_path / 'script.py').write_text('import torch')
    command = [sys.executable, '-c', ALONE, 'script.py']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert 'torch is forbidden here' in done.stderr


@st.composite
def maps(draw):
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    generator = np.random.default_rng(draw(st.integers(0, 10**6)))
    share = draw(st.sampled_from([0.0, 0.05, 0.3, 0.45, 0.6, 1.0]))
    coarse = (generator.random((height, width)) < share) * generator.uniform(
        0.5, 1, (height, width)
    )
    # small parts and large ones
    times = draw(st.integers(1, 6))
    return coarse.repeat(times, 0).repeat(times, 1).astype(np.float32)


# a part that is large enough by itself, but not beside the other
UNEVEN = np.zeros((60, 60), np.float32)
UNEVEN[:40, :40], UNEVEN[50:56, 50:56] = 0.9, 0.8


@settings(max_examples=60)
@given(maps())
@example(UNEVEN)
def test_boxes_are_those_of_the_evaluation(prob):
    found = script['find_boxes'](prob, 0.5)
    wanted = mask_to_boxes(prob[None])
    pairs = sorted((*box, mean) for box, mean in zip(wanted.boxes, wanted.prob))
    assert len(found) == len(pairs)
    for pair, expected in zip(sorted((*box, mean) for box, mean in found), pairs):
        assert pair == pytest.approx(expected, abs=1e-4)


def test_a_spiral_is_one_part():
    spiral = np.zeros((31, 31), bool)
    row, column, down, right, steps = 0, 0, 0, 1, 30
    spiral[0, 0] = True
    while steps > 0:
        for _ in range(2 if steps < 30 else 3):
            for _ in range(steps):
                row, column = row + down, column + right
                spiral[row, column] = True
            down, right = right, -down
        steps -= 2
    assert len(np.unique(script['find_parts'](spiral))) == 2


@pytest.mark.parametrize('count', [1, 7, 16, 23, 40])
def test_frames_go_through_the_network_in_order(count):
    """A network that says how bright a frame is."""
    network = object.__new__(script['Network'])
    network.batch, network.length, network.interval, network.size = 3, 4, 2, [2, 2]

    class Session:
        def run(self, names, feed):
            clips = feed['clips']
            assert clips.shape == (3, 3, 4, 2, 2) and clips.dtype == np.float32
            logits = np.log(clips[:, 0] / (1 - clips[:, 0]))
            return [logits, clips.mean((2, 3, 4))]

    network.session = Session()
    frames = [np.full((2, 2, 3), 10 + 5 * i, np.uint8) for i in range(count)]
    found = []
    for block in script['read_blocks'](iter(frames), 8):
        probs, scores = network.probabilities(block)
        assert scores.shape == (2, 3)
        found.extend(probs[:, 0, 0] * 255)
    assert np.allclose(found, [10 + 5 * i for i in range(count)], atol=1e-3)


def test_whole_frames_and_resized_ones_map_back():
    frames = script['Frames']
    resize = dict(type='Resize', scale=(64, 48), keep_ratio=False)
    crop = dict(type='CenterCrop', crop_size=(40, 32))
    source = np.zeros((96, 192, 3), np.uint8)
    whole = frames([resize, crop], 32, 40, True)
    assert whole(source).shape == (32, 40, 3)
    corners = np.array([0.0, 0.0, 40.0, 32.0])
    assert whole.to_source(corners, source.shape).tolist() == [0, 0, 192, 96]
    part = frames([resize, crop], 32, 40, False)
    assert part(source).shape == (32, 40, 3)
    assert part.to_source(corners, source.shape).tolist() == [36, 16, 156, 80]
    wanted = to_source_pixels(
        corners[None], (32, 40), (12 / 64, 8 / 48, 40 / 64, 32 / 48), source.shape[:2]
    )
    assert np.allclose(wanted, part.to_source(corners, source.shape))
    with pytest.raises(SystemExit, match='smaller than .* use --whole-frame'):
        frames([crop], 32, 40, False)(source[:16])
    with pytest.raises(SystemExit, match='does not know: try --whole-frame'):
        frames([dict(type='ThreeCrop', crop_size=8)], 32, 40, False)


def first_clips(video):
    data = Compose(PIPELINE)(dict(filename=str(video), total_frames=32))
    return torch.from_numpy(data['imgs'])


def package_boxes(files, video, total):
    """Boxes by frame, class scores: of the package, for the student of ``save``."""
    model = model_of(*files)
    meta = ('total_frames', 'frame_inds', 'frame_valid', 'crop_quadruple')
    pack = dict(type='PackActionInputs', meta_keys=(*meta, 'original_shape'))
    data = Compose([*PIPELINE, pack])(dict(filename=str(video), total_frames=total))
    data = dict(inputs=[data['inputs']], data_samples=[data['data_samples']])
    (sample,) = model.test_step(data)
    found = mask_to_boxes(sample.pred_mask.numpy())
    boxes = to_source_pixels(
        found.boxes, (32, 40), sample.crop_quadruple, sample.original_shape
    )
    return found.frame, boxes, sample.pred_score


@pytest.mark.slow
@needs_ucf24_mini
def test_alone_it_finds_what_the_package_finds(tmp_path, tool):
    real = UCF24_MINI / 'rgb-videos/Basketball/v_Basketball_g07_c04.mp4'
    files = save(tmp_path, SEMI)
    state = torch.load(files[1], weights_only=False)
    weights = state['state_dict']
    # not trained: let it at least say no as often as yes, and clearly
    weights['detector.head.smooth.weight'] *= 3000
    torch.save(state, files[1])
    mask = outputs(model_of(*files), first_clips(real)).mask
    weights['detector.head.smooth.bias'] -= mask.median()
    torch.save(state, files[1])
    tool('export.py', *files, '--out', 'm.onnx', '--clips', 3, '--tolerance', 0.1)
    write_video(tmp_path / 'drawn.v2.mp4', moving(21, width=64))
    for video, total in ((tmp_path / 'drawn.v2.mp4', 21), (real, 101)):
        done = run_alone(tmp_path, 'm.onnx', video, '--out-dir', 'results')
        assert done.returncode == 0, done.stderr
        found = json.loads((tmp_path / f'results/{video.stem}.json').read_text())
        assert found['num_frames'] == total == len(found['frames'])
        assert set(found['scores']) == set(CLASSES)
        frames, boxes, scores = package_boxes(files, video, total)
        assert len(boxes) > 5 and boxes.std(0).min() > 0
        by_class = [found['scores'][name] for name in CLASSES]
        assert np.allclose(by_class, scores, atol=1e-3)
        same = 0
        for frame in found['frames']:
            wanted = sorted(boxes[frames == frame['frame']].round(2).tolist())
            same += sorted(frame['boxes']) == wanted
        # a pixel on the very edge may fall to the other side
        assert same >= 0.95 * total
        picture = cv2.imread(str(tmp_path / f'results/{video.stem}.png'))
        height, width = (48, 64) if total == 21 else (240, 320)
        assert picture.shape[0] == height and picture.shape[1] in range(
            5 * width, 9 * width, width
        )
        assert (picture == (40, 40, 255)).all(-1).any()


def test_files_of_others_are_refused(tmp_path):
    onnx = pytest.importorskip('onnx')
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1])
        for name in ('clips', 'mask')
    ]
    node = onnx.helper.make_node('Identity', ['clips'], ['mask'])
    graph = onnx.helper.make_graph([node], 'graph', ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid('', 18)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=10)
    onnx.save(model, tmp_path / 'model.onnx')
    with pytest.raises(SystemExit, match="tell its 'classes': was it written by"):
        script['Network'](str(tmp_path / 'model.onnx'))
