"""All specimens for electron tomography, by the names that the catalogue uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..operator import Array
from ..spec import Spec
from .tomography_away import AWAY
from .tomography_home import HOME

PHANTOMS: Mapping[str, Callable[[Spec, np.random.Generator], Array]] = {**HOME, **AWAY}
