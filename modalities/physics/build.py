"""Compile a Spec to the operator it describes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args

from .operator import Chain, Operator, ShapeError
from .primitives import FUSED, PRIMITIVES
from .spec import Mismatch, Spec
from .tables import CatalogueError


class Forward(Chain):
    """A modality's forward operator: a chain that knows the spec and the mismatch it was built for.

    Where ``primitives.FUSED`` has one operator for a run of steps, ``steps`` holds that operator
    in place of them.
    """

    def __init__(
        self, spec: Spec, mismatch: dict[str, float], steps: list[Operator], names: list[list[str]]
    ) -> None:
        super().__init__(steps)
        self.spec = spec
        self.mismatch = mismatch
        self._names = names

    def describe(self) -> str:
        """Say what the operator sees and believes, then one line per step."""
        grid = f"{self.spec.key}: {self.spec.shape} samples of {self.spec.pixel:g} {self.spec.unit}"
        errors = [f"{m.name} {self.mismatch[m.name]:g} {m.unit}" for m in self.spec.mismatches]
        return f"{grid}; {', '.join(errors)}\n{super().describe()}"

    def step(self, name: str) -> Operator:
        """Return the operator that performs the step which the catalogue calls ``name``."""
        self.spec.step(name)
        return next(s for s, ns in zip(self.steps, self._names, strict=True) if name in ns)


def forward(spec: Spec, **mismatch: float) -> Forward:
    """Build the forward operator of ``spec`` at the given mismatch; what is not named is nominal.

    Raise CatalogueError for a mismatch that the modality lacks and a step that cannot be built.
    """
    values = spec.nominal | {spec.mismatch(n).name: float(v) for n, v in mismatch.items()}
    steps: list[Operator] = []
    names: list[list[str]] = []
    shape = spec.shape
    for run in _runs(spec):
        args = [_arguments(spec, i, values) for i in run]
        steps.append(_step(spec, run, shape, args))
        names.append([spec.chain[i].name for i in run])
        shape = steps[-1].out_shape
    try:
        return Forward(spec, values, steps, names)
    except TypeError as error:
        raise CatalogueError(f"{spec.key}.toml: chain: {error}") from error


def arguments(spec: Spec, i: int) -> dict[str, Any]:
    """Return all nominal arguments of step ``i``: those of the catalogue, defaults for the rest."""
    return _defaults(_primitive(spec, i)) | dict(spec.chain[i].args)


def _runs(spec: Spec) -> list[list[int]]:
    """Split the chain into runs of steps that one operator performs; most are of length one."""
    kinds = [f"{s.primitive}/{s.model}" for s in spec.chain]
    runs: list[list[int]] = []
    i = 0
    while i < len(kinds):
        length = max((len(f) for f in FUSED if tuple(kinds[i : i + len(f)]) == f), default=1)
        runs.append(list(range(i, i + length)))
        i += length
    return runs


def _arguments(spec: Spec, i: int, values: dict[str, float]) -> dict[str, Any]:
    """Return the arguments of step ``i`` with the mismatch added; check their names and types."""
    step = spec.chain[i]
    args: dict[str, Any] = dict(step.args)
    accepted = _accepted(_primitive(spec, i))
    for name, value in args.items():
        where = f"{spec.key}.toml: chain[{i}].args.{name}"
        if name not in accepted:
            raise CatalogueError(
                f"{where} is not an argument of {step.primitive}/{step.model}; "
                f"it takes {', '.join(accepted) or 'none'}."
            )
        if not _fits(value, accepted[name]):
            kind = getattr(accepted[name], "__name__", accepted[name])
            raise CatalogueError(f"{where}: expected {kind}, got {value!r}.")
    for m in spec.mismatches:
        if m.step == step.name:
            args[m.argument] = args.get(m.argument, _target(spec, i, m)) + values[m.name]
    return args


def _target(spec: Spec, i: int, m: Mismatch) -> float:
    """Return what the mismatch is added to: the argument in the file, else the model's default."""
    model = _primitive(spec, i)
    row = f"{spec.key}.toml: mismatch[{spec.mismatches.index(m)}].acts_on:"
    if m.argument not in _accepted(model):
        raise CatalogueError(f"{row} {m.name} acts on {m.acts_on}, which the chain lacks.")
    value = arguments(spec, i).get(m.argument)
    if isinstance(value, bool) or not isinstance(value, int | float):
        got = "there is none and the model has no default" if value is None else f"got {value!r}"
        raise CatalogueError(
            f"{row} {m.acts_on}: expected a number, because {m.name} is added to it, {got}."
        )
    return value


@cache
def _defaults(model: Callable[..., Operator]) -> dict[str, Any]:
    """Return the arguments that a model has a default for."""
    parameters = inspect.signature(model).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


@cache
def _accepted(model: Callable[..., Operator]) -> dict[str, Any]:
    """Return the names and the types of the arguments that a model takes beside its shape."""
    parameters = inspect.signature(model, eval_str=True).parameters.values()
    return {p.name: p.annotation for p in parameters if p.name != "in_shape"}


def _fits(value: object, annotation: Any) -> bool:
    """Say whether a TOML value suits the annotation; lists and arrays are left to the model."""
    kinds = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    if not all(kind in (int, float, bool, str, NoneType) for kind in kinds):
        return True
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (float in kinds and isinstance(value, int))


def _step(spec: Spec, run: list[int], shape: tuple[int, ...], args: list[dict[str, Any]]) -> Any:
    try:
        if len(run) == 1:
            return _primitive(spec, run[0])(shape, **args[0])
        kinds = tuple(f"{spec.chain[i].primitive}/{spec.chain[i].model}" for i in run)
        return FUSED[kinds](shape, args)
    except (ShapeError, TypeError, ValueError) as error:
        where = f"chain[{run[0]}]" if len(run) == 1 else f"chain[{run[0]}] to [{run[-1]}]"
        raise CatalogueError(f"{spec.key}.toml: {where}.args: {str(error).rstrip('.')}.") from error


def _primitive(spec: Spec, i: int) -> Any:
    primitive, model = spec.chain[i].primitive, spec.chain[i].model
    if primitive not in PRIMITIVES:
        raise CatalogueError(
            f"{spec.key}.toml: chain[{i}].primitive: there is no primitive '{primitive}'; "
            f"the primitives are {', '.join(PRIMITIVES)}."
        )
    if model not in PRIMITIVES[primitive]:
        raise CatalogueError(
            f"{spec.key}.toml: chain[{i}].model: primitive '{primitive}' has no model '{model}'; "
            f"it has {', '.join(PRIMITIVES[primitive]) or 'none'}."
        )
    return PRIMITIVES[primitive][model]
