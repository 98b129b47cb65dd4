"""The physics of the benchmark, usable alone: NumPy, SciPy, Numba and scikit-image, no site.

>>> import numpy as np
>>> from modalities import physics
>>> spec = physics.load("stem")
>>> H = physics.forward(spec, probe_size=0.1)
>>> x = physics.scene(spec, index=0)
>>> y = physics.measure(H, x, np.random.default_rng(0))
>>> x.shape, y.shape
((256, 256), (2, 256, 256))
>>> x_hat = physics.reconstruct("wiener", H, y)
>>> physics.psnr(x, x_hat) > 20
True
"""

from . import scenarios
from .bounds import cramer_rao
from .build import Forward, arguments, forward
from .calibrate import Calibrated, calibrate
from .catalogue import keys, load, parse
from .matrix import cut_down, matrix
from .methods import METHODS, Method, reconstruct
from .metrics import bounded, consistency, psnr, ssim
from .noise import measure, noise_of
from .operator import Adjoint, Array, Chain, Operator, Shape, ShapeError, double, single
from .phantoms import PHANTOMS, scene
from .primitives import PRIMITIVES
from .progress import Cancelled, Part, Report, silent
from .scoring import overall_score, standard_score, tier_score
from .spec import AWAY, GROUPS, HOME, TIERS, Mismatch, Scene, Spec, Step, tier_range
from .tables import CatalogueError
from .versions import METRICS_VERSION

__all__ = [
    "AWAY",
    "GROUPS",
    "HOME",
    "METHODS",
    "METRICS_VERSION",
    "PHANTOMS",
    "PRIMITIVES",
    "TIERS",
    "Adjoint",
    "Array",
    "Calibrated",
    "Cancelled",
    "CatalogueError",
    "Chain",
    "Forward",
    "Method",
    "Mismatch",
    "Operator",
    "Part",
    "Report",
    "Scene",
    "Shape",
    "ShapeError",
    "Spec",
    "Step",
    "arguments",
    "bounded",
    "calibrate",
    "consistency",
    "cramer_rao",
    "cut_down",
    "double",
    "forward",
    "keys",
    "load",
    "matrix",
    "measure",
    "noise_of",
    "overall_score",
    "parse",
    "psnr",
    "reconstruct",
    "scenarios",
    "scene",
    "silent",
    "single",
    "ssim",
    "standard_score",
    "tier_range",
    "tier_score",
]
