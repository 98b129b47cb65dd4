"""Results: methods, their entries on the boards, and the attempts behind each score.

An *attempt* is anything that gives a score, with its own evidence. A *tier score* is what a tier
tells of the attempt that counts. An *entry* is a row of a board, with the decisions of curators.
"""

from .attempt import (
    QUEUES,
    Attempt,
    AttemptEvent,
    AttemptQuerySet,
    Calibration,
    private_storage,
)
from .credit import PRICE_OF_A_HIDDEN_RUN, CreditAccount, CreditChange, NotEnoughCredits
from .decisions import (
    TOLERANCE,
    Certificate,
    Decision,
    DecisionError,
    Word,
    disagreement,
    least_trust,
    outputs_must_match,
)
from .entry import Entry, Ranking, TierScore
from .fields import https_rule
from .method import Method
from .program import ProgramRun, is_given_back, run_storage
from .quota import Left, Quota, missing_ends_it
from .study import Bound, BoundEvent, SpecCurve, SpecCurveEvent
from .words import (
    CHALLENGE_TIERS,
    OPEN_TIERS,
    PROGRAM_TIERS,
    REFERENCES,
    UPLOAD_TIERS,
    Board,
    Checkpoint,
    Ending,
    Family,
    Form,
    Kind,
    Origin,
    ScoreTier,
    Trust,
    Variant,
    board_of,
    entry_name,
    is_reference,
    tiers_of,
)

__all__ = [
    "CHALLENGE_TIERS",
    "OPEN_TIERS",
    "PRICE_OF_A_HIDDEN_RUN",
    "PROGRAM_TIERS",
    "QUEUES",
    "REFERENCES",
    "TOLERANCE",
    "UPLOAD_TIERS",
    "Attempt",
    "AttemptEvent",
    "AttemptQuerySet",
    "Board",
    "Bound",
    "BoundEvent",
    "Calibration",
    "Certificate",
    "Checkpoint",
    "CreditAccount",
    "CreditChange",
    "Decision",
    "DecisionError",
    "Ending",
    "Entry",
    "Family",
    "Form",
    "Kind",
    "Left",
    "Method",
    "NotEnoughCredits",
    "Origin",
    "ProgramRun",
    "Quota",
    "Ranking",
    "ScoreTier",
    "SpecCurve",
    "SpecCurveEvent",
    "TierScore",
    "Trust",
    "Variant",
    "Word",
    "board_of",
    "disagreement",
    "entry_name",
    "https_rule",
    "is_given_back",
    "is_reference",
    "least_trust",
    "missing_ends_it",
    "outputs_must_match",
    "private_storage",
    "run_storage",
    "tiers_of",
]
