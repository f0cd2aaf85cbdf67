"""Records through each rule and what comes out: the same examples run in the preview and in a real Fluent Bit."""

from tests.processing.examples.codecs import CODECS
from tests.processing.examples.example import START, Example, Log
from tests.processing.examples.keys import KEYS
from tests.processing.examples.records import RECORDS, STATE
from tests.processing.examples.scripts import LISTS, SCRIPTS
from tests.processing.examples.shapes import SHAPES
from tests.processing.examples.texts import TEXTS

__all__ = ["EXAMPLES", "START", "Example", "Log"]

EXAMPLES = [*KEYS, *SHAPES, *TEXTS, *CODECS, *RECORDS, *STATE, *SCRIPTS, *LISTS]
