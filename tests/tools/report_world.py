"""A finished training of a small world, and detections in files, to report on."""

import json
from functools import cache

import numpy as np
from mmengine.config import Config

import report as tool
from ssvad.annotations import load_annotations, save_annotations
from tests.apis.inference import moving, world
from tests.toy_run import forget_runs

HOSTILE = '"><script>document.title = "x"</script>'
CLASSES = ['run', '</style><img src=x onerror=alert(1)>', 'wave & {{ 7 * 7 }}']
SQUARE = [
    [45 - abs(40 - 2 * f % 80), 10, 65 - abs(40 - 2 * f % 80), 30] for f in range(60)
]
TERMS = ('loss', 'loss_cls', 'loss_cons_mask')


def make_world(folder, num_videos=5):
    """Videos, annotations with hostile names, and a folder of a training: its path."""
    names = [f'v{i}' for i in range(num_videos)]
    frames = {name: moving(16 + i) for i, name in enumerate(names)}
    config, _ = world(folder, frames)
    videos = load_annotations(folder / 'annotations.json')['videos']
    for i, video in enumerate(videos):
        length = video['num_frames'] - i
        boxes = (np.array(SQUARE[i : i + length]) + [0, i, 0, i]).tolist()
        video['tubes'] = [dict(label=i % 3, start=i, boxes=boxes)]
    videos[0]['id'] = HOSTILE
    save_annotations(folder / 'annotations.json', CLASSES, videos)
    cfg = Config.fromfile(config)
    cfg.test_cfg = dict()
    cfg.test_dataloader.update(
        batch_size=1,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    cfg.custom_hooks = [dict(type='DetectionPictureHook')]
    cfg.dump(config)
    with config.open('a') as file:
        file.write(f'# {HOSTILE} {CLASSES[1]}\n')
    write_log(folder / 'run', '20260101_000000', range(1, 13))
    return folder / 'run'


@cache
def finished_world(base):
    """The world, and report.html in the folder of its run; made once."""
    folder = base / 'finished_world'
    run = make_world(folder)
    forget_runs()
    tool.main([str(run)])
    return folder


def write_log(run, name, steps, evaluated=True, per_epoch=4, value=50.0):
    """The json log of a start of a training; an evaluation after each epoch."""
    lines = []
    for step in steps:
        terms = {key: i + 10 / step for i, key in enumerate(TERMS)}
        epoch = (step - 1) // per_epoch + 1
        lines.append(
            {'lr': 1 / step, 'time': 0.5, **terms, 'epoch': epoch, 'iter': step}
        )
        lines[-1]['step'] = step
        if evaluated and step % per_epoch == 0:
            keys = (
                'stad/frame_mAP@0.50',
                'stad/capsule_f_mAP@0.50',
                'teacher/stad/video_acc',
            )
            lines.append({**dict.fromkeys(keys, value + epoch), 'step': epoch})
    path = run / name / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return path


def write_detections(folder, one_based=False):
    """Boxes and tubes of the annotated actors, some of them wrong: two npz files."""
    videos = load_annotations(folder / 'annotations.json')['videos']
    rows, tubes = [], []
    for index, video in enumerate(videos):
        (tube,) = video['tubes']
        label = (tube['label'] + (index == 2)) % 3
        for shift, score in ((index, 0.9 - index / 10), (25, 0.3)):
            boxes = np.array(tube['boxes'], float) + [0, shift, 0, shift]
            boxes = np.minimum(boxes, [79, 47, 80, 48]) + [one_based, one_based, 0, 0]
            tubes.append((index, label, score, tube['start'] + one_based, boxes))
            for number, box in enumerate(boxes, tubes[-1][3]):
                rows.append((index, number, label, score + number / 1e4, box))
    layout = dict(names=np.array([video['id'] for video in videos]))
    video, frame, label, score, boxes = map(np.array, zip(*rows))
    columns = dict(video=video, frame=frame, label=label, score=score, boxes=boxes)
    np.savez(folder / 'boxes.npz', **layout, **columns)
    video, label, score, start, boxes = zip(*tubes)
    columns = dict(video=video, label=label, score=score, start=start)
    columns = {key: np.array(value) for key, value in columns.items()}
    offset = np.cumsum([0, *map(len, boxes)])
    columns.update(box_offset=offset, boxes=np.concatenate(boxes))
    np.savez(folder / 'tubes.npz', **layout, **columns)
    layout = ['--pixel', 'half-open', '--first-frame', '0']
    return ['--boxes', folder / 'boxes.npz', '--tubes', folder / 'tubes.npz', *layout]
