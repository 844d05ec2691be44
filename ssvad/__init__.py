"""Semi-supervised spatio-temporal action detection for MMAction2.

Importing the package registers all of it in MMAction2's registries, so a config
only needs ``custom_imports=dict(imports=['ssvad'])``.
"""

from ssvad import compat

# before anything below imports mmaction.models
compat.apply()

from ssvad import (  # noqa: E402
    apis,
    datasets,
    engine,
    evaluation,
    models,
    visualization,
)

__version__ = '0.1.0'

__all__ = [
    'apis',
    'compat',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'visualization',
]
