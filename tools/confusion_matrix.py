"""Which classes are taken for which, as a picture and as numbers.

    python tools/confusion_matrix.py configs/toy_semi_var.py \
        work_dirs/toy_semi_var/epoch_16.pth --show-path videos.png --include-values
    python tools/confusion_matrix.py configs/toy_semi_var.py results.pkl --level box
    python tools/confusion_matrix.py data/ucf24/annotations.json boxes.npz \
        --split data/ucf24/splits/test.txt --show-path boxes.png

The first two evaluate a checkpoint, or what ``tools/test.py --dump results.pkl`` wrote;
the third takes boxes of any detector, read by ``tools/eval_detections.py`` and with its
arguments. A row is a true class, a column what it was taken for.

``--level video`` has an entry for each annotated video: its class and the best class of
the mean over its clips. ``--level box`` (always, for files of boxes) has one for each
annotated box and each detection, after the rules usual for detectors: of the detections
with at least --score-thr, best first, each takes the free annotated box of its frame
that it overlaps most, whatever the classes, if the IoU reaches --iou-thr. Annotated
boxes that nobody took are in the last column, detections that found none in the last
row, both called background. Our detector reports a box once, with its best class.

Picture and matrix of videos are MMAction2's ``ConfusionMatrix``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from mmaction.evaluation import ConfusionMatrix
from mmaction.registry import DATASETS, METRICS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

import eval_detections
import ssvad  # noqa: F401  (first: mends and registers)
from cli import Parser, build_runner
from conversion.findings import Findings
from detections.confusion import box_confusion
from detections.dumped_results import read_dump
from detections.truth import read_truth
from ssvad.annotations import read_split
from ssvad.evaluation.detections import boxes_of_tubes
from ssvad.evaluation.frame_video_map import FrameVideoMAP
from ssvad.evaluation.standard_records import detections_of
from ssvad.evaluation.video_merge import merge_records
from ssvad.files import write_text

BACKGROUND = 'background'


@METRICS.register_module(force=True)
class KeepRecords(FrameVideoMAP):
    """Keeps the records that the metric would compute numbers from."""

    def compute_metrics(self, results: list) -> dict:
        """Put clips of a video together; there are no numbers yet."""
        self.records = merge_records(results, self.link)
        return {}


def video_confusion(records: Sequence[dict], num_classes: int) -> np.ndarray:
    """(K, K) int64, true class by best class of annotated videos."""
    known = [record for record in records if record['label'] >= 0]
    best = torch.tensor([record['class_scores'].argmax() for record in known])
    labels = torch.tensor([record['label'] for record in known])
    return ConfusionMatrix.calculate(best.int(), labels, num_classes).numpy()


def make_metric(cfg: Config) -> dict:
    """Config of the metric that keeps records, set as the config's own metric is."""
    evaluator = cfg.get('test_evaluator') or []
    found = [evaluator] if isinstance(evaluator, dict) else evaluator
    own = [dict(metric) for metric in found if metric['type'] == 'FrameVideoMAP']
    own = own[0] if own else {}
    return {**own, 'type': 'KeepRecords', 'protocol': 'standard', 'out_file': None}


def class_names(cfg: Config, number: int) -> list[str]:
    """Names that the test dataset gives, or numbers if its files are not here."""
    try:
        dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'pipeline': []})
    except FileNotFoundError as error:
        print(f'classes have no names: {error}')
        return [str(label) for label in range(number)]
    return list(dataset.metainfo['classes'])


def of_model(parser: Parser, args: argparse.Namespace) -> tuple[np.ndarray, list[str]]:
    """Matrix and class names of a checkpoint or of dumped predictions."""
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options)
    metric = make_metric(cfg)
    if args.result.endswith('.pth'):
        cfg.update(launcher='none', load_from=args.result, test_evaluator=metric)
        # one network, the one that infers, and no pictures of it
        cfg.update(test_cfg={}, custom_hooks=[])
        with tempfile.TemporaryDirectory() as folder:
            cfg.work_dir = folder
            runner = build_runner(parser, cfg)
            runner.test()
            metric = runner.test_loop.evaluator.metrics[0]
    else:
        init_default_scope(cfg.get('default_scope', 'mmaction'))
        metric = METRICS.build(metric)
        metric.process(None, read_dump(Path(args.result)))
        metric.compute_metrics(metric.results)
    records = metric.records
    number = len(records[0]['class_scores'])
    classes = class_names(cfg, number)
    if args.level == 'video':
        return video_confusion(records, number), classes
    truth, boxes, _ = detections_of(
        records, 1, metric.min_class_score, metric.link_members
    )
    truth = boxes_of_tubes(truth)
    return box_confusion(truth, boxes, number, args.iou_thr, args.score_thr), classes


