"""Which test runs which command block of the documentation.

A page has one entry for each block, in their order: the name of the test that runs it,
``CI`` for what ``.ci/run`` does, or the reason why it is not run. Of blocks that are
run, ``pip`` and ``make`` are not. Every command, run or not, is parsed by
``tests/test_docs_blocks.py``: its tool takes the arguments, its config can be read.
"""

CI = 'CI'
UCF = 'not run: needs the whole of UCF101-24 or JHMDB-21; configs are built'
GPU = 'not run: takes long, or a GPU; its parts run in tests/tools/test_benchmark.py'

TOOLS = 'tests/tools/'
OWN = TOOLS + 'test_docs_your_own_dataset.py::'
OWN_PAGE = OWN + 'test_the_page_from_end_to_end'
OWN_COCO = OWN + 'test_coco_annotations_and_folders'
BACKBONE = TOOLS + 'test_docs_other_backbones.py::test_your_own_backbone_trains'
CONCEPTS = TOOLS + 'test_draw_concepts.py::test_the_command_of_the_page'
DETECTIONS = TOOLS + 'test_eval_detections_docs.py::test_commands_run'
EVERY = 'test_every_command_of_the_page_runs'
QUICK = TOOLS + 'test_docs_quick_start.py::test_every_command_of_the_page_runs'
TRAINING = TOOLS + 'test_docs_training.py::'
DETERMINISM = TOOLS + 'test_determinism.py::'
RELEASED = TOOLS + 'test_docs_migration.py::test_lists_of_the_released_code'

BLOCKS = {
    'README.md': [
        CI,  # make demo
        QUICK,
        CI,  # make test
        UCF,
        'not run: needs rgb_charades.pt; see tests/tools/test_convert_checkpoint.py',
        'not run: installs the package; .ci/run does so by make',
    ],
    'CONTRIBUTING.md': [CI],
    'configs/README.md': [
        UCF,
        UCF,
        'not run: needs all of UCF101; the config is built',
        UCF,
        UCF,
        UCF,
        'not run: docs/your_own_dataset.md is, whole',
        'not run: make demo is, with the attention of the config',
    ],
    'docs/adding_a_method.md': [f'{TOOLS}test_docs_adding_a_method.py::{EVERY}'] * 2,
    'docs/annotations.md': [f'{TOOLS}test_docs_annotations.py::{EVERY}'] * 7,
    'docs/checking_your_data.md': [f'{TOOLS}test_docs_checking.py::{EVERY}'] * 2,
    'docs/concepts.md': [CONCEPTS],
    'docs/determinism.md': [DETERMINISM + 'test_two_processes_make_the_same_weights'],
    'docs/evaluating_other_detectors.md': [DETECTIONS] * 6,
    'docs/evaluation_full_frame.md': [
        'not run: needs trained weights; tests/test_full_frame.py runs the pipelines'
    ],
    'docs/export.md': [TOOLS + 'test_export.py::test_commands_of_the_page_run'] * 4,
    'docs/fidelity.md': [
        'not run: minutes; tests/models/test_golden_step.py takes the same steps'
    ],
    'docs/index.md': [CI],
    'docs/inference.md': [TOOLS + 'test_infer.py::test_commands_of_the_page_run'] * 3,
    'docs/methods.md': [
        'not run: hours; its parts run in tests/tools/test_benchmark_methods.py'
    ],
    'docs/migration.md': [
        RELEASED,
        UCF,
        'not run: needs released weights; see tests/tools/test_convert_checkpoint.py',
    ],
    'docs/other_backbones.md': [UCF, UCF, BACKBONE],
    'docs/performance.md': [GPU, UCF, UCF],
    'docs/planning.md': [
        TOOLS + 'test_plan.py::test_the_commands_of_the_page',
        TOOLS + 'test_slurm.py::test_the_commands_of_the_page',
    ],
    'docs/quick_start.md': [CI, 'not run: activates the environment', *[QUICK] * 4],
    'docs/reliability.md': [
        CI,  # make test
        CI,  # make test; the long form is not run
        DETERMINISM + 'test_a_loss_that_is_not_finite_is_named_and_computed_again',
        DETERMINISM + 'test_commands_to_resume_within_an_epoch',
        CI,  # make test; the long form is not run
    ],
    'docs/report.md': [TOOLS + 'test_docs_report.py::test_commands_run'] * 3,
    'docs/tools.md': [TOOLS + 'test_docs_tools.py::test_commands_run'] * 6,
    'docs/training.md': [
        TRAINING + 'test_a_run_says_what_the_page_says',
        TRAINING + 'test_own_interval_without_validation',
        TRAINING + 'test_numbers_and_pictures_reach_tensorboard',
        TRAINING + 'test_commands_of_the_summary_run_after_a_resumed_training',
    ],
    'docs/your_own_dataset.md': [OWN_PAGE, OWN_COCO, *[OWN_PAGE] * 8],
}
