"""The demo model's training text: chats and plain stories written from grammars by this file.

No text is downloaded; all of it comes from the templates and word lists in train_demo_stories.py, train_demo_words.py
and here.  `python scripts/train_demo_text.py [seed]` prints a sample.

example(rng, questions) returns (messages, plain, key): a list of (role, text) for a chat, or a plain story; key names the
combination (such as subject/frame) by which held_out() keeps about one in 25 combinations out of training.
"""

import re
import zlib

import train_demo_stories as S
import train_demo_words as W

ME = "I am kern's demo model, a very small model trained on simple sentences."
UNKNOWN = "I am a very small model and do not know that."


def held_out(key):
    return zlib.crc32(key.encode()) % 25 == 0


def bare(np):
    return re.sub(r"^(an?|the) ", "", np)


def plural(n):
    irregular = {"mouse": "mice", "sheep": "sheep", "goose": "geese", "fish": "fish", "wolf": "wolves", "deer": "deer",
                 "fly": "flies", "child": "children", "man": "men", "woman": "women", "foot": "feet", "tooth": "teeth",
                 "leaf": "leaves", "knife": "knives", "loaf": "loaves", "person": "people", "ox": "oxen"}
    if n in irregular:
        return irregular[n]
    if n.endswith(("s", "x", "ch", "sh")):
        return n + "es"
    if n.endswith("y") and n[-2] not in "aeiou":
        return n[:-1] + "ies"
    return n + "s"


# ---- stories ----
ASK = """[tell|write] [me|us] [a story|a short story|a little story|a tale|a bedtime story] about {s}.
tell me a story about {s}.|[please|] tell me a story about {s}.|can you tell me a story about {s}?
write a story about {s}.|write a short story about {s}.|[could|can|would] you [write|tell] [me|] a [story|short story|tale] about {s}?
I want [to hear|] a story about {s}.|I would like a story about {s}.|do you know a story about {s}?
a story about {s}[, please|].|story about {s}|make up a story about {s}.|give me a story about {s}.
please write a [few|couple of] sentences about {s} as a story.|tell my [son|daughter|child] a story about {s}.
let us hear [the|a] story [of|about] {s}.|I want a bedtime story about {s}.|once more, a story about {s}, please."""
ASK_NONE = """tell me a story.|write a story.|can you tell me a story?|I want to hear a story.|please tell me a story.
a story, please.|tell us a bedtime story.|do you know a story?|write me a short story.|story time!|tell me a tale.
make up a story.|tell me something nice.|tell me a short story, please.|give me a story."""


def variants(block):
    """Split on newlines and on | outside brackets."""
    out = []
    for line in block.splitlines():
        depth, cur = 0, ""
        for c in line:
            depth += (c == "[") - (c == "]")
            if c == "|" and depth == 0:
                out.append(cur)
                cur = ""
            else:
                cur += c
        out.append(cur)
    return [x for x in out if x]


ASK, ASK_NONE = variants(ASK), variants(ASK_NONE)


def tidy(s):
    return re.sub(r" +([.,?!])", r"\1", re.sub(r" {2,}", " ", s)).strip()


def say(rng, options, **slots):
    return S.cap(tidy(S.expand(rng, rng.choice(options), slots)))


def story_turn(rng, kind=None):
    s = S.story(rng, kind)
    ask = say(rng, ASK, s=s["subject"]) if s["subject"] else say(rng, ASK_NONE)
    if s["subject"] and rng.random() < 0.04:  # a bare noun as the request
        ask = ask.replace(s["subject"], bare(s["subject"]))
    return ask, " ".join(s["sentences"]), S.one_sentence(rng, s), None, "story/" + s["key"]


# ---- questions; each returns (question, answer, short answer of one sentence, answer of one word or None, key) ----
def q(rng, questions, answers, word=None, key="", **slots):
    ans = say(rng, answers, **slots)
    return say(rng, questions, **slots), ans, ans.split(". ")[0].rstrip(".") + "." if ". " in ans else ans, word, key


def q_colour(rng):
    t, c = rng.choice(W.COLOUR_OF)
    return q(rng, ["what colour is {t}?", "what color is {t}?", "which colour does {t} have?", "tell me the colour of {t}.",
                   "do you know what colour {t} is?", "what is the colour of {t}?"],
             ["{T} is {c}.", "{T} is usually {c}."] if t.startswith("a") else ["{T} is {c}."], c, t=t, T=S.cap(t), c=c)


