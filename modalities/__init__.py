"""WHAT is measured, and how: modalities, their data, the jobs that compute on them, the physics."""
