#!/usr/bin/env python3
"""Train BPE of characters, ask Hugging Face's tokenizers how it spells texts, and write down what they say.

usage: make_character_bpe.py   writes character_bpe.txt beside this file
needs: pip install tokenizers==0.23.3

character_bpe.txt  for a vocabulary with byte tokens and for one without: "vocabulary", "piece TYPE HEX" for each id in
                   order, "merge HEX" (as GGUF files spell it), then "case HEX ID..."
"""
import json
import pathlib
import random

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers
from tokenizers.pre_tokenizers import Split
from tokenizers.trainers import BpeTrainer

from make_patterns import random_text

HERE = pathlib.Path(__file__).parent
PROSE = """The mill by the river had been closed for years when the two sisters bought it. They did not know much about
flour, but they knew about machines, and the machine was only asleep. In the first spring they cleaned the gears; in the
second they opened the gate and let the water in. "It turns!" cried the younger one. The older one wrote down the time,
the height of the water and the number of turns, as she had done with everything since she was 7 years old.


    if turns > 100:\n        open_gate(   0.5)\n\n\n\té, 你好 你好\n
"""
CONTROL, USER_DEFINED, UNKNOWN, NORMAL, BYTE = 3, 4, 2, 1, 6


def train():
    """Merges within words and runs of white space; spaces lead words, as in the models' vocabularies."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = Split(Regex("\u2581+[^\u2581\n]*|\n+|[^\u2581\n]+"), behavior="isolated")
    trainer = BpeTrainer(vocab_size=160, show_progress=False)
    tokenizer.train_from_iterator([PROSE], trainer)
    vocab = tokenizer.get_vocab()
    model = json.loads(tokenizer.to_str())["model"]
    return sorted(vocab, key=vocab.get), [tuple(m) for m in model["merges"]]


def lines_of(with_bytes, crossing):
    pieces = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("<tool>", USER_DEFINED)]
    # Files made from a tokenizer.json give byte tokens one of two types.
    pieces += [(f"<0x{b:02X}>", BYTE if crossing else NORMAL) for b in range(256)] if with_bytes else []
    words, merges = train()
    if crossing:
        words += ["e\u2581", "e\u2581t"]
        merges.insert(3, ("e", "\u2581"))
        merges.append(("e\u2581", "t"))
    pieces += [(w, NORMAL) for w in words]
    vocab = {text: i for i, (text, _) in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocab, merges, byte_fallback=with_bytes, fuse_unk=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = Split(" ", behavior="merged_with_previous")
    tokenizer.add_tokens([AddedToken("<tool>", normalized=False)])
    rng = random.Random(1)
    words = PROSE.split(" ")
    texts = ["", "the machine", " the", "  ", "   the", "the  ", "\n\n\n", " \n \n\n", "naïve 🦙🦙", "a\x00b", "the <tool> it", "<s>",
             "<0x41>", "\t\t", "the theory ether te"]
    texts += ["".join(rng.choice(words + ["\n", " ", "  "]) for _ in range(8)) for _ in range(30)]
    texts += [random_text(rng) for _ in range(30)]
    lines = ["vocabulary"] + [f"piece {kind} {text.encode().hex()}" for text, kind in pieces]
    lines += ["merge " + f"{left} {right}".encode().hex() for left, right in merges]
    return lines + [f"case {t.encode().hex() or '-'} " + " ".join(map(str, tokenizer.encode(t).ids)) for t in texts]


lines = lines_of(True, False) + lines_of(True, True) + lines_of(False, False)
(HERE / "character_bpe.txt").write_text("\n".join(lines) + "\n")