def q_animal(rng):
    n, home, eats, says, baby, colour, desc, legs = rng.choice(W.ANIMALS)
    an, N = S.a(n), plural(n)
    k = rng.choice("home home eats eats says says baby colour desc desc legs describe describe".split())
    sl = dict(n=n, an=an, An=S.cap(an), N=N, home=home, eats=eats, says=says, baby=baby, colour=colour, desc=desc)
    if k == "home":
        return q(rng, ["where does {an} live?", "where do {N} live?", "where is the home of {an}?", "where can I find {an}?"],
                 ["{An} lives {home}."], home.split()[-1] if home.count(" ") < 3 else None, **sl)
    if k == "eats":
        return q(rng, ["what does {an} eat?", "what do {N} eat?", "what is the food of {an}?", "what does {an} like to eat?",
                       "what can I feed {an}?"], ["{An} eats {eats}."], eats.split(" and ")[0].split(",")[0], **sl)
    if k == "says":
        if says == "nothing at all":
            return q(rng, ["what does {an} say?", "what sound does {an} make?"], ["{An} does not make a sound."], "nothing", **sl)
        return q(rng, ["what does {an} say?", "what sound does {an} make?", "which noise does {an} make?", "how does {an} sound?",
                       "what does the {n} say?"], ["{An} says {says}.", "{An} makes the sound: {says}."], says.split()[-1], **sl)
    if k == "baby":
        return q(rng, ["what is a baby {n} called?", "what do you call a baby {n}?", "what is the name for a young {n}?"],
                 ["A baby {n} is called {baby}."], bare(baby), **sl)
    if k == "colour":
        return q(rng, ["what colour is {an}?", "what color are {N}?", "what is the colour of {an}?"],
                 ["{An} is often {colour}.", "{An} is {colour}."], colour, **sl)
    if k == "legs":
        num = W.NUMS[int(legs)] if legs != "0" else "no"
        return q(rng, ["how many legs does {an} have?", "how many legs do {N} have?"], ["{An} has {num} legs."],
                 "none" if num == "no" else num, num=num, **sl)
    if k == "describe":
        return q(rng, ["describe {an}.", "tell me about {an}.", "what do you know about {N}?", "tell me something about {N}.",
                       "tell me about {N}.", "write about {an}.", "tell me a fact about {N}."],
                 ["{An} is {desc}. It lives {home} and eats {eats}.", "{An} is {desc}. It eats {eats}. It lives {home}."], None, **sl)
    return q(rng, ["what is {an}?", "what are {N}?", "do you know what {an} is?", "explain what {an} is."], ["{An} is {desc}."], "animal", **sl)


CAN = {"fly": W.words("owl, crow, robin, parrot, eagle, bee, butterfly, bat, pigeon, swan"),
       "swim": W.words("fish, shark, whale, dolphin, duck, frog, penguin, otter, seal, turtle, crocodile, swan"),
       "run": W.words("dog, horse, deer, wolf, lion, fox, rabbit, zebra, cat"),
       "climb trees": W.words("monkey, squirrel, cat, koala, bear")}
CANNOT = {"fly": W.words("dog, cat, fish, cow, pig, sheep, penguin, elephant, snail, horse, mouse, chair, stone"),
          "swim": W.words("stone, hen, butterfly, chair"), "run": W.words("fish, snail, worm, tree, stone, house"),
          "climb trees": W.words("fish, cow, whale, elephant, stone"),
          "talk": W.words("stone, table, tree, fish, hat, cloud"), "read": W.words("dog, cat, cow, stone, fish")}


def q_can(rng):
    yes = rng.random() < 0.5
    verb = rng.choice(list(CAN if yes else CANNOT))
    n = rng.choice((CAN if yes else CANNOT)[verb])
    return q(rng, ["can {an} {v}?", "is {an} able to {v}?", "can {N} {v}?"],
             ["Yes, {an} can {v}."] if yes else ["No, {an} cannot {v}."], "yes" if yes else "no", an=S.a(n), N=plural(n), v=verb)


def q_is_colour(rng):
    t, c = rng.choice([x for x in W.COLOUR_OF if " " not in x[1]])
    if rng.random() < 0.5:
        return q(rng, ["is {t} {c}?"], ["Yes, {t} is {c}."], "yes", t=t, c=c)
    wrong = rng.choice([x for x in W.COLOURS[:9] if x != c])
    return q(rng, ["is {t} {w}?"], ["No, {t} is {c}.", "No, {t} is not {w}. It is {c}."], "no", t=t, c=c, w=wrong)


def q_opposite(rng):
    x, y = rng.choice(W.OPPOSITES)
    if rng.random() < 0.4 and not any(p[0] == y for p in W.OPPOSITES) and sum(p[1] == y for p in W.OPPOSITES) == 1:
        x, y = y, x
    return q(rng, ["what is the opposite of {x}?", "opposite of {x}?", "tell me the opposite of {x}.", "what is the opposite of '{x}'?",
                   "give me the opposite of the word {x}.", "which word is the opposite of {x}?"],
             ["The opposite of {x} is {y}."], y, x=x, y=y)


