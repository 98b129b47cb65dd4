"""Starter for the electron tomography challenge: SIRT with the nominal projection.

    python electron_tomography.py challenge.h5 submission.h5

Needs Python 3.11, NumPy, SciPy and h5py. It reads the tilt series and the nominal projection
matrix, reconstructs each sample and writes a submission that the server accepts. It leaves out the
blur of the depth of field (``blur_variance`` in the file) and does not calibrate: the corrected
spec is the nominal one. That is where to begin.
"""

import json
import sys

import h5py
import numpy as np
from scipy import sparse

ITERATIONS = 40
# Rays whose total weight is below this share of the largest pass the object by.
EMPTY = 0.02


def main(challenge_path, submission_path):
    with h5py.File(challenge_path, "r") as challenge, h5py.File(submission_path, "w") as submission:
        projection = None
        for name in sorted(challenge):
            sample = challenge[name]
            shape = json.loads(sample.attrs["metadata"])["x_hat_shape"]  # z, x, y
            ranges = json.loads(sample.attrs["spec_ranges"])  # name: [lowest, highest, unit]
            y = sample["y"][:].astype("float32")  # view, u, v
            if projection is None:  # all samples have the same nominal operator
                projection = matrix(sample["H_ideal"], shape, y.shape)
            x_hat = sirt(projection, y, shape)
            group = submission.create_group(name)
            group["x_hat"] = x_hat.astype("float32")
            group.attrs["corrected_spec"] = json.dumps(calibrate(sample, ranges))


def calibrate(sample, ranges):
    """Estimate the mismatch; replace this. All samples of a file share one true mismatch.

    If you know how sure you are, write a second JSON attribute, ``spec_intervals``: for each
    parameter its 95 % interval [lowest, highest], or null where the data do not tell.
    """
    return dict.fromkeys(ranges, 0.0)


def matrix(operator, shape, views):
    """Read the projection of one slice y: rows are (view, u), columns (z, x)."""
    parts = [operator[f"projection_{part}"][:] for part in ("data", "indices", "indptr")]
    size = (views[0] * views[1], shape[0] * shape[1])
    return sparse.csr_array((parts[0].astype("float32"), *parts[1:]), shape=size)


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
