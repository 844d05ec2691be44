"""Testing on the whole frame instead of its middle, from config to boxes."""

import re

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from ssvad.evaluation.mask_to_boxes import mask_to_boxes, to_source_pixels
from ssvad.models import DetOutput
from ssvad.visualization.detection_picture_hook import frames_of_clips, join_crops
from tests.helpers import ROOT, TINY_DETECTOR

DOC = (ROOT / 'docs/evaluation_full_frame.md').read_text('utf-8').replace('\\\n', ' ')
COMMANDS = re.findall(
    r'^python tools/test\.py (\S+) \S+ --cfg-options (.*)$', DOC, re.M
)
NUM_FRAMES = 20
# x1, y1, x2, y2: in a corner, across the border of the middle 224 columns, on its left
ACTORS = np.array([[0, 0, 40, 30], [250, 180, 320, 240], [20, 90, 90, 170.0]])


def read_options(words):
    """What the option --cfg-options makes of its values."""
    pairs = re.findall(r'"([\w.]+)=([^"]*)"|(\S+?)=(\S+)', words)
    return {a or c: DictAction._parse_iterable(b or d) for a, b, c, d in pairs}


def pipeline_of(name, options=None):
    """The test pipeline of a config, without reading files, on frames of ours."""
    init_default_scope('mmaction')
    cfg = Config.fromfile(name)
    cfg.merge_from_dict(options or {})
    pipeline = cfg.test_dataloader.dataset.pipeline
    kept = [t for t in pipeline if t['type'] not in ('OpenVideo', 'DecordDecode')]
    return [TRANSFORMS.build(dict(transform)) for transform in kept]


def run(transforms):
    """One video of white actors on black, through sampler, crops and packing."""
    tubes = np.tile(ACTORS[:, None].astype(np.float32), (1, NUM_FRAMES, 1))
    results = dict(
        video_id='v',
        total_frames=NUM_FRAMES,
        gt_tubes=tubes,
        tube_labels=np.zeros(len(ACTORS), np.int64),
        label=0,
        modality='RGB',
    )
    frame = np.zeros((240, 320, 3), np.uint8)
    for x1, y1, x2, y2 in ACTORS.astype(int):
        frame[y1:y2, x1:x2] = 255
    results = transforms[0](results)
    results['imgs'] = [frame.copy() for _ in results['frame_inds']]
    results['original_shape'] = results['img_shape'] = frame.shape[:2]
    for transform in transforms[1:]:
        results = transform(results)
    return results['inputs'], results['data_samples']


@pytest.fixture
def detector(monkeypatch):
    """A detector that finds what is white and scores how much of it there is."""
    detector = MODELS.build(TINY_DETECTOR).eval()

    def detect(clips):
        bright = clips.float().mean(1) / 255
        light = bright.mean((1, 2, 3))
        scores = torch.stack([light, 1 - light, 0 * light], dim=1)
        return DetOutput(40 * (bright - 0.5), scores, None)

    monkeypatch.setattr(detector, 'detect', detect)
    return detector


def boxes_of(sample):
    mask = sample.pred_mask.numpy()
    assert mask.shape == (NUM_FRAMES, *sample.gt_mask.shape[1:])
    found = mask_to_boxes(mask)
    return found.frame, to_source_pixels(
        found.boxes, mask.shape[1:], sample.crop_quadruple, sample.original_shape
    )


def test_there_are_commands_for_both_datasets():
    assert [name.split('/')[1][:5] for name, _ in COMMANDS] == ['ucf24'] * 2 + [
        'jhmdb'
    ] * 2


def check_boxes(transforms, detector, tolerance):
    inputs, sample = run(transforms)
    assert all(side % 8 == 0 for side in inputs.shape[-2:])
    (sample,) = detector.predict(inputs[None], [sample])
    frame, boxes = boxes_of(sample)
    assert frame.tolist() == sorted([*range(NUM_FRAMES)] * 3)
    order = ACTORS[np.argsort(ACTORS[:, 0])]
    for number in range(NUM_FRAMES):
        here = boxes[frame == number]
        here = here[np.argsort(here[:, 0])]
        np.testing.assert_allclose(here, order, atol=tolerance)
    return inputs


@pytest.mark.parametrize(('name', 'words'), COMMANDS)
def test_commands_see_every_actor_wholly(name, words, detector):
    # a pixel of squeezed frames is 1.25 of the video's
    tolerance = 1e-4 if 'ucf24' in name else 1.25
    check_boxes(pipeline_of(ROOT / name, read_options(words)), detector, tolerance)


def test_squeezed_frames_see_every_actor_wholly(detector, tmp_path):
    (text,) = re.findall(r'```python\n(.*?)```', DOC, re.DOTALL)
    config = tmp_path / 'squeezed.py'
    folder = (ROOT / 'configs').as_posix()
    config.write_text(text.replace("['", f"['{folder}/"))
    inputs = check_boxes(pipeline_of(config), detector, 320 / 224)
    assert inputs.shape[-2:] == (224, 224)


def test_the_default_cuts_actors_off(detector):
    inputs, sample = run(pipeline_of(ROOT / 'configs/ucf24_sup.py'))
    (sample,) = detector.predict(inputs[None], [sample])
    frame, boxes = boxes_of(sample)
    boxes = sorted(boxes[frame == 0].tolist())
    np.testing.assert_allclose(
        boxes, [[48, 90, 90, 170], [250, 180, 272, 232]], atol=1e-4
    )


def two_crops():
    (words,) = [w for name, w in COMMANDS if 'CoverCrops' in w and 'ucf24' in name]
    return run(pipeline_of(ROOT / 'configs/ucf24_sup.py', read_options(words)))


def test_scores_of_the_crops_are_averaged_per_clip(detector):
    inputs, sample = two_crops()
    assert inputs.shape == (8, 3, 8, 240, 224)  # 2 crops of 4 clips
    (sample,) = detector.predict(inputs[None], [sample])
    assert sample.pred_clip_scores.shape == (4, 3)
    light = inputs.float().mean((1, 2, 3, 4)) / 255
    expected = (light[:4] + light[4:]) / 2
    torch.testing.assert_close(sample.pred_clip_scores[:, 0], expected)
    torch.testing.assert_close(sample.pred_score[0], expected.mean())


def test_overlap_of_the_crops_is_their_mean(detector, monkeypatch):
    inputs, sample = two_crops()
    inputs[:4], inputs[4:] = 0, 255  # left and right crop
    (sample,) = detector.predict(inputs[None], [sample])
    columns = sample.pred_mask[3, 100]
    assert columns[:96].max() < 1e-6 and columns[224:].min() > 1 - 1e-6
    torch.testing.assert_close(columns[96:224], torch.full((128,), 0.5))


def test_unpacked_crops_are_named(detector):
    inputs, sample = two_crops()
    del sample.crop_quadruples
    with pytest.raises(ValueError, match="'crop_quadruples' must be among the meta"):
        detector.predict(inputs[None], [sample])


def test_pictures_show_the_whole_frame():
    inputs, sample = two_crops()
    clips = join_crops(inputs.numpy(), sample.crop_quadruples, sample.crop_quadruple)
    frames = frames_of_clips(clips, sample.frame_inds, sample.frame_valid)
    assert frames.shape == (NUM_FRAMES, 240, 320, 3)
    white = np.zeros((240, 320), bool)
    for x1, y1, x2, y2 in ACTORS.astype(int):
        white[y1:y2, x1:x2] = True
    assert (frames == 255 * white[..., None]).all()
