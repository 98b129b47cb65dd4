"""Electron tomography in small, for tests."""

from dataclasses import replace

from modalities import physics

FULL = physics.load("electron_tomography")
# A quarter of the slab, every other view.
VIEWS = {"rotate": {"step": 4.0, "views": 31}, "propagate": {"step": 4.0}}
SMALL = replace(
    FULL,
    shape=(16, 128, 24),
    chain=tuple(replace(s, args=dict(s.args) | VIEWS.get(s.name, {})) for s in FULL.chain),
)