def of_files(
    args: argparse.Namespace, others: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """Matrix and class names of boxes from a file."""
    read = eval_detections.parse_args([args.config, '--boxes', args.result, *others])
    chosen = None if read.split is None else read_split(read.split)
    truth = read_truth(read.truth, chosen)
    boxes = eval_detections.read_boxes(read, truth, Findings())
    number = len(truth.classes)
    annotated = boxes_of_tubes(truth.tubes)
    matrix = box_confusion(annotated, boxes, number, args.iou_thr, args.score_thr)
    return matrix, list(truth.classes)


def shares(matrix: np.ndarray) -> np.ndarray:
    """Percent of each row, rounded; rows of zeros stay zero."""
    total = matrix.sum(1, keepdims=True)
    return np.rint(100 * matrix / np.maximum(total, 1)).astype(np.int64)


def class_lines(matrix: np.ndarray, names: Sequence[str], most: int = 3) -> list[str]:
    """For each class how many there are, what share was right, what the rest was."""
    lines = []
    for row, name in enumerate(names):
        total = matrix[row].sum()
        if not total:
            continue
        order = np.argsort(-matrix[row], kind='stable')
        wrong = [k for k in order if k != row and matrix[row, k]][:most]
        taken = ', '.join(f'{names[k]} {matrix[row, k]}' for k in wrong)
        right = '' if name == BACKGROUND else f'{100 * matrix[row, row] / total:6.1f} %'
        lines.append(f'{name:24}{total:8d}{right:>9}  {taken}'.rstrip())
    return lines


def parse_args(
    argv: Sequence[str] | None = None,
) -> tuple[Parser, argparse.Namespace, list[str]]:
    """Read the command line; what is left is for tools/eval_detections.py."""
    parser = Parser(description='Which classes are taken for which.')
    add = parser.add_argument
    add(
        'config', help='config file, or annotations (.json, .npz) to compare boxes with'
    )
    add('result', help='checkpoint (.pth), dumped predictions (.pkl), or boxes')
    add('--level', choices=['video', 'box'], default='video', help='what is counted')
    add('--iou-thr', type=float, default=0.5, help='to have found a box (0.5)')
    add('--score-thr', type=float, default=0.3, help='smallest score of boxes (0.3)')
    add('--out', type=Path, help='JSON file for the numbers')
    add('--show-path', type=Path, help='picture to write')
    add('--include-values', action='store_true', help='write numbers into the picture')
    add('--normalize', action='store_true', help='draw percent of each row')
    add('--cmap', default='viridis', help='colours of the picture (viridis)')
    add('--target-classes', type=int, nargs='+', help='numbers of the classes to keep')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        default={},
        help='as of tools/test.py',
    )
    args, others = parser.parse_known_args(argv)
    for path in (args.config, args.result):
        if not Path(path).exists():
            parser.error(f"'{path}' not found")
    if args.config.endswith('.py'):
        if not args.result.endswith(('.pth', '.pkl')):
            parser.error(f'expected a .pth or .pkl file, got {args.result}')
        if others:
            parser.error(f'unrecognized arguments: {" ".join(others)}')
    else:
        args.level = 'box'
    return parser, args, others


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    parser, args, others = parse_args(argv)
    try:
        if args.config.endswith('.py'):
            matrix, names = of_model(parser, args)
        else:
            matrix, names = of_files(args, others)
    except (ValueError, OSError) as error:
        raise SystemExit(f'confusion_matrix.py: {error}') from error
    kept = args.target_classes or list(range(len(names)))
    if not set(kept) <= set(range(len(names))):
        parser.error(
            f'--target-classes: expected numbers below {len(names)}, got {kept}'
        )
    if args.level == 'box':
        kept, names = [*kept, len(names)], [*names, BACKGROUND]
    matrix, names = matrix[np.ix_(kept, kept)], [names[k] for k in kept]
    unit = {'video': 'videos', 'box': 'boxes'}[args.level]
    print(f'{"true class":24}{unit:>8}    right  taken for')
    print('\n'.join(class_lines(matrix, names)))
    if args.out is not None:
        thrs = dict(iou_thr=args.iou_thr, score_thr=args.score_thr)
        facts = dict(level=args.level, **(thrs if args.level == 'box' else {}))
        numbers = dict(facts, classes=names, matrix=matrix.tolist())
        write_text(args.out, json.dumps(numbers) + '\n')
        print(f'written to {args.out}')
    if args.show_path is not None:
        drawn = torch.from_numpy(shares(matrix) if args.normalize else matrix)
        figure = ConfusionMatrix.plot(
            drawn, args.include_values, args.cmap, names, show=False
        )
        # slanting, names of many classes lie upon each other
        figure.axes[0].tick_params('x', labelrotation=90)
        if args.normalize:
            figure.axes[0].set_xlabel('Predicted label, percent of the row')
        args.show_path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(args.show_path, bbox_inches='tight')
        plt.close(figure)
        print(f'picture in {args.show_path}')


if __name__ == '__main__':
    main()
