import json

import av
import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import INFERENCERS
from mmengine.config import Config

from ssvad.apis import TubeInferencer, decode_rle
from ssvad.datasets.unreadable import VideoReadError
from ssvad.video_io import write_video
from tests.apis.inference import CLASSES, evaluate, moving, world
from tests.apis.videos import Bright, noise
from tests.helpers import UCF24_MINI, needs_ucf24_mini

COVER = dict(type='CoverCrops', crop_size=(48, 48))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('trained')
    videos = {'a': moving(41), 'b': noise(50, 48, 80)}
    return folder, *world(folder, videos, fps=12.5)


@pytest.fixture(scope='module')
def infer(trained):
    _, config, weights = trained
    return TubeInferencer(config, weights, 'cpu', show_progress=False)


@pytest.fixture
def said(monkeypatch):
    """Warnings."""
    messages = []
    monkeypatch.setattr(
        'ssvad.apis.tube_inferencer.print_log', lambda text, **_: messages.append(text)
    )
    return messages


def assert_same(found, expected):
    def key(tube):
        return tube[0], tube[1], tube[3]

    ours = sorted(
        ((t['label'], t['start'], t['score'], t['boxes']) for t in found), key=key
    )
    theirs = sorted(
        ((t.label, t.start, t.score, t.boxes.tolist()) for t in expected), key=key
    )
    assert [t[:2] for t in ours] == [t[:2] for t in theirs] and ours
    for a, b in zip(ours, theirs):
        assert a[3] == b[3] and a[2] == pytest.approx(b[2], rel=1e-6)


@pytest.mark.parametrize('crop', [None, COVER])
def test_tubes_are_those_of_the_evaluation(trained, infer, crop):
    folder, config, weights = trained
    cfg = Config.fromfile(config)
    if crop:
        cfg.test_dataloader.dataset.pipeline[4] = crop
        infer = TubeInferencer(cfg, weights, 'cpu', show_progress=False)
    expected = evaluate(cfg, infer.model)
    found = infer(folder / 'videos')
    assert found['visualization'] == []
    assert [p['video'][-5:] for p in found['predictions']] == ['a.mp4', 'b.mp4']
    for name, prediction in zip('ab', found['predictions']):
        assert_same(prediction['tubes'], expected[name])


@needs_ucf24_mini
def test_tubes_of_a_real_clip_are_those_of_the_evaluation(tmp_path):
    clip = sorted((UCF24_MINI / 'rgb-videos').rglob('*.mp4'))[0]
    with av.open(str(clip)) as container:
        frames = [f.to_ndarray(format='rgb24') for f in container.decode(video=0)]
    crop = dict(type='CenterCrop', crop_size=(112, 96))
    config, weights = world(tmp_path, {'real': np.stack(frames[:24])}, crop)
    infer = TubeInferencer(config, weights, 'cpu', show_progress=False)
    expected = evaluate(Config.fromfile(config), infer.model)
    (prediction,) = infer(tmp_path / 'videos')['predictions']
    assert (prediction['width'], prediction['height']) == frames[0].shape[1::-1]
    assert_same(prediction['tubes'], expected['real'])


def test_predictions_are_plain(trained, infer):
    (found,) = infer(trained[0] / 'videos/a.mp4', return_masks=True)['predictions']
    assert json.loads(json.dumps(found)) == found
    assert list(found)[:5] == ['video', 'fps', 'num_frames', 'width', 'height']
    assert list(found.values())[1:5] == [12.5, 41, 80, 48]
    assert list(found['tubes'][0]) == [
        'id', 'label', 'class', 'score', 'start', 'boxes'
    ]  # fmt: skip
    scores = [tube['score'] for tube in found['tubes']]
    assert scores == sorted(scores, reverse=True)
    by_id = {}
    for tube in found['tubes']:
        assert tube['class'] == CLASSES[tube['label']]
        assert tube['start'] + len(tube['boxes']) <= 41
        by_id.setdefault(tube['id'], []).append((tube['start'], tube['boxes']))
    # an id is a track, whatever its classes
    assert sorted(by_id) == list(range(len(by_id))) and len(by_id) > 1
    assert all(part == parts[0] for parts in by_id.values() for part in parts)
    starts = [by_id[number][0][0] for number in sorted(by_id)]
    assert starts == sorted(starts)
    # masks are tight in their boxes, here of two bright squares and nothing else
    assert len(found['masks']) == 41
    for f, rle in enumerate(found['masks']):
        mask = decode_rle(rle)
        assert mask.shape == (48, 80)
        for start, boxes in (parts[0] for parts in by_id.values()):
            if 0 <= f - start < len(boxes):
                x1, y1, x2, y2 = np.rint(boxes[f - start]).astype(int)
                assert mask[y1:y2, x1:x2].mean() > 0.9
                mask[y1:y2, x1:x2] = False
        # on the last frame the second is back for a moment, too short for a tube
        assert mask.any() == (f == 40)