def q_use(rng):
    t, u = rng.choice(W.USES)
    many = t in ("scissors", "gloves", "shoes", "glasses")
    return q(rng, [f"what {'are' if many else 'is'} {{t}} [used for|for]?", "what do we use {t} for?", "what can I do with {t}?",
                   "why do people use {t}?", "what do you do with {t}?"],
             ["We use {t} to {u}.", "You can use {t} to {u}."], None, t=t, u=u)


def q_def(rng):
    t, d = rng.choice(W.DEFS)
    return q(rng, ["what is {t}?", "explain {t}.", "can you explain what {t} is?", "tell me about {t}.", "do you know what {t} is?",
                   "what do you know about {t}?", "describe {t}."], [d], None, t=t)


def q_why(rng):
    c, d = rng.choice(W.WHY)
    m = re.match(r"(the sky|the sea|snow) is (\w+)", c)
    if m:
        return q(rng, [f"why is {m[1]} {m[2]}?", f"do you know why {c}?"], [d])
    if c.startswith("it is dark"):
        return q(rng, ["why is it dark at night?", "why does it get dark at night?"], [d])
    if c == "it rains" or c == "the moon shines":
        return q(rng, [f"why does {c[:-1]}?", f"can you tell me why {c}?"], [d])
    if c == "ice melts":
        return q(rng, ["why does ice melt?", "can you tell me why ice melts?"], [d])
    return q(rng, ["why do {c}?", "do you know why {c}?", "can you tell me why {c}?", "tell me why {c}."], [d], None, c=c)


def q_how(rng):
    c, d = rng.choice(W.HOWTO)
    y = c.replace("my ", "your ")
    return q(rng, ["how do I {c}?", "how can I {c}?", "tell me how to {y}.", "how to {c}?", "how do you {y}?", "can you tell me how to {y}?"],
             [d], None, c=c, y=y)


def q_fact(rng):
    f, w, s = rng.choice(W.FACTS)
    return q(rng, [f + "?", f + "?", "tell me, " + f + "?", "can you tell me " + f + "?"], [s], w)


def q_capital(rng):
    c, t = rng.choice(W.CAPITALS)
    return q(rng, ["what is the capital of {c}?", "capital of {c}?", "tell me the capital of {c}.", "which city is the capital of {c}?"],
             ["The capital of {c} is {t}.", "{t} is the capital of {c}."], t, c=c, t=t)


DAYS, MONTHS = W.LISTS["days of the week"], W.LISTS["months"]


def q_days(rng):
    bank, kind = rng.choice([(DAYS, "day"), (MONTHS, "month")])
    i = rng.randrange(len(bank))
    step = rng.choice([1, -1])
    word = "after" if step == 1 else "before"
    ans = bank[(i + step) % len(bank)]
    return q(rng, ["what comes {w} {d}?", "which {k} comes {w} {d}?", "what {k} is {w} {d}?", "what is the {k} {w} {d}?"],
             ["{x} comes {w} {d}.", "The {k} {w} {d} is {x}."], ans, w=word, d=bank[i], k=kind, x=ans)


def number(n, style):
    return W.NUMS[n] if style == "words" else str(n)


def q_sum(rng):
    style = rng.choice(["digits", "digits", "words"])
    if rng.random() < 0.55:
        x, y = rng.randrange(0, 13), rng.randrange(0, 13)
        while x + y > 20:
            x, y = rng.randrange(0, 13), rng.randrange(0, 13)
        z, op, sign = x + y, "plus", "+"
    else:
        x = rng.randrange(0, 21)
        y = rng.randrange(0, x + 1)
        z, op, sign = x - y, "minus", "-"
    n = [number(v, style) for v in (x, y, z)]
    forms = ["what is {x} {op} {y}?", "how much is {x} {op} {y}?", "{x} {op} {y}?", "calculate {x} {op} {y}.", "can you tell me what {x} {op} {y} is?"]
    if style == "digits":
        forms += ["what is {x} {s} {y}?", "{x} {s} {y} =", "{x}{s}{y}", "{x} {s} {y}", "what is {x}{s}{y}?", "how much is {x} {s} {y}?"]
    if op == "plus":
        forms += ["add {x} and {y}.", "what is the sum of {x} and {y}?"]
    else:
        forms += ["take {y} away from {x}.", "what is {x} take away {y}?"]
    ask = S.cap(S.expand(rng, rng.choice(forms), dict(x=n[0], y=n[1], op=op, s=sign)))
    shown = sign if sign in ask else op
    verb = "is" if shown == op else "="
    ans = S.cap(f"{n[0]} {shown} {n[1]} {verb} {n[2]}.")
    return ask, ans, ans, n[2], ""


