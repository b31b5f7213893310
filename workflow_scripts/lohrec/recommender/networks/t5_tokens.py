"""The few tokens that the T5 has beside those of codewords."""

from lohrec.identifiers.codewords import CODES, LEVELS, PAD

CODEWORDS = LEVELS * CODES
START, END = PAD + 1, PAD + 2
VOCABULARY = CODEWORDS + 3
