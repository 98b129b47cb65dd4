"""Electron tomography in small, for tests."""

from dataclasses import replace

from modalities import physics

FULL = physics.load("electron_tomography")
# A tenth of the voxels, every other view. The slab is the same, sampled more coarsely.
VIEWS = {"rotate": {"step": 4.0, "views": 31}, "propagate": {"step": 4.0}}
SMALL = replace(
    FULL,
    shape=(16, 192, 16),
    chain=tuple(replace(s, args=dict(s.args) | VIEWS.get(s.name, {})) for s in FULL.chain),
)
