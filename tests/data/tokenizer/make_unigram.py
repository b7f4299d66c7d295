#!/usr/bin/env python3
"""Train a unigram model, ask sentencepiece how it spells texts, and write down what it says.

usage: make_unigram.py       writes unigram.txt beside this file
needs: pip install sentencepiece==0.2.3 protobuf

unigram.txt        "piece SCORE TYPE HEX" for each id in order, "map HEX" (the compiled replacements), then
                   "case HEX ID..." Sums of scores are floats there and doubles here: texts where that decides between
                   equals are left out.
"""
import io
import pathlib
import random
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

HERE = pathlib.Path(__file__).parent
PROSE = """The mill by the river had been closed for years when the two sisters bought it. They did not know much about
flour, but they knew about machines, and the machine was only asleep. In the first spring they cleaned the gears; in the
second they opened the gate and let the water in. "It turns!" cried the younger one. The older one wrote down the time,
the height of the water and the number of turns, as she had done with everything since she was 7 years old.
"""
# What is replaced by what, in code points: a ligature, circled and wide letters, an accent put together, white space,
# something that vanishes, something long.
RULES = {"ﬁ": "fi", "①": "1", "Ａ": "A", "e\u0301": "é", "\t": " ", "\n": " ", "\u3000": " ", "\u200b": "", "…": "...",
         "ﷺ": "the  river "}
PIECES = ["the ", " the", "river", " ", "  ", "a", "ee", "s", "mill.", "7", "ﬁ", "①", "Ａ", "e\u0301", "\u0301", "\t", "\n",
          "\u3000", "\u200b", "…", "ﷺ", "é", "☃", "🦙", "\x00", "\u2581", "naïve", "machine"]


def segmentations(text, pieces, unknown):
    """The best sum, and how many ways reach it."""
    best = [(0.0, 1)] + [None] * len(text)
    for i in range(len(text)):
        if best[i] is None:
            continue
        options = [(p, s) for p, s in pieces.items() if text.startswith(p, i)]
        if not any(len(p) == 1 for p, _ in options):
            options.append((text[i], unknown))
        for p, s in options:
            here = best[i][0] + s
            there = best[i + len(p)]
            if there is None or here > there[0] + 1e-4:
                best[i + len(p)] = (here, best[i][1])
            elif here > there[0] - 1e-4:
                best[i + len(p)] = (there[0], there[1] + best[i][1])
    return best[-1][1]


out = io.BytesIO()
with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
    for source, target in RULES.items():
        rules.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
    rules.flush()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(PROSE.split(".")), model_writer=out, vocab_size=150, hard_vocab_limit=False,
        model_type="unigram", normalization_rule_tsv=rules.name, minloglevel=2)
model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
processor = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
scores = {p.piece: p.score for p in model.pieces if p.type == 1}
lines = [f"piece {p.score!r} {p.type} {p.piece.encode().hex()}" for p in model.pieces]
lines.append("map " + model.normalizer_spec.precompiled_charsmap.hex())
rng = random.Random(1)
texts = ["the machine", " the", "  ", "☃☃☃ ☃a☃", "x\x00", "ﷺ", " \u3000ﬁ…\u200b", "\u2581 \u2581"] + [
    "".join(rng.choice(PROSE.split(" ") + PIECES * 2) + rng.choice(["", " "]) for _ in range(8)) for _ in range(120)]
for text in texts:
    if segmentations(processor.normalize(text), scores, min(scores.values()) - 10) == 1:
        lines.append(f"case {text.encode().hex()} " + " ".join(map(str, processor.encode(text))))
(HERE / "unigram.txt").write_text("\n".join(lines) + "\n")
