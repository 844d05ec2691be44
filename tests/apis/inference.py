"""A small world for inference: a config, weights, annotated videos, the evaluation."""

import numpy as np
import torch
from mmaction.registry import DATASETS, METRICS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from ssvad.annotations import save_annotations
from ssvad.evaluation.standard_records import detections_of
from ssvad.evaluation.tubes import nms_tubes
from ssvad.models import DetOutput, MaskDetector
from ssvad.video_io import write_video
from tests.apis.videos import PREPROCESSOR
from tests.helpers import TINY_DETECTOR

META = ('video_id', 'total_frames', 'frame_inds', 'frame_valid', 'original_shape')
META += ('crop_quadruple', 'crop_quadruples', 'gt_tubes', 'tube_labels')
CROP = dict(type='CenterCrop', crop_size=(64, 48))
CLASSES = ('run', 'jump', 'wave')
EVALUATOR = dict(
    type='FrameVideoMAP', mask_to_box=dict(min_area=4), linker=dict(min_len=6)
)


def moving(num_frames, height=48, width=80):
    """A bright square that walks to and fro, and one that comes and goes."""
    frames = np.full((num_frames, height, width, 3), 30, np.uint8)
    for f, frame in enumerate(frames):
        left = 45 - abs(40 - 2 * f % 80)
        frame[10:30, left : left + 20] = 240
        if f // 20 % 2 == 0:
            frame[34:46, 60:74] = (250, 220, 200)
    return frames


@MODELS.register_module()
class BrightDetector(MaskDetector):
    """A real detector with all its weights, which looks at the brightness instead."""

    def detect(self, clips, data_samples=None):
        return DetOutput(20 * (clips.mean(1) - 0.5), clips.mean((2, 3, 4)), None)


def world(folder, frames, crop=CROP, fps=25.0):
    """Write config, weights and videos; returns the paths of the first two."""
    videos = []
    for name, video in frames.items():
        write_video(folder / 'videos' / f'{name}.mp4', video, fps=fps)
        height, width = video.shape[1:3]
        size = dict(width=width, height=height, num_frames=len(video))
        videos.append(dict(id=name, file=f'{name}.mp4', tubes=[], **size))
    save_annotations(folder / 'annotations.json', CLASSES, videos)
    pipeline = [
        dict(type='SampleWholeVideo', clip_len=8, frame_interval=2),
        dict(type='OpenVideo'),
        dict(type='DecordDecode'),
        dict(type='TubesToMask'),
        crop,
        dict(type='AlignMask'),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', algorithm_keys=('gt_mask',), meta_keys=META),
    ]
    dataset = dict(
        type='TubeDataset',
        ann_file=str(folder / 'annotations.json'),
        data_prefix=dict(video=str(folder / 'videos')),
        pipeline=pipeline,
        test_mode=True,
    )
    cfg = Config(
        dict(
            custom_imports=dict(imports=['ssvad', 'tests.apis.inference']),
            default_scope='mmaction',
            model=dict(
                TINY_DETECTOR, type='BrightDetector', data_preprocessor=PREPROCESSOR
            ),
            test_dataloader=dict(dataset=dataset),
            test_evaluator=EVALUATOR,
        )
    )
    (folder / 'run').mkdir()
    cfg.dump(folder / 'run/tiny.py')
    state = MODELS.build(cfg.model).state_dict()
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(state_dict=state, meta=meta), folder / 'run/epoch_1.pth')
    return folder / 'run/tiny.py', folder / 'run/epoch_1.pth'


@torch.no_grad()
def evaluate(cfg, model):
    """The tubes that the evaluation judges, by video id, suppressed as it does."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    evaluator = METRICS.build(cfg.test_evaluator)
    tubes = {}
    for index in range(len(dataset)):
        (sample,) = model.test_step(pseudo_collate([dataset[index]]))
        record = evaluator.reduce(sample.to_dict())
        best = evaluator.topk_classes, evaluator.min_class_score
        _, _, found = detections_of([record], *best, evaluator.link_members)
        labels = np.array([tube.label for tube in found], int)
        suppress = evaluator.convention.tube_nms, evaluator.convention
        tubes[sample.video_id] = nms_tubes(found, *suppress, labels)
    return tubes
