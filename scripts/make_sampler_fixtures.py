#!/usr/bin/env python3
"""Write tests/data/samplers/cases.json: logits, settings, and the tokens and probabilities that survive.

Written from the samplers' definitions (the papers, and the documentation of llama.cpp where there is no paper), in
numpy float64, and not from kern's code. Run by hand; the file is checked in, so that building and testing never needs
Python. The seed is fixed: running again gives the same bytes.

    pip install numpy
    python scripts/make_sampler_fixtures.py

A case: "options" by the names of SamplerOptions ("steps" as for --samplers), "logits" (null is -inf), "history", and
"kept": pairs of an id and its probability, ascending by id, for the one draw that follows. In cases with "draws" the
state that mirostat and adaptive-p keep matters: each draw has the token a run of kern has to take ("id", the one whose
share of [0, 1) holds "number"), and "kept" as above.
"""

import json
import math
import pathlib

import numpy as np

LETTERS = "edskypmxt"
NAMES = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]
DEFAULTS = dict(temperature=1.0, dynatemp_range=0.0, dynatemp_exponent=1.0, top_k=0, top_p=1.0, min_p=0.0, typical_p=1.0,
                top_n_sigma=-1.0, xtc_probability=0.0, xtc_threshold=0.1, repeat_penalty=1.0, repeat_last_n=64,
                presence_penalty=0.0, frequency_penalty=0.0, dry_multiplier=0.0, dry_base=1.75, dry_allowed_length=2,
                dry_penalty_last_n=64, dry_breakers=[], mirostat=0, mirostat_entropy=5.0, mirostat_rate=0.1,
                adaptive_target=-1.0, adaptive_decay=0.9, logit_bias=[], steps=";".join(NAMES))


def softmax(logits):
    top = logits.max()
    if top == -np.inf:
        return np.full(len(logits), 1.0 / len(logits))
    weights = np.exp(logits - top)
    return weights / weights.sum()


def ranks(ids, logits):
    """Indices, most likely first, ties to the lower id."""
    return sorted(range(len(ids)), key=lambda i: (-logits[i], ids[i]))


def entropy(p):
    p = p[p > 0]
    return float(-(p * np.log(p)).sum())


def recent(history, n):
    return history if n < 0 else history[max(0, len(history) - n):] if n else []


def penalties(o, ids, logits, history):
    window = recent(history, o["repeat_last_n"])
    out = logits.copy()
    for i, token in enumerate(ids):
        count = window.count(token)
        if count == 0 or (o["repeat_penalty"] == 1 and o["presence_penalty"] == 0 and o["frequency_penalty"] == 0):
            continue
        out[i] = out[i] * o["repeat_penalty"] if out[i] <= 0 else out[i] / o["repeat_penalty"]
        out[i] -= count * o["frequency_penalty"] + o["presence_penalty"]
    return ids, out


def dry(o, ids, logits, history):
    """By trying: how long is the longest text before some earlier place of the token that the history also ends with?"""
    window = recent(history, o["dry_penalty_last_n"])
    allowed = o["dry_allowed_length"]
    if o["dry_multiplier"] == 0 or o["dry_base"] < 1 or len(window) <= allowed:
        return ids, logits
    limit = len(window)
    for start in reversed(range(len(window))):
        lengths = [len(b) for b in o["dry_breakers"] if window[start:start + len(b)] == b]
        if lengths:
            limit = len(window) - start - max(lengths)
            break
    out = logits.copy()
    greatest = int(88.7228391 / math.log(o["dry_base"])) if o["dry_base"] > 1.000001 else 0
    for i, token in enumerate(ids):
        longest = -1
        for place in range(1, len(window)):
            n = 0
            while n < place and window[place - 1 - n] == window[len(window) - 1 - n]:
                n += 1
            if window[place] == token:
                longest = max(longest, min(n, limit))
        if longest >= allowed and [token] not in o["dry_breakers"]:
            exponent = longest - allowed
            if greatest:
                exponent = min(exponent, greatest)
            out[i] -= o["dry_multiplier"] * o["dry_base"] ** exponent
    return ids, out


def top_n_sigma(o, ids, logits, history):
    if o["top_n_sigma"] <= 0 or len(ids) <= 1:
        return ids, logits
    finite = logits[logits > -np.inf]
    if len(finite) == 0:
        return ids, logits
    keep = logits >= finite.max() - o["top_n_sigma"] * finite.std()
    keep &= logits > -np.inf
    return [t for t, k in zip(ids, keep) if k], logits[keep]


def take(indices, ids, logits):
    indices = sorted(indices, key=lambda i: ids[i])
    return [ids[i] for i in indices], logits[indices]


def top_k(o, ids, logits, history):
    return take(ranks(ids, logits)[:o["top_k"]], ids, logits) if o["top_k"] > 0 else (ids, logits)


def reach(order, p, share):
    kept, total = [], 0.0
    for i in order:
        kept.append(i)
        total += p[i]
        if total >= share:
            break
    return kept


