"""Semi-supervised spatio-temporal action detection for MMAction2.

Importing the package registers all of it in MMAction2's registries, so a config
only needs ``custom_imports=dict(imports=['ssvad'])``.
"""

from ssvad import compat

compat.apply()

__version__ = '0.1.0'
