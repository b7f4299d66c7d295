#!/usr/bin/env python3
"""Compare `kern tokenize` with the original libraries: random Unicode over real vocabularies, and the time it takes.

usage: check_tokenizers.py KERN VOCABULARY.gguf... [--count N] [--seconds]
needs: pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf tiktoken==0.14.0 gguf

Each vocabulary is read out of its GGUF file and given to the library that the model came with: Hugging Face's tokenizers
(BPE with the patterns of tests/data/tokenizer/make_patterns.py), sentencepiece (`llama`, `t5`), and tiktoken besides where ids
are ranks. Where FILE.inp and FILE.out lie beside a vocabulary, these texts are compared too. Normalization that GGUF files
don't record (NFC) is left out. --seconds times 10 MB of several texts instead.
"""
import argparse
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import gguf
import sentencepiece
import tiktoken
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers
from tokenizers.pre_tokenizers import ByteLevel, Digits, Punctuation, Sequence, Split

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests/data/tokenizer"))
import make_patterns  # noqa: E402

ALIASES = {"mpt": "gpt-2", "refact": "starcoder", "command-r": "starcoder"}
ENDS_IN_BYTE_LEVEL = ("gpt-2", "starcoder", "falcon")
WHOLE_WORDS_FIRST = ("llama-bpe",)
RANK_PATTERNS = {"gpt-2": make_patterns.GPT2, "llama-bpe": make_patterns.CL100K.replace("DIGITS", r"\p{N}{1,3}"),
                 "qwen2": make_patterns.CL100K.replace("DIGITS", r"\p{N}")}
# tokenizer.json of falcon-7b, with the step that kern leaves out
FALCON = Sequence([Punctuation(behavior="contiguous"), ByteLevel(add_prefix_space=False), Digits(individual_digits=False),
                   Split(Regex("[0-9][0-9][0-9]"), behavior="isolated")])
NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4


class File:
    def __init__(self, path):
        fields = gguf.GGUFReader(path).fields
        self.path = pathlib.Path(path)
        self.values = {key: field.contents() for key, field in fields.items() if key.startswith("tokenizer.ggml.")}
        self.model = self["model"]
        self.tokens = self["tokens"]
        self.types = self["token_type"] or [NORMAL] * len(self.tokens)
        self.pre = ALIASES.get(self["pre"], self["pre"])

    def __getitem__(self, key):
        return self.values.get("tokenizer.ggml." + key)

    def separator(self):
        """A control token that texts can be put together with, for each to begin anew behind it."""
        ids = [self["eos_token_id"], self["bos_token_id"]] + list(range(len(self.tokens)))
        return next((i for i in ids if i is not None and self.types[i] == CONTROL), None)


def byte_level_bpe(file):
    pattern = FALCON if file.pre == "falcon" else make_patterns.PATTERNS[file.pre]
    merges = [tuple(line.split(" ", 1)) for line in file["merges"]]
    vocab = {token: i for i, token in enumerate(file.tokens)}
    merges = [m for m in merges if m[0] in vocab and m[1] in vocab and m[0] + m[1] in vocab]
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=file.pre in WHOLE_WORDS_FIRST))
    bytes_last = [] if file.pre in ENDS_IN_BYTE_LEVEL else [ByteLevel(add_prefix_space=False, use_regex=False)]
    tokenizer.pre_tokenizer = Sequence([pattern] + bytes_last)
    return tokenizer


def character_bpe(file):
    merges = [tuple(line.split(" ", 1)) for line in file["merges"]]
    vocab = {token: i for i, token in enumerate(file.tokens)}
    tokenizer = Tokenizer(models.BPE(vocab, merges, byte_fallback=True, fuse_unk=True,
                                     unk_token=file.tokens[file["unknown_token_id"]]))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = Split(" ", behavior="merged_with_previous")
    return tokenizer


def hugging_face(file):
    tokenizer = character_bpe(file) if file.model == "gemma4" else byte_level_bpe(file)
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t, kind in zip(file.tokens, file.types)
                          if kind == USER_DEFINED])
    return lambda texts: [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]


def sentence_piece(file):
    model = sentencepiece_model_pb2.ModelProto()
    unknown = file.types.index(UNKNOWN)
    for i, (text, score, kind) in enumerate(zip(file.tokens, file["scores"], file.types)):
        # The library takes one unknown piece only.
        model.pieces.add(piece=text, score=score, type=CONTROL if kind == UNKNOWN and i != unknown else kind)
    model.trainer_spec.model_type = 1 if file.model == "t5" else 2
    model.trainer_spec.vocab_size = len(file.tokens)
    model.trainer_spec.byte_fallback = 6 in file.types
    model.normalizer_spec.add_dummy_prefix = file["add_space_prefix"] is not False
    model.normalizer_spec.remove_extra_whitespaces = bool(file["remove_extra_whitespaces"])
    model.normalizer_spec.precompiled_charsmap = bytes(file["precompiled_charsmap"] or [])
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    return lambda texts: processor.encode(texts, num_threads=1)


def byte_alphabet():
    """openai/gpt-2 src/encoder.py: characters that stand for bytes."""
    alphabet = {chr(c): c for c in list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))}
    return alphabet | {chr(256 + i): c for i, c in enumerate(c for c in range(256) if chr(c) not in alphabet)}