def typ_p(o, ids, logits, history):
    if o["typical_p"] >= 1:
        return ids, logits
    p = softmax(logits)
    surprise = [-math.log(x) if x > 0 else math.inf for x in p]
    mean = entropy(p)
    order = sorted(range(len(ids)), key=lambda i: (abs(surprise[i] - mean), -logits[i], ids[i]))
    return take(reach(order, p, o["typical_p"]), ids, logits)


def top_p(o, ids, logits, history):
    if o["top_p"] >= 1:
        return ids, logits
    return take(reach(ranks(ids, logits), softmax(logits), o["top_p"]), ids, logits)


def min_p(o, ids, logits, history):
    if o["min_p"] <= 0:
        return ids, logits
    p = softmax(logits)
    return take([i for i in range(len(ids)) if p[i] >= o["min_p"] * p.max()], ids, logits)


def xtc(o, ids, logits, history):
    # Only probabilities 0 and 1 are used here: whether it happens is then no matter of the draw.
    if o["xtc_probability"] <= 0 or o["xtc_threshold"] > 0.5 or len(ids) < 2:
        return ids, logits
    p = softmax(logits)
    order = ranks(ids, logits)
    above = [i for i in order if p[i] >= o["xtc_threshold"]]
    return take(order[len(above) - 1:], ids, logits) if len(above) > 1 else (ids, logits)


def temperature(o, ids, logits, history):
    value = o["temperature"]
    if o["dynatemp_range"] > 0:
        if len(ids) <= 1:
            return ids, logits
        low, high = max(0.0, value - o["dynatemp_range"]), value + o["dynatemp_range"]
        share = entropy(softmax(logits)) / math.log(len(ids))
        value = low + (high - low) * share ** o["dynatemp_exponent"]
    if value <= 0:
        return take(ranks(ids, logits)[:1], ids, logits)
    return ids, logits / value


STEPS = dict(zip(NAMES, [penalties, dry, top_n_sigma, top_k, typ_p, top_p, min_p, xtc, temperature]))


def biased(o, logits):
    out = logits.copy()
    for token, bias in o["logit_bias"]:
        out[token] += bias
    return out


def run_chain(o, logits, history):
    ids, values = list(range(len(logits))), biased(o, logits)
    for name in o["steps"].split(";"):
        ids, values = STEPS[name](o, ids, values, history)
    return ids, values


def pick(ids, logits, p, number, order):
    for i in order:
        number -= p[i]
        if number < 0:
            return i
    return order[-1]


def mirostat_draw(o, logits, state, number):
    ids, values = temperature({**o, "dynatemp_range": 0.0}, list(range(len(logits))), biased(o, logits), [])
    order = ranks(ids, values)
    p = softmax(values)
    if o["mirostat"] == 1:
        t = [math.log((i + 2) / (i + 1)) for i in range(min(99, len(order) - 1))]
        b = [math.log(p[order[i]] / p[order[i + 1]]) for i in range(len(t))]
        s = sum(x * y for x, y in zip(t, b)) / sum(x * x for x in t)
        e = s - 1
        k = (e * 2 ** state["mu"] / (1 - len(logits) ** -e)) ** (1 / s)
        order = order[:max(1, int(min(k, len(order))))]
    else:
        order = [i for i in order if -math.log2(p[i]) <= state["mu"]] or order[:1]
    kept = np.array([values[i] for i in order])
    q = softmax(kept)
    at = pick(ids, kept, q, number, range(len(order)))
    state["mu"] -= o["mirostat_rate"] * (-math.log2(q[at]) - o["mirostat_entropy"])
    return ids[order[at]], sorted((ids[i], x) for i, x in zip(order, q))


def adaptive_draw(o, logits, state, number):
    ids, values = run_chain(o, logits, [])
    p = softmax(values)
    wanted = min(1.0, max(0.0, 2 * o["adaptive_target"] - state["sum"] / state["weight"]))
    distance = np.abs(p - wanted) / 0.3
    new = np.where(values == -np.inf, -np.inf, 5.0 - 10.0 * distance**2 / (1 + distance))
    q = softmax(new)
    at = pick(ids, new, q, number, range(len(ids)))
    state["sum"] = p[at] + o["adaptive_decay"] * state["sum"]
    state["weight"] = 1 + o["adaptive_decay"] * state["weight"]
    return ids[at], sorted(zip(ids, q))


