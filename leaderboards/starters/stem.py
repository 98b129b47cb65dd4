"""Starter for the STEM challenge: Richardson-Lucy with the nominal operator.

    python stem.py challenge.h5 submission.h5

Needs Python 3.11, NumPy, SciPy and h5py. It reads the measurements and the nominal operator,
reconstructs each sample and writes a submission that the server accepts. It does not calibrate: the
corrected spec is the nominal one. That is where to begin. ``Operator`` is the nominal operator and
its adjoint; ``check`` holds it against the small example in the file, and yours too if you change
it. The hidden tier runs it as it is.
"""

import json
import sys

import h5py
import numpy as np
from scipy import sparse

# Richardson-Lucy fits the noise when it runs for too long.
ITERATIONS = 22


def main(challenge_path, submission_path):
    with h5py.File(challenge_path, "r") as challenge, h5py.File(submission_path, "w") as submission:
        check(challenge["sample_00/H_ideal/small"])
        operator = Operator(challenge["sample_00/H_ideal"])  # the same for all samples
        for name in sorted(challenge):
            sample = challenge[name]
            ranges = json.loads(sample.attrs["spec_ranges"])  # name: [lowest, highest, unit]
            x_hat = reconstruct(sample["y"][:].astype(float), operator)
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
    """The nominal operator: image x[y, x] to frames y[frame, y, x], and its adjoint."""

    def __init__(self, group):
        self.transfer = group["transfer"][:]  # (frame, ky, kx), on numpy.fft.rfft2's frequencies
        self.shape = tuple(group.attrs["in_shape"])
        self.detector = json.loads(group.attrs["chain"])[-1]["args"]
        self.gain = self.detector["gain"]

    def forward(self, x):
        return self.gain * np.fft.irfft2(np.fft.rfft2(x) * self.transfer, s=self.shape)

    def adjoint(self, y):
        spectrum = (np.fft.rfft2(y) * np.conj(self.transfer)).sum(axis=0)
        return self.gain * np.fft.irfft2(spectrum, s=self.shape)


def check(small):
    """Compare ``Operator`` with the file's own example: data, and matrix for the adjoint."""
    operator, x, y = Operator(small), small["x"][:], small["y"][:]
    parts = [small[f"matrix_{part}"][:] for part in ("data", "indices", "indptr")]
    matrix = sparse.csr_array(tuple(parts), shape=tuple(small.attrs["matrix_shape"]))
    back = (matrix.T @ y.ravel()).reshape(x.shape)
    for name, mine, right in (("y", operator.forward(x), y), ("Hᵀy", operator.adjoint(y), back)):
        error = np.linalg.norm(mine - right) / np.linalg.norm(right)
        if error > 1e-5:
            raise SystemExit(f"The operator is wrong: {name} has a relative error of {error:.1e}.")


def reconstruct(y, operator):
    """Deconvolve both frames y[frame, y, x] together; return an image in [0, 1].

    x ← x · Hᵀ(d / (Hx + r)) / Hᵀ1, where r is the variance of the read noise, added to the data and
    to the model so that counts plus noise look like counts (Snyder et al. 1995).
    """
    read = operator.detector["read_noise"] ** 2 / operator.detector["dose"]
    data = np.maximum(y + read, 0.0)
    x = np.full(operator.shape, max(y.mean(), 1e-3))
    for _ in range(ITERATIONS):
        expected = np.maximum(operator.forward(x) + read, 1e-6)
        x = np.maximum(x * operator.adjoint(data / expected) / len(y), 0.0)
    return np.clip(x, 0.0, 1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
