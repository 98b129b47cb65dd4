"""Starter for the electron tomography challenge: SIRT with the nominal projection.

    python electron_tomography.py challenge.h5 submission.h5

Needs Python 3.11, NumPy, SciPy and h5py. It reads the tilt series and the nominal projection
matrix, reconstructs each sample and writes a submission that the server accepts. ``Operator`` is
the nominal operator and its adjoint; ``check`` holds it against the small example in the file, and
yours too if you change it. SIRT leaves out the blur of the depth of field, to be quick, and nothing
is calibrated: the corrected spec is the nominal one. That is where to begin.
The hidden tier runs this program as it is.
"""

import json
import sys

import h5py
import numpy as np
from scipy import fft, sparse

ITERATIONS = 40
# Rays whose total weight is below this share of the largest pass the object by.
EMPTY = 0.02


def main(challenge_path, submission_path):
    with h5py.File(challenge_path, "r") as challenge, h5py.File(submission_path, "w") as submission:
        check(challenge["sample_00/H_ideal/small"])
        operator = Operator(challenge["sample_00/H_ideal"])  # the same for all samples
        projection = operator.projection.astype("float32")
        for name in sorted(challenge):
            sample = challenge[name]
            ranges = json.loads(sample.attrs["spec_ranges"])  # name: [lowest, highest, unit]
            y = sample["y"][:].astype("float32")  # view, u, v
            x_hat = sirt(projection, y, operator.shape)
            group = submission.create_group(name)
            group["x_hat"] = x_hat.astype("float32")
            group.attrs["corrected_spec"] = json.dumps(calibrate(sample, ranges))


def calibrate(sample, ranges):
    """Estimate the mismatch; replace this, because the dev tier refuses the nominal spec.

    All samples of a file share one true mismatch.
    Those "at home" are of the gallery's kinds, those "away" of others; "group" in the attribute
    ``metadata``, which is JSON, says which. A calibration must hold for both.

    If you know how sure you are, write a second JSON attribute, ``spec_intervals``: for each
    parameter its 95 % interval [lowest, highest], or null where the data do not tell.
    """
    return dict.fromkeys(ranges, 0.0)


class Operator:
    """The nominal operator: volume x[z, x, y] to tilt series y[view, u, v], and its adjoint.

    Projection, then in each view a Gaussian blur whose variance depends on u.
    """

    def __init__(self, group):
        self.shape = tuple(group.attrs["in_shape"])  # z, x, y
        self.views = tuple(group.attrs["out_shape"])  # view, u, v
        # One matrix for all slices y: rows are (view, u), columns (z, x).
        size = (self.views[0] * self.views[1], self.shape[0] * self.shape[1])
        self.projection = csr(group, "projection", size)
        self.gain = json.loads(group.attrs["chain"])[-1]["args"]["gain"]
        variance = group["blur_variance"][:]  # (view, u), in px²
        self.padded = fft.next_fast_len(self.views[2] + 16, real=True)
        self.along_v = np.exp(-2 * np.pi**2 * variance[..., None] * fft.rfftfreq(self.padded) ** 2)
        reach = group["blur_reach"][:]  # (view,), in px
        self.along_u = np.stack(  # (view, u, offset)
            [
                np.pad(taps(v, r), ((0, 0), (reach.max() - r,) * 2))
                for v, r in zip(variance, reach, strict=True)
            ]
        )

    def forward(self, x):
        y = (self.projection @ x.reshape(-1, x.shape[-1])).reshape(self.views)
        out = np.zeros_like(y)
        for weight, here, there in self.offsets():
            out[:, here] += weight * y[:, there]
        return self.gain * self.blurred(out)

    def adjoint(self, y):
        y, out = self.blurred(y), np.zeros_like(y)
        for weight, here, there in self.offsets():
            out[:, there] += weight * y[:, here]
        back = self.projection.T @ out.reshape(-1, y.shape[-1])
        return self.gain * back.reshape(self.shape)

    def offsets(self):
        """Give, offset by offset along u, the weights, the points u and those that they read."""
        n, reach = self.views[1], self.along_u.shape[-1] // 2
        for offset in range(max(-reach, 1 - n), min(reach, n - 1) + 1):
            here = slice(max(0, -offset), min(n, n - offset))
            there = slice(here.start + offset, here.stop + offset)
            yield self.along_u[:, here, offset + reach, None], here, there

    def blurred(self, y):
        """Blur along v, each line by its own width; its own adjoint."""
        spectrum = fft.rfft(y, self.padded, axis=-1) * self.along_v
        return fft.irfft(spectrum, self.padded, axis=-1)[..., : y.shape[-1]]


def taps(variance, reach):
    """Return band-limited Gaussians as tapered taps −reach … reach that sum to one."""
    k = np.arange(2 * reach + 1) / (4 * reach)
    offset = np.arange(-reach, reach + 1)
    waves = np.cos(2 * np.pi * np.outer(k, offset)) * np.where(k % 0.5, 2.0, 1.0)[:, None]
    taper = np.cos(np.pi * np.clip(np.abs(offset) / reach - 0.5, 0.0, 0.5)) ** 2
    found = (np.exp(-2 * np.pi**2 * variance[..., None] * k**2) @ waves) * taper
    return found / found.sum(axis=-1, keepdims=True)


def csr(group, name, size):
    """Read a sparse matrix that the file holds as three arrays."""
    parts = [group[f"{name}_{part}"][:] for part in ("data", "indices", "indptr")]
    return sparse.csr_array(tuple(parts), shape=tuple(size))


def check(small):
    """Compare ``Operator`` with the file's own example: data, and matrix for the adjoint."""
    operator, x, y = Operator(small), small["x"][:], small["y"][:]
    back = (csr(small, "matrix", small.attrs["matrix_shape"]).T @ y.ravel()).reshape(x.shape)
    for name, mine, right in (("y", operator.forward(x), y), ("Hᵀy", operator.adjoint(y), back)):
        error = np.linalg.norm(mine - right) / np.linalg.norm(right)
        if error > 1e-5:
            raise SystemExit(f"The operator is wrong: {name} has a relative error of {error:.1e}.")


def sirt(projection, y, shape):
    """Reconstruct f[z, x, y] from y[view, u, v]: x ← x + C Aᵀ R (y − A x), kept positive.

    R and C are one over the sums of the rows and the columns of A, zero where nothing passes.
    """
    data = y.reshape(-1, y.shape[-1])
    back = projection.T.tocsr()
    rows = inverse(projection.sum(axis=1))[:, None]
    columns = inverse(projection.sum(axis=0))[:, None]
    x = np.zeros((projection.shape[1], y.shape[-1]), "float32")
    for _ in range(ITERATIONS):
        x += columns * (back @ (rows * (data - projection @ x)))
        np.maximum(x, 0.0, out=x)
    return np.clip(x, 0.0, 1.0).reshape(shape)


def inverse(sums):
    passes = sums > EMPTY * sums.max()
    return np.where(passes, 1.0 / np.where(passes, sums, 1.0), 0.0).astype("float32")


if __name__ == "__main__":
    main(*sys.argv[1:])
