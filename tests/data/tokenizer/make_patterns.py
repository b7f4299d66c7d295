#!/usr/bin/env python3
"""Ask Hugging Face's tokenizers how the models' own patterns split text, and write down what it says.

usage: make_patterns.py                     writes patterns.txt beside this file
       make_patterns.py check COUNT PROGRAM compares COUNT random texts a pattern; `PROGRAM NAME` reads texts in hex, a
                                            line each, and prints the offsets in bytes where words end
needs: pip install tokenizers==0.23.3

patterns.txt       a line a case: name, text, words; texts in hex, separated by tabs and (the words) spaces
"""
import pathlib
import random
import subprocess
import sys
import unicodedata

from tokenizers import Regex
from tokenizers.pre_tokenizers import ByteLevel, Digits, Punctuation, Sequence, Split

HERE = pathlib.Path(__file__).parent


def isolated(*steps):
    return Sequence([Split(Regex(s), behavior="isolated", invert=False) if isinstance(s, str) else s for s in steps])


CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
CL100K = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n]*|" + SPACES
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+CONTRACTIONS"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*CONTRACTIONS"
         r"|DIGITS| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES)
GPT4O = O200K.replace("CONTRACTIONS", CONTRACTIONS + "?")
KIMI = (r"[\p{Han}]+"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + SPACES)
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|SYMBOLS|""")
DEEPSEEK_LETTERS = (
    r"A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af}"
    r"\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}"
    r"\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}"
    r"\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}"
    r"\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}"
    r"\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}"
    r"\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}"
    r"\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}"
    r"\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}"
    r"\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}"
    r"\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}"
    r"\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}"
    r"\x{118a0}-\x{118df}\x{1e900}-\x{1e943}")
BLOOM = " ?[^(\\s|[.,!?…。，、।۔،])]+"

PATTERNS = {
    "deepseek-llm": isolated("[\r\n]", rf"\s?[{DEEPSEEK_LETTERS}]+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥ࠀ-一가-퟿]+",
                             Digits(individual_digits=True)),
    "deepseek-v3": isolated(r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK3.replace("SYMBOLS", r" ?[\p{P}\p{S}]+[\r\n]*") + SPACES),
    # without the original's Digits after ByteLevel: see pretokenizer_rules.h
    "falcon": isolated(Punctuation(behavior="contiguous"), GPT2, "[0-9][0-9][0-9]"),
    "tekken": isolated(O200K.replace("CONTRACTIONS", "").replace("DIGITS", r"\p{N}")),
    "gpt-4o": isolated(GPT4O.replace("DIGITS", r"\p{N}{1,3}")),
    "qwen35": isolated(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + SPACES),
    "glm4": isolated(CL100K.replace("DIGITS", r"\p{N}{1,3}")),
    "kimi-k2": isolated(KIMI),
    "bloom": isolated(BLOOM),
    "viking": isolated(BLOOM, Digits(individual_digits=True)),
    "superbpe": isolated(r"\p{N}+", r"(?=(\d{3})+(?!\d))"),
    "bailingmoe": isolated(r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
                           r"|\s+(?!\S)|\s+"),
    "seed-coder": isolated(CONTRACTIONS + "|[^\r\n" + r"\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}" + "\r\n]+|"
                           r"\s*[" + "\r\n" + r"]+|\s+(?!\S)|\s+"),
    "afmoe": isolated(
        r"\p{Nd}{1,510}(?=(?>\p{Nd}{510})*(?:\P{Nd}|$))|\G\p{Nd}{510}", r"\A\p{Nd}{1,2}(?=\p{Nd}{3}+\z)",
        r"\A\p{Nd}{3}|\G\p{Nd}{3}",
        r"(?:[\u4E00-\u9FFF\u3040-\u309F\u30A0-\u30FF\u3400-\u4DBF\uf900-\uFAFF\uFF65-\uFF9F\u2F00-\u2FDF]+|"
        r"[\u0E00-\u0E7F]+|[\u0E80-\u0EFF]+|[\u1780-\u17FF]+|[\u1000-\u109F\uAA60-\uAA7F\uA9E0-\uA9FF]+|"
        r"[\uAC00-\uD7AF\u1100-\u11FF]+)", DEEPSEEK3.replace("SYMBOLS", r" ?[\p{P}\p{S}]+[\r\n]*") + SPACES),
    "exaone-moe": isolated(CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}"
                           r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"),
    "tiny_aya": isolated(r"\d{1,3}(?=(?:\d{3})*\b)", GPT4O.replace("DIGITS", r"\p{N}{1,3}")),
    "youtu": isolated("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥\u3040-ゟ゠-ヿ]+", GPT4O.replace("DIGITS", r"\p{N}")),
    "spark2_5": isolated(r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
                         DEEPSEEK3.replace("SYMBOLS", r" ?[\p{P}\p{S}]+") + r"[\r\n]|\s+(?!\S)|\s+", r"\p{N}"),
    "jais-2": isolated(CL100K.replace("DIGITS", r"\p{N}{1,3}").replace(
        r"\s+(?!\S)|\s+", "|".join(r"\s{%d}(?!\S)" % (1 << k) for k in range(9, 1, -1)) + r"|\s{1,2}(?!\S)|\s{1}")),
    "minicpm5": isolated(r"\p{N}{1,3}", CL100K.replace("DIGITS", r"\p{N}+")),
    "ufakzeka": isolated(CL100K.replace("DIGITS", r"\p{N}").removeprefix(CONTRACTIONS + "|")),
    "laguna": isolated(r"[^\n]+|[\n]+", CL100K.replace("DIGITS", r"\p{N}")),
    "chameleon": isolated(r"<sentinel:[0-9]+>", r"(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", r"([\t\n]|    |  )",
                          Digits(individual_digits=True), Punctuation(behavior="isolated"), GPT2),
    "llama-bpe": isolated(CL100K.replace("DIGITS", r"\p{N}{1,3}")),
    "qwen2": isolated(CL100K.replace("DIGITS", r"\p{N}")),
    "gpt-2": ByteLevel(add_prefix_space=False),
    "starcoder": isolated(Digits(individual_digits=True), ByteLevel(add_prefix_space=False)),
    "deepseek-coder": isolated(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
}
NEW = list(PATTERNS)[:23]  # the others are in words.txt
LETTERS = list("aabTtsSdDmMlLrReEvV''''' \n\r\t.,!?()|/0123456789$+<=>^~-_`\\éñßǅʰªǈ你好中国ア가ㄱㄅ々ｶ〇ſ²½Ⅳⓐ٣５३।،۔。，、…“”’！：ไทยລາວខ្មែမြအ豈ㇰ🦙👩") + [
    " ", " ", " ", " ", "\n", "\u0301", "\u0308", "\u093f", "\u1680", "\u180e", "\u2009", "\u200b", "\u200d", "\u2028",
    "\u3000", "\x85", "\xa0", "\x1c", "\x00", "\x7f", "\ufffd", "\u0f3f", "\u4dff", "\ua000", "\ud7a3", "\u2126", "\u212a"]
CHUNKS = ["don't", "I'LL", "IMGIMGABZ", "<sentinel:12>", "1234567", "12345", "3.14159", "foo(bar)", "HTTPServer", "naïve",
          "مرحبا", "नमस्ते", "Привет", "ΑΒγ", "\r\n", "    ", "\n\n", "  \n  ", "٣٤٥٦", "//", "#include", "𝟏𝟐𝟑𝟒", "𐐀𐐨", "🇩🇪", "word's"]


def assigned(rng):
    while True:
        c = rng.choice([rng.randrange(0x20, 0x250), rng.randrange(0x250, 0x3000), rng.randrange(0x3000, 0xd800),
                        rng.randrange(0xe000, 0x10000), rng.randrange(0x10000, 0x20000), rng.randrange(0x20000, 0x2fa20)])
        if unicodedata.category(chr(c)) not in ("Cn", "Co"):
            return chr(c)


def random_text(rng):
    text = ""
    kind = rng.random()
    for _ in range(rng.randint(1, 24)):
        r = rng.random()
        if r < 0.12:
            text += rng.choice(CHUNKS)
        elif r < 0.3 and kind < 0.3:
            text += assigned(rng)
        elif kind > 0.8:
            text += rng.choice("0123456789 aB\n.½٣")
        else:
            text += rng.choice(LETTERS) * (rng.randint(2, 5) if rng.random() < 0.15 else 1)
    return text


def words_of(name, text):
    words = [text[b:e] for _, (b, e) in PATTERNS[name].pre_tokenize_str(text) if e > b]
    assert "".join(words) == text, (name, text, words)
    return words


def write_fixture():
    lines = []
    for name in NEW:
        rng = random.Random(name)
        texts = ["I'll don'T HTTPServer's 'ſ", "  a  b\n\n c\t\t", "1234567 x12 12345x ½12345½ 123456", "你好ア가ㄱ々中 abc's 国2024年"]
        for text in texts + [random_text(rng) for _ in range(12)]:
            lines.append("\t".join([name, text.encode().hex(), " ".join(w.encode().hex() for w in words_of(name, text))]))
    (HERE / "patterns.txt").write_text("\n".join(lines) + "\n")


def check(count, program):
    for name in PATTERNS:
        rng = random.Random(name + "check")
        texts = [random_text(rng) for _ in range(count)]
        lines = "".join(t.encode().hex() + "\n" for t in texts)
        out = subprocess.run([program, name], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
        different = 0
        for text, line in zip(texts, out, strict=True):
            data = text.encode()
            ends = [0] + [int(n) for n in line.split()]
            ours = [data[b:e].decode(errors="replace") for b, e in zip(ends, ends[1:])]
            theirs = words_of(name, text)
            if ours != theirs:
                different += 1
                if different <= 3:
                    print(f"  {text!r}\n    here  {ours}\n    there {theirs}")
        print(f"{name}: {different} of {count} differ", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(int(sys.argv[2]), sys.argv[3])
    else:
        write_fixture()
