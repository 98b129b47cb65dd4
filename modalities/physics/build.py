"""Compile a Spec to the operator it describes."""

from __future__ import annotations

from typing import Any

from .operator import Chain, Operator
from .primitives import PRIMITIVES
from .spec import Spec, SpecError


class Forward(Chain):
    """A modality's forward operator: a chain that knows the spec and the mismatch it was built for."""

    def __init__(self, spec: Spec, mismatch: dict[str, float], steps: list[Operator]) -> None:
        super().__init__(steps)
        self.spec = spec
        self.mismatch = mismatch

    def step(self, name: str) -> Operator:
        """Give the operator of the step that the catalogue calls ``name``."""
        names = [s.name for s in self.spec.chain]
        return self.steps[names.index(self.spec.step(name).name)]


def forward(spec: Spec, **mismatch: float) -> Forward:
    """Build the forward operator of ``spec`` at the given mismatch; what is not named is nominal.

    Raise SpecError for a mismatch that the modality lacks.
    """
    values = spec.nominal | {spec.mismatch(n).name: float(v) for n, v in mismatch.items()}
    steps: list[Operator] = []
    shape = spec.shape
    for step in spec.chain:
        args: dict[str, Any] = dict(step.args)
        for m in spec.mismatches:
            if m.step == step.name:
                args[m.argument] = args[m.argument] + values[m.name]
        steps.append(_primitive(spec, step.primitive, step.model)(shape, **args))
        shape = steps[-1].out_shape
    return Forward(spec, values, steps)


def _primitive(spec: Spec, primitive: str, model: str) -> Any:
    models = PRIMITIVES.get(primitive)
    if models is None:
        raise SpecError(
            f"{spec.key}.toml: there is no primitive '{primitive}'; "
            f"the primitives are {', '.join(PRIMITIVES)}."
        )
    if model not in models:
        raise SpecError(
            f"{spec.key}.toml: primitive '{primitive}' has no model '{model}'; "
            f"it has {', '.join(models)}."
        )
    return models[model]