def test_arrays_lists_and_limits(infer):
    frames = moving(41)
    whole, again, short = infer([frames, frames, frames[:20]])['predictions']
    assert whole['tubes'] == again['tubes'] and whole['fps'] == 25
    (limited,) = infer(frames, max_frames=20)['predictions']
    assert limited == dict(short, video='array') and limited['num_frames'] == 20


def test_files_are_written(trained, infer, tmp_path):
    found = infer(
        trained[0] / 'videos', tmp_path / 'out', pred_out_file=str(tmp_path / 'p.json')
    )
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names == sorted(f'{n}.{e}' for n in 'ab' for e in ('json', 'mp4', 'png'))
    assert found['visualization'] == [str(tmp_path / f'out/{n}.mp4') for n in 'ab']
    single = json.loads((tmp_path / 'out/a.json').read_text())
    both = json.loads((tmp_path / 'p.json').read_text())
    assert both == dict(predictions=found['predictions'])
    assert single == found['predictions'][0]
    with av.open(str(tmp_path / 'out/a.mp4')) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ('h264', 'yuv420p')
        assert stream.average_rate == 12.5
        frames = [f.to_ndarray(format='rgb24') for f in container.decode(stream)]
    assert len(frames) == 41 and frames[0].shape == (192, 320, 3)
    # beside the crop the frame is darker than it was
    assert frames[5][:, :24].mean() < 0.7 * moving(41)[5][:, :6].mean()
    strip = cv2.imread(str(tmp_path / 'out/a.png'))
    assert strip.shape[1] == 8 * 240 + 7 * 2


def test_a_video_is_never_overwritten_by_its_rendering(trained, infer):
    folder = trained[0] / 'videos'
    before = (folder / 'a.mp4').read_bytes()
    with pytest.raises(ValueError, match=r'a.mp4 would be overwritten'):
        infer(folder / 'a.mp4', folder)
    assert (folder / 'a.mp4').read_bytes() == before


def test_broken_files_raise_or_are_skipped(trained, infer, tmp_path, said):
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    inputs = [tmp_path / 'bad.mp4', trained[0] / 'videos/a.mp4']
    with pytest.raises(VideoReadError, match='bad.mp4: cannot open'):
        infer(inputs)
    found = infer(inputs, tmp_path / 'out', on_error='skip')
    assert [p['video'][-5:] for p in found['predictions']] == ['a.mp4']
    assert found['visualization'] == [str(tmp_path / 'out/a.mp4')]
    assert len(said) == 1 and 'skipped a video that cannot be read: ' in said[0]
    with pytest.raises(ValueError, match="'raise' or 'skip', got 'ignore'"):
        infer(inputs, on_error='ignore')


def test_thresholds_and_evaluator_settings(trained, infer):
    _, config, weights = trained
    frames = moving(41)
    (all_tubes,) = infer(frames)['predictions']
    middle = np.median([tube['score'] for tube in all_tubes['tubes']])

    def tubes(**kwargs):
        kwargs = dict(device='cpu', show_progress=False, **kwargs)
        (found,) = TubeInferencer(config, weights, **kwargs)(frames)['predictions']
        return found['tubes']

    better = [tube for tube in all_tubes['tubes'] if tube['score'] >= middle]
    assert tubes(score_thr=middle) == better
    single = tubes(evaluator=dict(topk_classes=1))
    assert len({tube['id'] for tube in single}) == len(single) > 0
    assert tubes(mask_thr=1.0) == []
    assert tubes(evaluator=dict(linker=dict(min_len=42))) == []
    # other settings of the config's evaluator stay
    assert tubes(evaluator=dict(mask_to_box=dict(thr=0.5))) == all_tubes['tubes']
    large = tubes(evaluator=dict(mask_to_box=dict(min_area=200)))
    assert 0 < len(large) < len(all_tubes['tubes'])