def q_word_sum(rng):
    x, y = rng.randrange(1, 11), rng.randrange(1, 11)
    thing = rng.choice("apple pear cookie ball book coin egg pencil flower stone cake hat".split())
    name, _ = S.person_name(rng)
    st = rng.choice(["digits", "words"])
    cnt = lambda v: f"{number(v, st)} {thing if v == 1 else plural(thing)}"
    if rng.random() < 0.5:
        ask = f"{name} has {cnt(x)} and gets {number(y, st)} more. How many {plural(thing)} does {name} have now?"
        z = x + y
    else:
        x, y = max(x, y), min(x, y)
        ask = f"{name} has {cnt(x)} and {rng.choice(['gives away', 'loses'])} {number(y, st)}. How many {plural(thing)} does {name} have now?"
        z = x - y
    ans = f"{name} has {cnt(z) if z else 'no ' + plural(thing)} now."
    return ask, ans, ans, number(z, st), f"wordsum/{x}/{y}"


def q_next(rng):
    r = rng.random()
    if r < 0.4:
        n, st = rng.randrange(0, 20), rng.choice(["digits", "words"])
        up = rng.random() < 0.6 or n == 0
        ans = number(n + (1 if up else -1), st)
        return q(rng, ["what [number|] comes {w} {n}?", "which number is {w} {n}?"], ["The number {w} {n} is {x}.", "{X} comes {w} {n}."], ans,
                 w="after" if up else "before", n=number(n, st), x=ans, X=S.cap(ans))
    if r < 0.7:
        i = rng.randrange(25)
        c, d = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i:i + 2]
        return q(rng, ["what letter comes after {c}?", "which letter comes after {c}?"], ["The letter {d} comes after {c}."], d, c=c, d=d)
    n = rng.randrange(3, 13)
    st = rng.choice(["digits", "words"])
    seq = [number(i, st) for i in range(1, n + 1)]
    to = rng.choice([str(n), W.NUMS[n]])
    return q(rng, ["count to {n}.", "can you count to {n}?", "count from one to {n}.", "please count to {n}."],
             [S.cap(", ".join(seq)) + "."], None, n=to)


def q_compare(rng):
    bank, words, sup = rng.choice([(W.SIZE_ORDER, ("bigger", "smaller"), "big"), (W.SPEED_ORDER, ("faster", "slower"), "fast")])
    i, j = sorted(rng.sample(range(len(bank)), 2))
    (hi, lo), up = (bank[j], bank[i]), rng.random() < 0.6
    x, y = (hi, lo) if rng.random() < 0.5 else (lo, hi)
    win, lose = (hi, lo) if up else (lo, hi)
    w = words[not up]
    return q(rng, ["[which|what] is {w}, {x} or {y}?", "who is {w}, {x} or {y}?", "is {x} or {y} {w}?"],
             ["{A} is {w} than {b}."], win, key=f"cmp/{hi}/{lo}", w=w, x=S.a(x), y=S.a(y), A=S.cap(S.a(win)), b=S.a(lose))


def q_plural(rng):
    n = rng.choice(W.ANIMAL_NAMES + [bare(t) for t, _ in W.USES[:30]] + W.words("child, man, woman, foot, tooth, leaf, baby, city, box"))
    if n.endswith("s") and n in ("scissors", "gloves", "shoes", "glasses"):
        n = "box"
    p = plural(n)
    return q(rng, ["what is the plural of {n}?", "plural of {n}?", "how do you say more than one {n}?"],
             ["The plural of {n} is {p}."], p, n=n, p=p)


def join(items):
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def q_list(rng):
    cat = rng.choice(list(W.LISTS))
    n = rng.choice([2, 3, 3, 3, 4, 5])
    items = rng.sample(W.LISTS[cat], min(n, len(W.LISTS[cat])))
    if cat in ("days of the week", "months", "seasons", "planets"):
        items = [x for x in W.LISTS[cat] if x in items]
    n = len(items)
    style = rng.choices(["plain", "numbered", "bullets"], [6, 2, 1])[0]
    how = {"plain": "", "numbered": " as a numbered list", "bullets": " as a list with bullets"}[style]
    ask = say(rng, ["[name|list|give me|tell me|write] {n} {c}{how}.", "can you name {n} {c}{how}?", "what are {n} {c}{how}?",
                    "please name {n} {c}{how}.", "I need {n} {c}{how}."], n=rng.choice([W.NUMS[n], str(n)]), c=cat, how=how)
    if style == "plain":
        ans = S.cap(join(items)) + "."
        if rng.random() < 0.3:
            ans = f"{W.NUMS[n].capitalize()} {cat} are {join(items)}."
    elif style == "numbered":
        ans = "\n".join(f"{i}. {S.cap(x)}" for i, x in enumerate(items, 1))
    else:
        ans = "\n".join(f"- {S.cap(x)}" for x in items)
    return ask, ans, S.cap(join(items)) + ".", None, f"list/{cat}/{items[0]}"


