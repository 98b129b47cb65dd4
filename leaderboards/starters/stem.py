"""Starter for the STEM challenge: Richardson-Lucy with the nominal operator.

    python stem.py challenge.h5 submission.h5

Needs Python 3.11, NumPy and h5py. It reads the measurements and the nominal operator, reconstructs
each sample and writes a submission that the server accepts. It does not calibrate: the corrected
spec is the nominal one. That is where to begin.
"""

import json
import sys

import h5py
import numpy as np

# Richardson-Lucy fits the noise when it runs for too long.
ITERATIONS = 22


def main(challenge_path, submission_path):
    with h5py.File(challenge_path, "r") as challenge, h5py.File(submission_path, "w") as submission:
        for name in sorted(challenge):
            sample = challenge[name]
            ranges = json.loads(sample.attrs["spec_ranges"])  # name: [lowest, highest, unit]
            x_hat = reconstruct(sample["y"][:].astype(float), sample["H_ideal"])
            group = submission.create_group(name)
            group["x_hat"] = x_hat.astype("float32")
            group.attrs["corrected_spec"] = json.dumps(calibrate(sample, ranges))


def calibrate(sample, ranges):
    """Estimate the mismatch; replace this. All samples of a file share one true mismatch.

    If you know how sure you are, write a second JSON attribute, ``spec_intervals``: for each
    parameter its 95 % interval [lowest, highest], or null where the data do not tell.
    """
    return dict.fromkeys(ranges, 0.0)


def reconstruct(y, operator):
    """Deconvolve both frames y[frame, y, x] together; return an image in [0, 1].

    x ← x · Hᵀ(d / (Hx + r)) / Hᵀ1, where r is the variance of the read noise, added to the data and
    to the model so that counts plus noise look like counts (Snyder et al. 1995).
    """
    transfer = operator["transfer"][:]  # (frame, ky, kx), on the frequencies of numpy.fft.rfft2
    detector = json.loads(operator.attrs["chain"])[-1]["args"]
    read = detector["read_noise"] ** 2 / detector["dose"] ** 2 * detector["dose"]
    shape = y.shape[1:]

    def forward(x):
        return np.fft.irfft2(np.fft.rfft2(x) * transfer, s=shape)

    def adjoint(frames):
        return np.fft.irfft2((np.fft.rfft2(frames) * transfer).sum(axis=0), s=shape)

    data = np.maximum(y + read, 0.0)
    x = np.full(shape, max(y.mean(), 1e-3))
    for _ in range(ITERATIONS):
        x = np.maximum(x * adjoint(data / np.maximum(forward(x) + read, 1e-6)) / len(y), 0.0)
    return np.clip(x, 0.0, 1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