def tik_token(file):
    alphabet = byte_alphabet()
    ranks = {bytes(alphabet[c] for c in token): i for i, token in enumerate(file.tokens) if file.types[i] == NORMAL
             and all(c in alphabet for c in token)}
    encoding = tiktoken.Encoding(file.pre, pat_str=RANK_PATTERNS[file.pre], mergeable_ranks=ranks, special_tokens={})
    return lambda texts: encoding.encode_ordinary_batch(texts, num_threads=1)


def originals(file):
    if file.model in ("llama", "t5"):
        return {"sentencepiece": sentence_piece(file)}
    libraries = {"tokenizers": hugging_face(file)}
    if file["pre"] in RANK_PATTERNS:
        libraries["tiktoken"] = tik_token(file)
    return libraries


def random_text(rng):
    kind = rng.random()
    if kind < 0.3:  # anything that is assigned
        return "".join(make_patterns.assigned(rng) for _ in range(rng.randint(1, 16)))
    if kind < 0.4:  # anything at all
        points = (rng.randrange(0x110000 - 0x800) for _ in range(rng.randint(1, 16)))
        return "".join(chr(c if c < 0xd800 else c + 0x800) for c in points)
    return make_patterns.random_text(rng)


def random_texts(file, count):
    rng = random.Random(file.path.name)
    control = [t for t, kind in zip(file.tokens, file.types) if kind == CONTROL]
    marks = file.model != "gpt2"  # U+2581 is spelled apart from spaces, which the originals don't
    # kern refuses a text with a byte that the vocabulary can't spell, others leave it out.
    tokens = set(file.tokens)
    missing = [byte for c, byte in byte_alphabet().items() if c not in tokens] if file.model == "gpt2" else []
    texts = []
    while len(texts) < count:
        text = random_text(rng)
        if (not any(t in text for t in control) and not (marks and "\u2581" in text)
                and not any(byte in text.encode() for byte in missing)):
            texts.append(text)
    return texts


def run_kern(kern, file, data):
    with tempfile.NamedTemporaryFile() as text:
        text.write(data)
        text.flush()
        start = time.monotonic()
        out = subprocess.run([kern, "tokenize", "-m", file.path, "--ids", "--no-bos", "--parse-special", "--no-stdin", "-q",
                              "-t", "1", "-f", text.name], capture_output=True, check=True).stdout
    return [int(word) for word in out.split()], time.monotonic() - start


def kern_ids(kern, file, texts):
    separator = file.separator()
    mark = file.tokens[separator]
    ids, _ = run_kern(kern, file, "".join(t + mark for t in texts).encode())
    rows = [[]]
    for token in ids:
        if token == separator:
            rows.append([])
        else:
            rows[-1].append(token)
    assert rows.pop() == []
    return rows


def compare(name, texts, ours, theirs, scores=None):
    assert len(texts) == len(ours) == len(theirs), (len(texts), len(ours), len(theirs))
    different = [i for i in range(len(texts)) if list(ours[i]) != list(theirs[i])]
    equal = f"{len(texts) - len(different)} of {len(texts)}"
    if scores:  # unigram: sentencepiece adds floats, kern doubles, and ways to spell a text may have the same sum
        different = [i for i in different if abs(sum(scores[t] for t in ours[i]) - sum(scores[t] for t in theirs[i])) > 1e-3]
        equal += f" ({len(different)} of other sums)"
    for i in different[:3]:
        print(f"    {name}: {texts[i]!r}\n      kern     {ours[i]}\n      original {list(theirs[i])}")
    return equal


def check(kern, file, count):
    results = []
    inputs, outputs = (file.path.with_name(file.path.name + end) for end in (".inp", ".out"))
    if inputs.exists():
        texts = inputs.read_bytes().decode().split("\n__ggml_vocab_test__\n")
        rows = [[int(word) for word in line.split()] for line in outputs.read_text().splitlines()]
        rows += [[]] * (len(texts) - len(rows))
        results.append("reference texts " + compare("reference", texts, kern_ids(kern, file, texts), rows))
    texts = random_texts(file, count)
    ours = kern_ids(kern, file, texts)
    for name, encode in originals(file).items():
        results.append(f"{name} " + compare(name, texts, ours, encode(texts), file["scores"] if file.model == "t5" else None))
    print(f"{file.path.name}: " + ", ".join(results), flush=True)


def measure(kern, file):
    rng = random.Random(1)
    words = (HERE.parent / "README.md").read_text().split()
    prose = ""
    while len(prose) < 11_000_000:
        prose += " ".join(rng.choices(words, k=10_000)) + "\n"
    size = 10_000_000
    texts = {"nothing": b"", "prose": prose.encode()[:size], "one letter": b"a" * size, "spaces": b" " * size,
             "emoji": "🦙".encode() * (size // 4), "random bytes": rng.randbytes(size)}
    times = []
    for name, data in texts.items():
        try:
            times.append(f"{name} {run_kern(kern, file, data)[1]:.2f}")
        except subprocess.CalledProcessError:
            times.append(f"{name} refused")  # the vocabulary lacks some bytes
    print(f"{file.path.name}: seconds for 10 MB: " + ", ".join(times), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("kern")
parser.add_argument("vocabularies", nargs="+")
parser.add_argument("--count", type=int, default=100_000)
parser.add_argument("--seconds", action="store_true")
arguments = parser.parse_args()
for path in arguments.vocabularies:
    if arguments.seconds:
        measure(arguments.kern, File(path))
    else:
        check(arguments.kern, File(path), arguments.count)