def philox(counter, key):
    """Philox 4x32-10 (Salmon et al., 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


def uniform(seed, position):
    words = philox([position & 0xFFFFFFFF, position >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])
    return ((words[0] << 32 | words[1]) >> 11) * 2.0**-53


def pairs(kept):
    return [[int(t), float(f"{p:.10g}")] for t, p in kept]


def plain(values):
    return [None if x == -np.inf else float(x) for x in values]


def finish(settings):
    return {k: [[t, None if b == -np.inf else b] for t, b in v] if k == "logit_bias" else v for k, v in settings.items()}


def case(logits, history=(), **settings):
    o = {**DEFAULTS, **settings}
    ids, values = run_chain(o, np.asarray(logits, dtype=np.float64), list(history))
    return {"options": finish(settings), "logits": plain(logits), "history": [int(t) for t in history],
            "kept": pairs(zip(ids, softmax(values)))}


def case_with_state(logits_list, seed, **settings):
    o = {**DEFAULTS, **settings}
    state = {"mu": 2 * o["mirostat_entropy"], "weight": 1 / (1 - o["adaptive_decay"])}
    state["sum"] = o["adaptive_target"] * state["weight"]
    draw = mirostat_draw if o["mirostat"] else adaptive_draw
    draws = []
    for position, logits in enumerate(logits_list):
        token, kept = draw(o, np.asarray(logits, dtype=np.float64), state, uniform(seed, position))
        draws.append({"logits": plain(logits), "id": int(token), "kept": pairs(kept)})
    return {"options": finish({**settings, "seed": seed}), "draws": draws}


def random_logits(rng, size, scale):
    return np.float32(np.round(rng.normal(0, scale, size) * 64) / 64)


def main():
    rng = np.random.default_rng(1)
    cases = []
    for scale in (0.5, 2.0, 6.0):
        logits = random_logits(rng, 40, scale)
        forbidden = logits.copy()
        forbidden[rng.choice(40, 12, replace=False)] = -np.inf
        few = np.float32(np.round(logits))  # many ties
        for values in (logits, forbidden, few):
            for settings in (
                dict(top_n_sigma=1.0), dict(top_n_sigma=0.25), dict(xtc_probability=1.0, xtc_threshold=0.05),
                dict(xtc_probability=1.0, xtc_threshold=0.4), dict(xtc_probability=1.0, xtc_threshold=0.6),
                dict(dynatemp_range=0.5), dict(dynatemp_range=2.0, dynatemp_exponent=0.5, temperature=0.75),
                dict(top_k=7), dict(top_p=0.75), dict(min_p=0.125), dict(typical_p=0.5), dict(temperature=0.0),
                dict(top_k=30, typical_p=0.875, top_p=0.75, min_p=0.0625, temperature=0.75),
                dict(top_k=10, temperature=3.0, steps="temperature;top_k"),
                dict(top_p=0.5, min_p=0.25, temperature=4.0, steps="temperature;min_p;top_p"),
                dict(top_k=5, xtc_probability=1.0, xtc_threshold=0.1, steps="xtc;top_k;temperature"),
                dict(typical_p=0.25, top_k=3, steps="typ_p;top_k"),
            ):
                cases.append(case(values, **settings))
    logits = random_logits(rng, 12, 2.0)
    history = [int(t) for t in rng.integers(0, 6, 60)]
    for settings in (
        dict(dry_multiplier=0.75), dict(dry_multiplier=1.5, dry_base=1.25, dry_allowed_length=1),
        dict(dry_multiplier=0.5, dry_penalty_last_n=20), dict(dry_multiplier=0.5, dry_penalty_last_n=-1),
        dict(dry_multiplier=0.75, dry_allowed_length=0), dict(dry_multiplier=0.75, dry_base=1.0, dry_allowed_length=1),
        dict(dry_multiplier=0.75, dry_allowed_length=1, dry_breakers=[[3]]),
        dict(dry_multiplier=0.75, dry_allowed_length=1, dry_breakers=[[3, 1], [3], [2, 2]]),
        dict(repeat_penalty=1.5, repeat_last_n=10), dict(presence_penalty=0.5, frequency_penalty=0.25, repeat_last_n=-1),
        dict(repeat_penalty=2.0, dry_multiplier=1.0, top_k=4),
        dict(repeat_penalty=2.0, dry_multiplier=1.0, top_k=4, steps="top_k;dry;penalties;temperature"),
    ):
        cases.append(case(logits, history, **settings))
        cases.append(case(logits, [], **settings))
        cases.append(case(logits, [1, 2, 3] * 15 + [1, 2], **settings))
        cases.append(case(logits, [4] * 30, **settings))
    # No token, one token, all alike, all forbidden.
    everything = dict(top_k=5, typical_p=0.75, top_p=0.75, min_p=0.125, top_n_sigma=1.0, xtc_probability=1.0,
                      dynatemp_range=0.5, repeat_penalty=1.5, dry_multiplier=1.0)
    for values in ([0.5], [2.0] * 9, [-np.inf] * 5, [-np.inf, 1.0, -np.inf]):
        cases.append(case(np.float32(values), [0, 0, 0, 0], **everything))
        cases.append(case(np.float32(values)))
    cases.append(case(np.float32([1, 3, 2, 3]), logit_bias=[[1, -np.inf], [0, 2.5]]))
    for seed in (1, 2):
        steps = [random_logits(rng, 60, 2.0) for _ in range(12)]
        for settings in (
            dict(mirostat=1, mirostat_entropy=2.0, mirostat_rate=0.5), dict(mirostat=1, mirostat_entropy=4.0),
            dict(mirostat=2, mirostat_entropy=2.0, mirostat_rate=0.5), dict(mirostat=2, temperature=2.0),
            dict(adaptive_target=0.5), dict(adaptive_target=0.125, adaptive_decay=0.5, min_p=0.0625),
        ):
            cases.append(case_with_state(steps, seed, **settings))
    path = pathlib.Path(__file__).resolve().parent.parent / "tests/data/samplers/cases.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(len(cases), "cases", path.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