@pytest.mark.parametrize('thr, covered', [(None, 1), (0.3, 1), (0.9, 0)])
def test_masks_have_the_threshold_of_the_boxes(thr, covered):
    grey = np.full((16, 24, 32, 3), 140, np.uint8)  # probability 0.73
    infer = TubeInferencer(Bright(), device='cpu', mask_thr=thr, show_progress=False)
    (found,) = infer(grey, return_masks=True)['predictions']
    assert all(decode_rle(rle).mean() == covered for rle in found['masks'])
    assert bool(found['tubes']) == bool(covered)


def test_a_built_detector_sees_whole_frames():
    infer = TubeInferencer(Bright(), device='cpu', show_progress=False)
    (found,) = infer(moving(19))['predictions']
    assert {tube['class'] for tube in found['tubes']} == {
        'class 0',
        'class 1',
        'class 2',
    }
    first = sorted({tuple(tube['boxes'][0]) for tube in found['tubes']})
    assert first == [(5, 10, 25, 30), (60, 34, 74, 46)]
    with pytest.raises(ValueError, match='a built model has its weights'):
        TubeInferencer(Bright(), 'a.pth')


def test_short_side_shows_the_whole_of_a_large_video(trained, said):
    _, config, weights = trained
    infer = TubeInferencer(config, weights, 'cpu', show_progress=False)
    large = moving(20, 120, 160)
    infer([large, large])
    assert len(said) == 1 and 'only 16% of the 160 x 120 frame' in said[0]
    whole = TubeInferencer(config, weights, 'cpu', short_side=48, show_progress=False)
    (found,) = whole(large, return_masks=True)['predictions']
    assert len(said) == 1
    assert found['masks'][0]['size'] == [120, 160]


def test_names_come_from_the_checkpoint_or_a_list(trained, tmp_path):
    _, config, weights = trained
    (tmp_path / 'names.txt').write_text('x\ny\nz\n')
    args = dict(device='cpu', show_progress=False)
    named = TubeInferencer(config, weights, label_file=tmp_path / 'names.txt', **args)
    (found,) = named(moving(20))['predictions']
    assert {tube['class'] for tube in found['tubes']} <= set('xyz')
    (tmp_path / 'names.txt').write_text('x\ny\n')
    wrong = TubeInferencer(config, weights, label_file=tmp_path / 'names.txt', **args)
    with pytest.raises(ValueError, match='2 class names .*the network scores 3'):
        wrong(moving(20))


def test_it_is_registered(trained):
    _, config, weights = trained
    cfg = dict(type='TubeInferencer', model=str(config), weights=str(weights))
    assert isinstance(INFERENCERS.build(cfg), TubeInferencer)
    assert INFERENCERS.get('spatio-temporal-action-detection') is TubeInferencer


def test_semi_supervised_weights_are_explained(trained, tmp_path):
    _, config, weights = trained
    state = torch.load(weights)['state_dict']
    path = tmp_path / 'semi.pth'
    torch.save(dict(state_dict={f'detector.{k}': v for k, v in state.items()}), path)
    with pytest.raises(ValueError, match=r"set prefix='detector.', or take the config"):
        TubeInferencer(config, path, 'cpu')
    assert TubeInferencer(config, path, 'cpu', prefix='detector.').classes == []


def test_random_networks_are_told(trained, said):
    cfg = Config.fromfile(trained[1])
    TubeInferencer(cfg, device='cpu')
    assert said == ['no weights were given: the network is random, so are its tubes']


def test_names_with_dots_keep_them(infer, tmp_path):
    write_video(tmp_path / 'take.1.mp4', moving(10))
    infer(tmp_path / 'take.1.mp4', tmp_path / 'out')
    assert (tmp_path / 'out/take.1.json').exists()