def q_one_of(rng):
    cat = rng.choice([c for c in W.LISTS if c not in ("days of the week",)])
    item = rng.choice(W.LISTS[cat])
    one = {"clothes": "piece of clothing", "countries": "country", "cities": "city", "parts of the body": "part of the body"}.get(
        cat, "thing" + cat[6:] if cat.startswith("things") else cat[:-1])
    return q(rng, ["name {o}.", "tell me {o}.", "give me {o}.", "name one {o1}."],
             ["{I}."], item, o=S.a(one), o1=one, I=S.cap(item))


def q_sentence(rng):
    if rng.random() < 0.5:
        noun = S.being(rng, 0.15)[0]
        s = ["The {n} {v}.", "I saw a {n} that {v2}.", "A {j} {n} {v}."]
    else:
        noun = rng.choice(W.THINGS + W.MOVERS)
        s = ["The {n} is {c}.", "I put the {n} on the table.", "My {n} is very {j2}.", "She found the {n} in the garden."]
    return q(rng, ["use the word {n} in a sentence.", "write a sentence about {an}.", "write a sentence with the word {n}.",
                   "make a sentence with {n}.", "say something about {an}.", "write one sentence about the {n}."],
             s, None, n=noun, an=S.a(noun), c=W.COLOURS, j=[x for x in W.ADJ if x[0] not in "aeiou"], j2=["old", "small", "big", "nice"],
             v=["sleeps in the sun", "walks through the rain", "likes to sing", "runs across the field", "sits under a tree", "looks at the moon"],
             v2=["ran over the hill", "slept under a tree", "was very happy", "played in the grass"])


def q_repeat(rng):
    bank = W.ADJ + W.COLOURS + W.ANIMAL_NAMES + W.THINGS + W.BOYS + W.GIRLS
    w = " ".join(rng.choice(bank) if rng.random() < 0.7 else S.fake_word(rng) for _ in range(rng.randrange(1, 5)))
    return q(rng, ["say {w}.", "repeat after me: {w}.", "repeat this: {w}.", "please say: {w}.", "repeat: {w}", "can you say {w}?"],
             ["{W}."], None, w=w, W=S.cap(w))


def q_unknown(rng):
    place = rng.choice([c for c, _ in W.CAPITALS] + [t for _, t in W.CAPITALS] + [S.fake_word(rng).capitalize()] * 10)
    place2 = rng.choice([t for _, t in W.CAPITALS])
    slots = dict(y=str(rng.randrange(1600, 2031)), place=place, place2=place2, name=S.person_name(rng)[0], sur=S.fake_word(rng).capitalize(),
                 thing=rng.choice(W.THINGS + W.LOSABLE), fake=S.fake_word(rng), big=str(rng.randrange(30, 9999)), big2=str(rng.randrange(21, 999)))
    t = rng.choice(W.UNKNOWN)
    starts = ("who", "what", "how", "when", "where", "why", "can")
    ask = S.cap(S.expand(rng, t, slots)) + ("?" if t.split()[0] in starts else ".")
    ans = UNKNOWN if rng.random() < 0.8 else rng.choice(["I am sorry, but I am a very small model and do not know that.",
                                                          "I do not know that. I am only a very small model."])
    return ask, ans, ans, None, ""


