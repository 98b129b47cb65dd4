"""The examples on a modality's page: code that runs as it is, and how to cite the page."""

from __future__ import annotations

from modalities.models import Modality
from modalities.physics import Spec


def python(spec: Spec) -> str:
    """Simulate one scene with the perturbed instrument, and reconstruct it with the nominal one."""
    mismatch = ", ".join(f"{name}={value:g}" for name, value in spec.perturbed.items())
    return f"""\
import numpy as np
from modalities import physics

spec = physics.load("{spec.key}")
x = physics.scene(spec, 0)                        # the truth, values in [0, 1]
instrument = physics.forward(spec, {mismatch})
y = physics.measure(instrument, x, np.random.default_rng(0))

H = physics.forward(spec)                         # what the nominal model believes
x_hat = physics.reconstruct("{spec.gallery_method}", H, y)
print(physics.psnr(x, x_hat), physics.ssim(x, x_hat, spec.channels))
print(physics.consistency(y, H, x_hat))"""


def api(key: str) -> str:
    """Read the boards of one modality with Python's standard library alone."""
    return f"""\
import json
from urllib.request import urlopen

site = "http://127.0.0.1:8000"                    # or the site where you read this
with urlopen(f"{{site}}/api/v1/modalities/{key}/") as answer:
    print(json.dumps(json.load(answer), indent=1)[:2000])"""


def submit(key: str) -> str:
    """Download, reconstruct with the starter and submit, from a shell."""
    return f"""\
site=http://127.0.0.1:8000                        # or the site where you read this
curl -fo public.h5 $site/modalities/{key}/data/public.h5
curl -fo starter.py $site/modalities/{key}/starter.py
python starter.py public.h5 submission.h5         # needs NumPy, SciPy and h5py
curl -f $site/api/v1/submissions/ -H "Authorization: Bearer $PWM_TOKEN" \\
  -F modality={key} -F tier=public -F method=your-method -F file=@submission.h5"""


def bibtex(modality: Modality) -> str:
    """Cite the page of one modality at its current revision."""
    key = modality.key.replace("_", "-")
    return f"""\
@misc{{pwm-{key},
  title        = {{{{PWM}}: benchmark of {modality.name}}},
  howpublished = {{Computational imaging under forward-model mismatch, page {modality.key}}},
  note         = {{Revision {modality.revision[:12]}}},
  year         = {{2026}}
}}"""
