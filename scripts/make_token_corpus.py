#!/usr/bin/env python3
"""Write the inputs from which the fuzz targets of tokenizers, templates and flags begin.

usage: make_token_corpus.py    writes to tests/data/{tokenizer,vocabulary,options}/corpus

The forms of the inputs are in the headers of tests/fuzz/fuzz_*.cpp.
"""
import pathlib

DATA = pathlib.Path(__file__).resolve().parent.parent / "tests/data"
UNKNOWN, CONTROL, USER_DEFINED, NORMAL, BYTE = b"2", b"3", b"4", b"1", b"6"
MARK, SPACE = "\u2581", "\u0120"


def write(target, name, data):
    folder = DATA / target / "corpus"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def token(text, kind=NORMAL, score=0):
    text = text if isinstance(text, bytes) else text.encode()
    return b"t" + kind + bytes([score % 256]) + text


def fields(*parts):
    return b"\x1e".join(p if isinstance(p, bytes) else p.encode() for p in parts)


def number(name, value):
    names = ["bos", "eos", "unknown", "padding", "eot", "eom", "fim_pad", "fim_rep"]
    return b"i" + bytes([names.index(name), value % 256])


def flag(name, value):
    names = ["add_bos_token", "add_eos_token", "add_space_prefix", "remove_extra_whitespaces"]
    return b"f" + bytes([names.index(name), value])


specials = [token("<unk>", UNKNOWN), token("<s>", CONTROL), token("</s>", CONTROL), token("<tool>", USER_DEFINED)]
marked = [token(MARK, score=-5), token("a", score=-5), token(MARK + "a", score=-2), token(MARK * 2, score=-1), token("aa")]
some_bytes = [token(f"<0x{b:02X}>", BYTE) for b in (0x0A, 0x20, 0x61, 0x81, 0x96, 0xE2, 0xFF)]
text = b"xs<s>a aa<tool>  a\xe2\x96\x81\xff\n</s>"
chatml = ("j{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
          "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
unigram = (DATA / "tokenizer/unigram.txt").read_text().splitlines()
replacements = next(bytes.fromhex(line.split()[1]) for line in unigram if line.startswith("map "))
assert b"\x1e" not in replacements[:4]

write("vocabulary", "llama", fields("mllama", *specials, *marked, *some_bytes, number("bos", 1), number("eos", 2), text))
write("vocabulary", "llama-no-space", fields("mllama", *specials, *marked, flag("add_space_prefix", 0), text))
write("vocabulary", "t5", fields("mt5", *specials, *marked, number("unknown", 0), number("eos", 2), text))
write("vocabulary", "t5-bytes", fields("mt5", *specials, *marked, *some_bytes, flag("remove_extra_whitespaces", 1), text))
write("vocabulary", "t5-map", fields("mt5", *specials, *marked, b"c" + replacements[:1500], text))
write("vocabulary", "gemma4", fields("mgemma4", *specials, *marked, *some_bytes, f"r{MARK} a", f"r{MARK} {MARK}", "ra a",
                                     number("bos", 1), text))
write("vocabulary", "rwkv", fields("mrwkv", token("<s>", CONTROL), token("a"), token("\\xff"), token("a a"), token("\\n"),
                                   token(" "), token("it\\'s"), b"xa a it's\n\xff"))
for pre in ("gpt-2", "default", "llama-bpe"):
    write("vocabulary", pre, fields("mgpt2", "p" + pre, *specials, *(token(c) for c in "a<>s/to lx" + SPACE), token("aa"),
                                    token(SPACE + "a"), "ra a", f"r{SPACE} a", "raa a", number("bos", 1), number("eos", 2),
                                    flag("add_bos_token", 1), flag("add_eos_token", 1), text[:-2]))
write("vocabulary", "chat", fields("mgpt2", "pgpt-2", token("<|im_start|>", CONTROL), token("<|im_end|>", CONTROL),
                                   *(token(c) for c in "userasitnm\u010a"), chatml, b"xmessage to a user"))

for i, text in enumerate([b"a a  aaa <t> \xc3\xa9\xe2\x96\x81\xf0\x9f\xa6\x99</s>\xff\xe2\x96", b"it's 1234567 abcd\n\n\tX's",
                          b"12\xc2\xbd 12345a \xd9\xa3\xd9\xa4 HTTPServer's", "你好ア가ㄱ々 abc 2024年 ไทย".encode(),
                          b"  \n  \r\n \xc2\xa0\xe3\x80\x80 x", b"<s></s><t><unk>  b"]):
    for vocabulary in (0, 3, 6, 20, 30):
        write("tokenizer", f"text-{i}-{vocabulary}", bytes([vocabulary + i, i]) + text)
write("tokenizer", "ids", bytes([0, 7]) + bytes(range(0, 250, 7)))

for name, groups, arguments in [
    ("run", 4, "-m model.gguf -t 2 -ngl all -c 512 -b 64 -ub=32 -ctk f16 -n 20 -s 1 --temp 0.5 hello -- -x"),
    ("sampling", 3, "--top-k 3 --top-p=.9 --min-p 1e-3 --typical 1 --repeat-penalty 1.1 --repeat-last-n -1 -l 5-inf -l 7+2"),
    ("penalties", 3, "--presence-penalty -1 --frequency-penalty 2 --max-time 3 -r [a,b] -r x --json --seed -1"),
    ("prompt", 2, "-p [a] -sys hi --raw --no-stdin -f -"), ("context", 1, "-ctv F32 --ctx-size 0 -b0 -ub 65536"),
    ("model", 0, "--model=x --threads=1024 --n-gpu-layers -1 --pre gpt-2 -q"), ("help", 4, "--help"),
    ("unknown", 4, "--nothing -zq --temp nan -c 99999999999999999999 -n 1e3")]:
    write("options", name, bytes([groups]) + arguments.encode().replace(b" ", b"\0"))