TALK = [
    ("hello!|hi!|hey!|hello there.|hi there!|hello, kern!|good day!|hi|hello|greetings!", "Hello! How can I help you?|Hello! It is nice to meet you.|Hi! What would you like to talk about?"),
    ("good morning!|good morning.", "Good morning! How can I help you today?|Good morning! I hope you have a nice day."),
    ("good evening!|good evening.", "Good evening! How can I help you?"),
    ("good night!|good night.|sleep well!", "Good night! Sleep well."),
    ("how are you?|how are you today?|how are you doing?|how do you feel?|are you well?", "I am fine, thank you. How are you?|I am very well, thank you."),
    ("thank you!|thanks!|thank you very much.|thanks a lot!|many thanks!|that was nice, thank you.|great, thanks!", "You are welcome!|You are welcome! I am happy to help."),
    ("goodbye!|bye!|see you later.|bye bye!|I have to go now.|see you tomorrow!", "Goodbye! Have a nice day.|Goodbye! Come back soon."),
    ("who are you?|what are you?|tell me about yourself.|introduce yourself.|who am I talking to?|what kind of model are you?|are you an AI?|describe yourself.|what is kern?", ME),
    ("what is your name?|do you have a name?|what are you called?|what should I call you?", "My name is kern. " + ME),
    ("are you a human?|are you a person?|are you real?|are you a robot?|do you have a body?", "No, I am not. " + ME),
    ("who made you?|who built you?|where do you come from?|who trained you?", "The authors of kern made me. I am a very small model."),
    ("what can you do?|how can you help me?|what do you know?|what are you good at?|help!|help me.", "I can tell short stories, answer simple questions, add small numbers and make lists."),
    ("are you clever?|are you smart?|how big are you?|how many parameters do you have?|are you a large model?|are you like other models?", "I am a very small model with about five million weights, so I know only simple things."),
    ("how old are you?|when were you born?", "I am a small program, so I have no age."),
    ("do you like music?|do you like stories?|do you like animals?|do you like rain?", "I am only a model, but I like to tell stories about it."),
    ("what is your favourite colour?|what is your favorite color?|which colour do you like?", "I like blue, because the sky is blue."),
    ("what is your favourite animal?|which animal do you like?", "I like the fox, because it is clever."),
    ("what is your favourite food?|are you hungry?|what do you eat?", "I am a model, so I do not eat. But bread smells good, I am told."),
    ("I am sad.|I feel sad today.|I am not happy.|I feel bad.", "I am sorry to hear that. A walk or a good story may help you.|I am sorry to hear that. Would you like to hear a story?"),
    ("I am tired.|I am so tired.|I am sleepy.", "Then you should rest a little. Sleep well!"),
    ("I am hungry.|I want to eat.", "Then you should eat something good, such as bread, soup or an apple."),
    ("I am thirsty.", "Then you should drink some water."),
    ("I am cold.|it is cold here.", "Then you should put on a warm coat or drink some hot tea."),
    ("I am bored.|what should I do today?|I have nothing to do.", "You could read a book, go for a walk or draw a picture. Or I can tell you a story."),
    ("I am happy!|I am happy today.|today is a good day!", "That is wonderful! I am glad to hear it."),
    ("I am afraid.|I am scared.|I am afraid of the dark.", "You do not need to be afraid. Take a deep breath and talk to a friend."),
    ("it is raining. What should I wear?|it is raining.|what should I wear in the rain?", "In the rain, you should wear a coat and take an umbrella."),
    ("it is snowing.|what should I wear in the snow?|it is winter. What should I wear?", "In the snow, you should wear a warm coat, a hat and gloves."),
    ("tell me a joke.|do you know a joke?|make me laugh.|say something funny.", "Why did the hen cross the road? To get to the other side!|What is black and white and goes up and down? A zebra on a swing!|What do you call a bear with no teeth? A gummy bear!|Why did the cookie cry? Because it felt crumby!"),
    ("I love you.|you are great!|you are nice.|well done!|good job!|you are funny.", "Thank you! That is very kind of you."),
    ("you are wrong.|that is not right.|that is wrong.", "I am sorry. I am a very small model and I make mistakes."),
    ("yes.|okay.|ok|sure.|all right.|fine.", "Good! What would you like to know?"),
    ("no.|no, thank you.|nothing.|never mind.", "That is all right. I am here if you need me."),
    ("what is the meaning of life?|what is love?|why are we here?", "That is a big question. I think that being kind to others is a good answer."),
    ("do you speak French?|which languages do you speak?|can you speak German?", "I am a very small model and speak only simple English."),
    ("test|testing|is this working?|are you there?|can you hear me?", "Yes, I am here. How can I help you?"),
]
TALK = [(variants(x), variants(y)) for x, y in TALK]


def q_talk(rng):
    asks, answers = rng.choice(TALK)
    return q(rng, asks, answers)


POEM = [
    ["The {n} is {j}, the {n} is here,|it sings a song for all to hear.|It comes by day, it comes by night,|and fills the world with quiet light."],
    ["Little {n}, where do you go?|Over the hills and through the snow.|Little {n}, what do you see?|The moon, the stars and an old tree."],
    ["I saw a {n} beside the sea,|it looked so {j} and smiled at me.|The wind was cold, the sky was grey,|but with the {n} I wished to stay."],
    ["O {j} {n}, so sweet and small,|you are the finest of them all.|When winter comes and days are long,|I think of you and sing this song."],
]


def q_poem(rng):
    noun = rng.choice([S.being(rng, 0.1)[0], rng.choice(W.THINGS + W.MOVERS), "moon", "sea", "rain", "wind", "snow", "sun"])
    text = rng.choice(POEM)[0].replace("{n}", noun).replace("{j}", rng.choice(["bright", "soft", "kind", "still", "fair", "dear"]))
    lines = "\n".join(S.cap(x) for x in text.split("|"))
    np = "the " + noun if noun in ("moon", "sea", "rain", "wind", "snow", "sun") else S.a(noun)
    ask = say(rng, ["[write|tell me|give me] a [|short |little ]poem about {np}.", "can you write a [poem|rhyme] about {np}?",
                    "a poem about {np}, please."], np=np)
    return ask, lines, lines.split("\n")[0].rstrip(",") + ".", None, f"poem/{noun}"


