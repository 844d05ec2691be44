"""Which test runs which command block of the documentation.

A page has one entry for each block, in their order: the name of the test that runs it,
``CI`` for what ``.ci/run`` does, or the reason why it is not run. Of blocks that are
run, ``pip`` and ``make`` are not. Every command, run or not, is parsed by
``tests/test_docs_blocks.py``: its tool takes the arguments, its config can be read.

Tests of ``FULL`` run every command as it stands, on 27 videos of UCF101-24's names and
sizes and 31 of JHMDB-21's, 16 frames each; ``tests/docs_run.py`` says what is added to
it: an epoch of one step of two crops, and a network of a sixteenth of the width.
"""

CI = 'CI'

TOOLS = 'tests/tools/'
OWN = TOOLS + 'test_docs_your_own_dataset.py::'
OWN_PAGE = OWN + 'test_the_page_from_end_to_end'
OWN_COCO = OWN + 'test_coco_annotations_and_folders'
BACKBONE = TOOLS + 'test_docs_other_backbones.py::test_your_own_backbone_trains'
CONCEPTS = TOOLS + 'test_draw_concepts.py::test_the_command_of_the_page'
DETECTIONS = TOOLS + 'test_eval_detections_docs.py::test_commands_run'
EVERY = 'test_every_command_of_the_page_runs'
QUICK = TOOLS + 'test_docs_quick_start.py::test_every_command_of_the_page_runs'
TOOLS_PAGE = TOOLS + 'test_docs_tools.py::test_commands_run'
TRAINING = TOOLS + 'test_docs_training.py::'
DETERMINISM = TOOLS + 'test_determinism.py::'
FULL = TOOLS + 'test_docs_full_size.py::test_'
BACKBONES = FULL + 'other_backbones'
RELEASED = TOOLS + 'test_docs_migration.py::test_lists_of_the_released_code'

BLOCKS = {
    'README.md': [
        CI,  # make demo
        QUICK,
        CI,  # make test
        FULL + 'your_run_on_ucf24',  # two processes for the four GPUs
        FULL + 'pretrained_i3d',  # a file of the same names and shapes
        'not run: installs the package; .ci/run does so by make, with other extras',
    ],
    'CONTRIBUTING.md': [CI],
    'configs/README.md': [
        FULL + 'fewer_labels',
        FULL + 'fewer_unlabelled_videos',
        FULL + 'more_unlabelled_videos',
        FULL + 'more_unlabelled_videos',
        FULL + 'as_released_and_other_methods',
        FULL + 'as_released_and_other_methods',
        FULL + 'own_videos_and_toy_videos',
        FULL + 'own_videos_and_toy_videos',  # 22 videos
    ],
    'docs/adding_a_method.md': [f'{TOOLS}test_docs_adding_a_method.py::{EVERY}'] * 2,
    'docs/annotations.md': [f'{TOOLS}test_docs_annotations.py::{EVERY}'] * 7,
    'docs/checking_your_data.md': [f'{TOOLS}test_docs_checking.py::{EVERY}'] * 2,
    'docs/concepts.md': [CONCEPTS],
    'docs/determinism.md': [DETERMINISM + 'test_two_processes_make_the_same_weights'],
    'docs/evaluating_other_detectors.md': [DETECTIONS] * 6,
    'docs/evaluation_full_frame.md': [
        FULL + 'whole_frames'  # with weights that nothing has trained
    ],
    'docs/export.md': [TOOLS + 'test_export.py::test_commands_of_the_page_run'] * 4,
    'docs/fidelity.md': [
        'tests/models/test_golden_network_train.py::test_the_command_of_the_page'
    ],
    'docs/index.md': [CI],
    'docs/inference.md': [TOOLS + 'test_infer.py::test_commands_of_the_page_run'] * 3,
    'docs/methods.md': [
        # two methods, one seed, an epoch of 5 steps
        TOOLS + 'test_benchmark_methods.py::test_two_methods_really_run',
        # the commands that they would run
        TOOLS + 'test_benchmark_methods.py::test_the_plots_of_the_page_are_planned',
    ],
    'docs/migration.md': [
        RELEASED,
        FULL + 'the_lists_of_the_released_code',
        FULL + 'released_weights',  # a file of the same names and shapes, whole network
    ],
    'docs/other_backbones.md': [BACKBONES, FULL + 'pretrained_backbone', BACKBONE],
    'docs/performance.md': [
        # narrow network, small clips; of the GPU's line two parts, on a CPU
        TOOLS + 'test_benchmark.py::test_the_commands_of_the_page',
        FULL + 'performance',
        FULL + 'performance',
    ],
    'docs/planning.md': [
        FULL + 'planning',
        TOOLS + 'test_slurm.py::test_the_commands_of_the_page',
    ],
    'docs/quick_start.md': [CI, *[QUICK] * 5],
    'docs/reliability.md': [
        CI,  # make test
        CI,  # make test; the long form is not run
        DETERMINISM + 'test_a_loss_that_is_not_finite_is_named_and_computed_again',
        DETERMINISM + 'test_commands_to_resume_within_an_epoch',
        CI,  # make test; the long form is not run
    ],
    'docs/report.md': [TOOLS + 'test_docs_report.py::test_commands_run'] * 3,
    'docs/tools.md': [
        *[TOOLS_PAGE] * 2,
        TOOLS + 'test_get_flops.py::test_figures_of_the_pages',
        *[TOOLS_PAGE] * 3,
    ],
    'docs/training.md': [
        TRAINING + 'test_a_run_says_what_the_page_says',
        TRAINING + 'test_own_interval_without_validation',
        TRAINING + 'test_numbers_and_pictures_reach_tensorboard',
        TRAINING + 'test_commands_of_the_summary_run_after_a_resumed_training',
    ],
    'docs/your_own_dataset.md': [OWN_PAGE, OWN_COCO, *[OWN_PAGE] * 8],
}
