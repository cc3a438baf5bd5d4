"""What a potential gets right against a teacher, in one table that anyone can compute again."""

from simkit.workflows.scorecard.answers import Answers, Line, Row, Verdict
from simkit.workflows.scorecard.card import Scorecard, Subject
from simkit.workflows.scorecard.config import ROWS, Config
from simkit.workflows.scorecard.labels import Belonging, labels_of
from simkit.workflows.scorecard.page import publish
from simkit.workflows.scorecard.parity import Parity, predicted
from simkit.workflows.scorecard.run import Compared, consistency, run
from simkit.workflows.scorecard.table import markdown

__all__ = [
    "ROWS",
    "Answers",
    "Belonging",
    "Compared",
    "Config",
    "Line",
    "Parity",
    "Row",
    "Scorecard",
    "Subject",
    "Verdict",
    "consistency",
    "labels_of",
    "markdown",
    "predicted",
    "publish",
    "run",
]