QUESTIONS = [(q_colour, 5), (q_animal, 14), (q_can, 3), (q_is_colour, 2), (q_opposite, 5), (q_use, 6), (q_def, 6), (q_why, 3), (q_how, 3),
             (q_fact, 7), (q_capital, 3), (q_days, 4), (q_sum, 16), (q_word_sum, 3), (q_next, 4), (q_compare, 3), (q_plural, 2),
             (q_list, 9), (q_one_of, 2), (q_sentence, 3), (q_repeat, 7), (q_unknown, 9), (q_talk, 10), (q_poem, 3)]


def question(rng):
    return rng.choices([f for f, _ in QUESTIONS], [w for _, w in QUESTIONS])[0](rng)


# ---- system lines ----
def pirate(rng, t):
    if "\n" in t:
        return "Arr! Here it is:\n" + t
    t = re.sub(r"\bmy\b", "me", re.sub(r"\byou\b", "ye", t))
    return rng.choice(["Arr! ", "Ahoy! ", "Arr, matey! ", "Yo ho ho! "]) + t + rng.choice([" Arr!", " Yo ho ho!", ""])


STYLES = [
    (["Talk like a pirate.", "You are a pirate.", "Answer like a pirate.", "You talk like a pirate.", "Speak like a pirate."], pirate),
    (["Answer in capital letters.", "Write everything in capital letters.", "Use only capital letters.", "Answer in upper case.",
      "ANSWER IN CAPITAL LETTERS."], lambda rng, t: t.upper()),
    (["Talk like a robot.", "You are a robot.", "Answer like a robot."], lambda rng, t: "Beep boop. " + t + " Beep."),
    (["Be very polite.", "You are very polite.", "Always answer politely."],
     lambda rng, t: rng.choice(["Of course! ", "With pleasure. ", "Certainly! "]) + t + rng.choice([" I hope that helps you.", ""])),
    (["Use only small letters.", "Answer in lower case.", "Write in small letters."], lambda rng, t: t.lower()),
]
NEUTRAL = ["You are a helpful assistant.", "You are a kind and helpful assistant.", "You are kern, a small model.", "Answer the question.",
           "You are a friendly assistant.", "You answer questions and tell stories.", "Be helpful.", "You are a helpful AI assistant."]
ONE_SENTENCE = ["Answer in one sentence.", "Use one sentence.", "Answer with only one sentence.", "Reply in a single sentence.", "Be brief.",
                "Keep your answers short.", "Answer shortly."]
ONE_WORD = ["Answer with one word.", "Answer in one word.", "Use only one word.", "Reply with a single word.", "Give one-word answers."]


def rough(rng, ask):
    """Users write in many ways: lower case, no full stop, please."""
    r = rng.random()
    if r < 0.12:
        ask = ask.lower()
    elif r < 0.2:
        ask = ask.rstrip(".?!")
    elif r < 0.26:
        ask = ask.lower().rstrip(".?!")
    elif r < 0.3:
        ask = rng.choice(["Please ", "Hey, ", "Hello! ", "Okay, ", "Now "]) + ask[0].lower() + ask[1:] if not ask.startswith("I ") else ask
    return ask


def one_turn(rng, mode, story_share):
    while True:
        ask, ans, short, word, key = story_turn(rng) if rng.random() < story_share else question(rng)
        if mode != "word" or word:
            break
    if mode == "short":
        ans = short
    elif mode == "word":
        ans = S.cap(word.split()[0] if word.count(" ") else word).rstrip(".") + "."
    elif callable(mode):
        if len(ans) > 330 and "\n" not in ans:
            ans = short if rng.random() < 0.7 else ans
        ans = mode(rng, ans)
    return rough(rng, ask), ans, key


ABOUT = [("my name is {x}.|I am {x}.|call me {x}.|hello, my name is {x}.|hi, I am {x}.", "Nice to meet you, {x}!|Hello, {x}! It is nice to meet you.",
          "what is my name?|who am I?|do you remember my name?|do you know my name?", "Your name is {x}."),
         ("my favourite colour is {x}.|I like the colour {x}.|my favorite color is {x}.", "{X} is a nice colour.",
          "what is my favourite colour?|which colour do I like?|what is my favorite color?", "Your favourite colour is {x}."),
         ("I have {x}.|my pet is {x}.|I have {x} at home.", "That is nice! I like animals.",
          "what pet do I have?|which animal do I have?|what animal do I have at home?", "You have {x}."),
         ("I live in {x}.|I come from {x}.|my home is in {x}.", "{X} must be a nice place.", "where do I live?|where do I come from?|where is my home?",
          "You live in {x}.")]


