"""Π, project: parallel rays add up what they pass; and the whole tilt series in one operator."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..numerics.footprint import projection, times
from ..numerics.image_rotation import ImageRotation
from ..numerics.resample import coarsen, refine
from ..operator import Array, Chain, Operator, Shape
from .depth_of_field import DepthOfField
from .tilt import tilt_angles

# Operators of one mismatch beside another are built in turn: what they have in common is made once.
shared_rotation = lru_cache(maxsize=3)(ImageRotation)
shared_blur = lru_cache(maxsize=3)(DepthOfField)


class Parallel(Operator):
    """Sum turned volumes (views, depth, u, v) along the beam: (views, u, v).

    ``scattering`` is the signal per unit length of an object of density one; ``pixel`` the length
    of a voxel. The adjoint spreads each view back along the beam.
    """

    def __init__(self, in_shape: Shape, scattering: float = 1.0, pixel: float = 1.0) -> None:
        self.in_shape = in_shape
        self.out_shape = (in_shape[0], *in_shape[2:])
        self.weight = scattering * pixel

    def describe(self) -> str:
        return f"project/parallel {self.in_shape} → {self.out_shape}: weight {self.weight:g}"

    def _apply(self, x: Array) -> Array:
        return np.asarray(x.sum(axis=1) * self.weight)

    def _adjoint(self, y: Array) -> Array:
        return np.repeat((y * self.weight)[:, None], self.in_shape[1], axis=1)


class StripProjection(Operator):
    """Project f[z, x, y] at ``angles`` (radians) to (views, u, v): exact integrals over strips.

    One sparse matrix serves all slices y. It is in the precision of what it multiplies.
    """

    def __init__(self, in_shape: Shape, angles: Sequence[float], weight: float = 1.0) -> None:
        self.in_shape = in_shape
        self.out_shape = (len(angles), *in_shape[1:])
        self.angles = tuple(float(a) for a in angles)
        self.weight = weight

    def describe(self) -> str:
        return f"strip projection {self.in_shape} → {self.out_shape}: weight {self.weight:g}"

    def _apply(self, x: Array) -> Array:
        return self._times(0, x).reshape(self.out_shape)

    def _adjoint(self, y: Array) -> Array:
        return self._times(1, y).reshape(self.in_shape)

    def _times(self, i: int, x: Array) -> Array:
        matrix = projection(*self.in_shape[:2], self.angles, x.dtype == np.float32)[i]
        return times(matrix, x.reshape(-1, x.shape[-1]), self.weight)


class TiltSeries(Chain):
    """R → P → Π at once: ``args`` are those of rotate/tilt, depth_of_field and project/parallel.

    Computed in another order than shown, because the steps commute and the turned volumes would
    take a gigabyte. Projection after a tilt is a strip projection of the volume; turning the image
    plane commutes with the sum along the beam, and so does a blur that is constant along it. The
    order is strip projection, image rotation, blur; it equals the three steps up to rounding.
    """

    def __init__(self, in_shape: Shape, args: Sequence[dict[str, Any]]) -> None:
        tilt, probe, beam = args
        for name in ("first", "step"):
            if tilt[name] != probe[name]:
                raise ValueError(
                    f"rotate and propagate disagree on {name}: {tilt[name]} and {probe[name]} deg."
                )
        self.args = args
        axis = tilt.get("axis", 0.0)
        stage = {name: value for name, value in tilt.items() if name != "axis"}
        self.angles = tilt_angles(**stage)
        weight = beam.get("scattering", 1.0) * beam.get("pixel", 1.0)
        self.projection = StripProjection(in_shape, np.deg2rad(self.angles).tolist(), weight)
        images = self.projection.out_shape
        self.rotation = shared_rotation(images, axis)
        self.blur = shared_blur(images, **probe)
        turned = [self.rotation] if axis else []
        super().__init__([self.projection, *turned, self.blur])

    def truth(self) -> Operator:
        return FineTiltSeries(self)

    def arrays(self) -> dict[str, tuple[Array, str]]:
        nz, nx, _ = self.in_shape
        matrix = projection(nz, nx, self.projection.angles, True)[0]
        rows = "projection of one slice y: SciPy CSR, row = view·n_u + u, column = z·n_x + x; "
        return {
            "tilt_deg": (self.angles, "tilt of each view in degrees; the beam runs along z"),
            "projection_data": (matrix.data * self.projection.weight, rows + "the values"),
            "projection_indices": (matrix.indices, rows + "the columns"),
            "projection_indptr": (matrix.indptr, rows + "where each row begins"),
            "blur_variance": (
                self.blur.variance,
                "variance in px² of the Gaussian blur that view and u get after the projection",
            ),
            "blur_reach": (
                self.blur.reach,
                "half width in px at which each view's blur along u is cut; the starter has the "
                "taper",
            ),
        }


class FineTiltSeries(Operator):
    """What the microscope records: the tilt series of the band-limited object on a finer grid.

    The object is the periodic band-limited function through the voxels' centres; it is sampled
    ``FACTOR`` times as finely, projected there, and averaged over the detector's pixels. Data made
    so do not come from the operator that reconstructs them.
    """

    FACTOR = 2

    def __init__(self, coarse: TiltSeries) -> None:
        self.in_shape, self.out_shape = coarse.in_shape, coarse.out_shape
        tilt, *rest = coarse.args
        finer = [a | {"pixel": a.get("pixel", 1.0) / self.FACTOR} for a in rest]
        nz, nx, ny = (n * self.FACTOR for n in coarse.in_shape)
        self.fine = TiltSeries((nz, nx, ny), [tilt, *finer])

    def describe(self) -> str:
        return f"refined {self.FACTOR} times: {self.fine.describe()}"

    def _apply(self, x: Array) -> Array:
        fine = refine(np.asarray(x, np.float64), self.FACTOR).astype(np.float32)
        return coarsen(self.fine(fine), self.FACTOR, (1, 2)).astype(np.float64)
