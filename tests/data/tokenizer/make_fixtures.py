#!/usr/bin/env python3
"""Ask the original libraries how they tokenize, and write down what they say.

usage: make_fixtures.py      writes words.txt and sentencepiece.txt beside this file
needs: pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf

words.txt          a line a case: pattern, text, words; texts in hex, separated by tabs and (the words) spaces
sentencepiece.txt  "piece SCORE TYPE HEX" for each id in order, then "case HEX ID..."
"""
import io
import pathlib
import random

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence, Split

HERE = pathlib.Path(__file__).parent
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")


def isolated(*patterns):
    return Sequence([Split(Regex(p), behavior="isolated", invert=False) for p in patterns])


PATTERNS = {
    "gpt-2": ByteLevel(add_prefix_space=False),
    "llama-bpe": isolated(CL100K.replace("DIGITS", "{1,3}")),
    "qwen2": isolated(CL100K.replace("DIGITS", "")),
    "starcoder": Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]),
    "deepseek-coder": isolated(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
}
LETTERS = list("aabTtsSdDmMlLrReEvV'''' \n\r\t.,!?0123456789$+<=>^~|-_/éñ你好ア가ſ²½Ⅳ٣🦙") + [
    " ", " ", " ", "\n", "\u0301", "\u1680", "\u180e", "\u2009", "\u200b", "\u2028", "\u3000", "\x85", "\xa0", "\x1c"]
PROSE = """The mill by the river had been closed for years when the two sisters bought it. They did not know much about
flour, but they knew about machines, and the machine was only asleep. In the first spring they cleaned the gears; in the
second they opened the gate and let the water in. "It turns!" cried the younger one. The older one wrote down the time,
the height of the water and the number of turns, as she had done with everything since she was 7 years old.
"""


def random_text(rng):
    text = ""
    for _ in range(rng.randint(1, 24)):
        text += rng.choice(LETTERS) * (rng.randint(2, 5) if rng.random() < 0.15 else 1)
    return text


def write_words():
    lines = []
    for name, splitter in PATTERNS.items():
        rng = random.Random(name)
        for text in ["I'll don'T 'ſ", "  a  b\n\n c\t\t", "1234567 x12"] + [random_text(rng) for _ in range(60)]:
            words = [text[b:e] for _, (b, e) in splitter.pre_tokenize_str(text)]
            assert "".join(words) == text
            lines.append("\t".join([name, text.encode().hex(), " ".join(w.encode().hex() for w in words)]))
    (HERE / "words.txt").write_text("\n".join(lines) + "\n")


def write_sentencepiece():
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(PROSE.split(".")), model_writer=out, vocab_size=460, model_type="bpe", byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2)
    model = sentencepiece_model_pb2.ModelProto.FromString(out.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    lines = [f"piece {p.score:g} {p.type} {p.piece.encode().hex()}" for p in model.pieces]
    rng = random.Random(1)
    words = PROSE.split(" ")
    texts = ["the machine", " the", "  ", "naïve 🦙", "a\x00b"] + [
        "".join(rng.choice(words + LETTERS) for _ in range(8)) for _ in range(60)]
    lines += [f"case {t.encode().hex()} " + " ".join(map(str, processor.encode(t))) for t in texts]
    (HERE / "sentencepiece.txt").write_text("\n".join(lines) + "\n")


write_words()
write_sentencepiece()
