"""Show a run, or the detections of any detector, on one HTML page.

    python tools/report.py work_dirs/toy_semi_var

reads the logs and the config of a training, evaluates its last checkpoint as
tools/test.py does, and writes work_dirs/toy_semi_var/report.html: configuration,
curves, tables of both protocols, precision over recall, classes, errors, and the best,
middle and worst test videos as clips. The page holds all of it; nothing is fetched.

    python tools/report.py data/ucf24/annotations.json --boxes boxes.npz \
        --tubes tubes.npz --split data/ucf24/splits/test.txt

does that for detections in files: all arguments of tools/eval_detections.py, after the
annotation file. What cannot be shown is said on the page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, DictAction

import ssvad  # first: mends and registers
from report_detections import evaluate_files
from report_evaluation import (
    Evaluation,
    chart_blocks,
    protocol_section,
    split_metrics,
)
from report_examples import clip_blocks, error_blocks
from report_logs import History, read_history
from report_run import evaluate_run, find_checkpoint, find_config
from report_training import config_section, metric_blocks, training_section
from ssvad.visualization.report_page import Facts, Note, Page, Section, render_page

NO_LOGS = History([], [], {}, [], 0)


def parse_args(argv: Sequence[str] | None = None) -> tuple[argparse.Namespace, list]:
    """Read the command line; the second are arguments of eval_detections.py."""
    parser = argparse.ArgumentParser(
        description='Show a run or detections from files on one HTML page.',
        epilog='After an annotation file: all arguments of tools/eval_detections.py.',
        allow_abbrev=False,
    )
    add = parser.add_argument
    add('source', type=Path, help='folder of a training, config file, annotation file')
    add('--out', type=Path, help='HTML file (report.html, of a folder: in it)')
    add('--clips', type=int, default=2, help='best, middle and worst videos, each (2)')
    run = parser.add_argument_group('of a training')
    run.add_argument('--checkpoint', type=Path, help='evaluate this one (the last)')
    run.add_argument('--no-test', action='store_true', help='only what the logs tell')
    run.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='settings, key=value'
    )
    files = parser.add_argument_group('of an annotation file')
    files.add_argument(
        '--video-root', type=Path, help="folder of the videos ('videos' beside it)"
    )
    args, rest = parser.parse_known_args(argv)
    if not args.source.exists():
        parser.error(f"'{args.source}' not found")
    of_run = args.source.is_dir() or args.source.suffix == '.py'
    if of_run and (rest or args.video_root):
        parser.error(f'{args.source} is a run, it takes no {rest or "--video-root"}')
    if not of_run and (args.checkpoint or args.no_test or args.cfg_options):
        parser.error(f'{args.source} is no folder of a training and no config')
    if args.clips < 0:
        parser.error(f'--clips is 0 or more, got {args.clips}')
    if args.out is None:
        args.out = (args.source if args.source.is_dir() else Path()) / 'report.html'
    return args, rest


def report_run(args: argparse.Namespace) -> Page:
    """The page of a training, or of a config with a checkpoint.

    Raises:
        ValueError: config, checkpoint or test set do not fit.
        OSError: a file cannot be read.
    """
    source, path = args.source, find_config(args.source)
    cfg = Config.fromfile(path)
    cfg.merge_from_dict(args.cfg_options or {})
    history = read_history(source) if source.is_dir() else NO_LOGS
    checkpoint = args.checkpoint
    if checkpoint is None and source.is_dir():
        checkpoint = find_checkpoint(source)
    evaluation, metrics, missing = None, {}, ''
    of_config = config_section(path, cfg, checkpoint, args.cfg_options or {})
    if args.no_test:
        missing = 'The checkpoint was not evaluated (--no-test)'
    elif checkpoint is None:
        missing = f'There is no checkpoint in {source}'
    elif not checkpoint.is_file():
        raise ValueError(f"checkpoint '{checkpoint}' not found")
    else:
        work_dir = args.out.parent / f'{args.out.stem}_test'
        evaluation, metrics = evaluate_run(cfg, checkpoint, work_dir)
        missing = '' if evaluation else 'The config evaluates without FrameVideoMAP'
    notes, source_of = [], f'{path.name}, {checkpoint.name if checkpoint else "-"}'
    if missing:
        notes.append(f'{missing}: no tables per class, charts, clips and examples.')
        if not metrics:
            last = history.evaluations[-1:] or [{}]
            metrics = history.test or last[0]
            notes.append(
                'The numbers below are the newest of the logs.'
                if metrics
                else 'The logs hold no metrics either.'
            )
    sections = evaluation_sections(evaluation, metrics, args.clips, history)
    sections += [training_section(history), of_config]
    name = source.resolve().name if source.is_dir() else source.stem
    return make_page(name, source_of, sections, notes)


def report_files(args: argparse.Namespace, rest: Sequence[str]) -> Page:
    """The page of detections from files.

    Raises:
        ValueError: a file is malformed.
        OSError: a file cannot be read.
    """
    evaluation = evaluate_files(args.source, rest, args.video_root)
    report = evaluation.reports['standard']
    sections = evaluation_sections(evaluation, report['metrics'], args.clips, NO_LOGS)
    facts = [('command', ' '.join(['tools/report.py', str(args.source), *rest]))]
    sections.append(Section('config', 'Configuration', [Facts(facts)]))
    notes = [
        'Boxes and tubes only: no capsule protocol, which needs masks, and no curves '
        'of a training.'
    ]
    found = report['facts']
    title = found['detections']
    return make_page(title, f'against {found["ground truth"]}', sections, notes)


def evaluation_sections(
    evaluation: Evaluation | None, metrics: dict, num_clips: int, history: History
) -> list[Section]:
    """Numbers of the protocols, charts, clips and errors."""
    reports = {} if evaluation is None else evaluation.reports
    sorted_metrics = split_metrics(metrics)
    sections = []
    for protocol in ('standard', 'capsule'):
        of_protocol = sorted_metrics[protocol], reports.get(protocol)
        section = protocol_section(protocol, *of_protocol)
        if section is None:
            continue
        blocks = [*section.blocks, *metric_blocks(history, protocol)]
        if protocol in reports and protocol == 'standard':
            blocks += chart_blocks(evaluation)
        sections.append(section._replace(blocks=blocks))
    if evaluation is None:
        return sections
    reason = '' if evaluation.files else 'the videos are not at hand (--video-root)'
    for anchor, title, kind, found in (
        ('videos', 'Videos', 'tubes', evaluation.tubes),
        ('errors', 'Errors', 'boxes', evaluation.boxes),
    ):
        why = reason or ('' if found is not None else f'no {kind} were evaluated')
        if why:
            blocks = [Note(f'Nothing to show: {why}.', 'missing')]
        elif kind == 'tubes':
            blocks = clip_blocks(evaluation, num_clips)
        else:
            blocks = error_blocks(evaluation)
        sections.append(Section(anchor, title, blocks))
    return sections


def make_page(
    title: str, subtitle: str, sections: list[Section], notes: Sequence[str]
) -> Page:
    """Put notes above all sections."""
    if notes:
        blocks = [Note(note, 'missing') for note in notes]
        sections = [Section('missing', 'Not on this page', blocks), *sections]
    footer = f'Written by tools/report.py of ssvad {ssvad.__version__}.'
    return Page(title, subtitle, sections, footer)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool."""
    args, rest = parse_args(argv)
    of_run = args.source.is_dir() or args.source.suffix == '.py'
    try:
        page = report_run(args) if of_run else report_files(args, rest)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(render_page(page), encoding='utf-8')
    except (ValueError, OSError) as error:
        print(f'report.py: error: {error}', file=sys.stderr)
        raise SystemExit(1) from error
    size = args.out.stat().st_size / 2**20
    print(f'written to {args.out} ({size:.1f} MiB)')


if __name__ == '__main__':
    main()