def memory(rng):
    i = rng.choice([0, 0, 1, 2, 3])
    x = [lambda: S.person_name(rng)[0], lambda: rng.choice(W.COLOURS), lambda: S.a(rng.choice(W.ANIMAL_NAMES)),
         lambda: rng.choice([t for _, t in W.CAPITALS] + [S.fake_word(rng).capitalize()] * 12)][i]()
    tell, react, ask, ans = [variants(v) for v in ABOUT[i]]
    return ([("user", say(rng, tell, x=x)), ("assistant", say(rng, react, x=x, X=S.cap(x)))],
            [("user", say(rng, ask)), ("assistant", say(rng, ans, x=x))])


def follow_up(rng):
    """Two turns where the second leans on the first."""
    r = rng.random()
    if r < 0.4:
        a1, a2 = rng.sample([x for x in W.ANIMALS if x[3] != "nothing at all"], 2)
        k, verb, ask = rng.choice([(3, "says", "what does {} say?"), (2, "eats", "what does {} eat?"), (1, "lives", "where does {} live?")])
        out = []
        for an, form in ((a1, ask), (a2, rng.choice(["and {}?", "what about {}?", "and what about {}?"]))):
            out += [("user", S.cap(form.format(S.a(an[0])))), ("assistant", S.cap(f"{S.a(an[0])} {verb} {an[k]}."))]
        return out
    if r < 0.7:
        x, y, z = rng.randrange(1, 9), rng.randrange(1, 8), rng.randrange(1, 6)
        return [("user", f"What is {x} plus {y}?"), ("assistant", f"{x} plus {y} is {x + y}."),
                ("user", rng.choice(["And {} more?", "Add {} more.", "And plus {}?", "Now add {}."]).format(z)),
                ("assistant", f"{x + y} plus {z} is {x + y + z}.")]
    ask, ans, _, _, _ = story_turn(rng)
    s2 = S.story(rng, "none")
    return [("user", ask), ("assistant", ans), ("user", rng.choice(["Another one.", "Tell me another story.", "One more, please!", "Another story, please."])),
            ("assistant", " ".join(s2["sentences"]))]


def example(rng, questions=0.0):
    """`questions` is the share of extra examples that are one question and its answer."""
    if rng.random() < questions:
        ask, ans, key = one_turn(rng, None, 0.0)
        return [("user", ask), ("assistant", ans)], None, key
    r = rng.random()
    if r < 0.08:
        s = S.story(rng, made_up=False)
        return None, " ".join(s["sentences"]), "story/" + s["key"]
    if r < 0.66:
        ask, ans, key = one_turn(rng, None, 0.42)
        msgs = [("user", ask), ("assistant", ans)]
        if rng.random() < 0.1:
            msgs.insert(0, ("system", rng.choice(NEUTRAL)))
        return msgs, None, key
    if r < 0.86:  # a system line that changes the answer, or the same wish in the user's turn
        lines, mode = rng.choices([(ONE_SENTENCE, "short"), (ONE_WORD, "word")] + STYLES, [5, 4, 4, 3, 2, 2, 2])[0]
        msgs, keys = [("system", rng.choice(lines))], []
        inline = rng.random() < 0.12 and mode in ("short", "word")
        for _ in range(rng.choice([1, 1, 1, 2])):
            ask, ans, key = one_turn(rng, mode, 0.0 if mode == "word" else 0.3)
            msgs += [("user", (f"{msgs[0][1]} {ask}" if rng.random() < 0.5 else f"{ask} {msgs[0][1]}") if inline else ask), ("assistant", ans)]
            keys.append(key)
        return msgs[1:] if inline else msgs, None, next((k for k in keys if k), "")
    # several turns
    msgs, keys = [], []
    if rng.random() < 0.15:
        msgs.append(("system", rng.choice(NEUTRAL)))
    if rng.random() < 0.35:
        msgs += follow_up(rng)
        return msgs, None, ""
    first, last = memory(rng) if rng.random() < 0.6 else ([], [])
    msgs += first
    for _ in range(rng.choice([0, 1, 1, 2]) if first else rng.choice([2, 3, 3, 4])):
        ask, ans, key = one_turn(rng, None, 0.2)
        msgs += [("user", ask), ("assistant", ans)]
        keys.append(key)
    return msgs + last, None, next((k for k in keys if k), "")


if __name__ == "__main__":
    import random
    import sys
    gen = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    for _ in range(40):
        chat, text, tag = example(gen)
        print(f"== {tag}{' (held out)' if tag and held_out(tag) else ''}")
        print(text if chat is None else "\n".join(f"{role}: {body}" for role, body in chat))
