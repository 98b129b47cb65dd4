"""A spec as a graph: from the object x through the steps of the chain to the measurement y."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from .physics import Spec
from .primitives import SYMBOLS


@dataclass(frozen=True)
class Node:
    """One node; ``kind`` is object, step or measurement.

    label: as in a formula, such as ``P(e⁻)``. mismatches: names of the errors that act here.
    """

    id: str
    kind: str
    label: str
    primitive: str = ""
    model: str = ""
    description: str = ""
    mismatches: tuple[str, ...] = ()


@dataclass(frozen=True)
class Graph:
    """Nodes in the order of the signal; edges are pairs of their ids."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]


def graph(spec: Spec) -> Graph:
    """Return the graph of a modality's forward model."""
    steps = [
        Node(
            id=step.name,
            kind="step",
            label=f"{SYMBOLS[step.primitive]}({step.label})",
            primitive=step.primitive,
            model=step.model,
            description=step.description,
            mismatches=tuple(m.name for m in spec.mismatches if m.step == step.name),
        )
        for step in spec.chain
    ]
    nodes = (Node("x", "object", "x"), *steps, Node("y", "measurement", "y"))
    ids = [node.id for node in nodes]
    return Graph(nodes, tuple(pairwise(ids)))
