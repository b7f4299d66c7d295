"""Short stories for the demo model, written from small grammars.

A story frame is a list of sentence templates.  In a template, [a|b] chooses, {x} takes a value from the story's
context, and a sentence that begins with ? is left out half of the time.  story() returns the request's subject,
the sentences, and a key (subject word, frame) by which a share of all combinations is held out of training.
"""

import re

import train_demo_words as W

_PART = re.compile(r"\[([^\[\]]*)\]")


def expand(rng, template, ctx):
    """Resolve the innermost choices first, then the slots."""
    while "[" in template:
        template = _PART.sub(lambda m: rng.choice(m.group(1).split("|")), template)
    return re.sub(r"\{(\w+)\}", lambda m: pick(rng, ctx[m.group(1)]), template)


def pick(rng, value):
    return rng.choice(value) if isinstance(value, (list, tuple)) else value


def cap(s):
    for i, c in enumerate(s):
        if c.isalpha():
            return s[:i] + c.upper() + s[i + 1:]
        if c not in "\"'":
            break
    return s


def a(noun):
    return ("an " if noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one", "eu", "use")) else "a ") + noun


SYL1 = "b bl br c ch cl d dr f fl fr g gl gr h j k kl l m n p pl pr qu r s sh sk sl sn sp st t th tr v w y z".split()
SYL2 = "a e i o u a e i o u oo ee ai ou".split()
SYL3 = "b ck d g l ll m mp n nd ng nk p r rt s sh st t x zz".split()


def fake_word(rng):
    w = rng.choice(SYL1) + rng.choice(SYL2)
    if rng.random() < 0.7:
        w += rng.choice("bcdfgklmnprstvz") + rng.choice(SYL2)
    return w + (rng.choice(SYL3) if rng.random() < 0.7 else "")


def person_name(rng, fake=0.15):
    """A given name and whether it takes 'he'; some are made up, so that unseen names can be copied."""
    if rng.random() < fake:
        return fake_word(rng).capitalize(), rng.random() < 0.5
    he = rng.random() < 0.5
    return rng.choice(W.BOYS if he else W.GIRLS), he


# ---- frames for anyone who can walk and talk: h = hero, f = friend ----
LIVE = {
    "lost": [
        "one [morning|day|afternoon], {h} [lost|could not find] {his} {item}.",
        "{he} looked {hide}, but it was not there.",
        "{he} looked {hide2}, but it was not there either.",
        "?{he} [felt very sad|began to cry|did not know what to do].",
        "then {he} met {fa}.",
        "\"[what is wrong|why are you so sad|what are you looking for]?\" asked {f}.",
        "\"I have lost my {item},\" said {h}.",
        "\"[let us look together|I will help you|do not worry, I can help you],\" said {f}.",
        "together they [looked and looked|searched for a long time], and [at last|soon] they found the {item} {hide3}.",
        "\"thank you!\" said {h}, and {he} [gave {f} a big hug|was very happy|smiled at {f}].",
        "[from that day on, {h} always took good care of the {item}|from then on, they were good friends].",
    ],
    "storm": [
        "one [day|evening|afternoon], {he} went for a walk to {walk}.",
        "suddenly the sky turned dark and it began to [rain|snow|storm].",
        "{h} was [wet and cold|cold and far from home].",
        "{he} saw a little house with a light in the window, and {he} knocked on the door.",
        "{fa} opened the door.",
        "\"come in and get warm,\" said {f}.",
        "they sat by the fire and [ate {food}|drank hot tea|told each other stories].",
        "?outside, the wind was loud, but inside it was warm and cosy.",
        "[soon the storm was over|in the morning the sun came out], and {h} could go home.",
        "\"[thank you for your help|you are very kind],\" said {h}.",
        "after that day, {h} often [came back to visit {f}|went to see {f}].",
    ],
    "fear": [
        "{h} had one problem: {he} was afraid of {fear}.",
        "?the others laughed at {him}, and that made {him} sad.",
        "one [night|day], {h} heard a small voice [near {walk}|in the distance].",
        "\"help! please help me!\" called the voice.",
        "it was {fa} who was [stuck in a hole|caught in a bush|lost and alone].",
        "{h} was afraid, but {he} took a deep breath and went to help.",
        "{he} [pulled and pulled|worked hard], and at last {f} was [free|safe].",
        "\"[you are so brave|thank you, you saved me]!\" said {f}.",
        "{h} [smiled|was proud].",
        "from that day on, {he} was not so afraid of {fear} any more.",
    ],
    "share": [
        "one day, {h} found {food} near {walk}.",
        "{he} was very hungry and wanted to eat it all.",
        "just then, {fa} came by.",
        "\"I have not eaten all day,\" said {f} [softly|sadly|quietly].",
        "{h} thought for a moment.",
        "then {he} [gave half of the food to {f}|gave {f} the bigger piece].",
        "they sat [under a tree|on the grass|in the sun] and ate together.",
        "?the food tasted better than ever before.",
        "the next day, {f} came back with {food2}.",
        "\"this is for you, because you were kind,\" said {f}.",
        "{h} learned that [sharing makes everyone happy|it is good to share].",
    ],
    "learn": [
        "{h} wanted to learn to {skill}.",
        "?\"that is too hard for you,\" said the others.",
        "[on the first day|at first], {he} tried and tried, but {he} could not do it.",
        "{he} was sad and wanted to [stop|give up].",
        "then {fa} came and said, \"[do not give up|try again]. I will show you.\"",
        "{h} [tried again|practised] every day.",
        "[slowly|little by little], it became easier.",
        "one [fine|sunny|bright] morning, {h} could {skill}!",
        "everyone clapped, and {f} was very proud.",
        "\"now I know that I can do it,\" said {h} [with a smile|happily].",
    ],
    "make": [
        "one [sunny|quiet|fine] morning, {h} decided to make {make}.",
        "{he} worked [all day|very hard], but [it was too much work for one|something was always wrong].",
        "{fa} saw {him} and asked, \"can I help you?\"",
        "\"yes, please,\" said {h}.",
        "together they worked until the sun went down.",
        "?they sang a song, and the work was easy.",
        "at last {make} was ready, and it was [beautiful|wonderful|the best one in the whole land].",
        "everyone came to look at it.",
        "\"we made it together,\" said {h} [proudly|happily].",
        "that night, {h} and {f} were tired but [very happy|glad].",
    ],
    "race": [
        "one day, {fa} said, \"I am faster than you.\"",
        "\"let us have a race to {walk},\" said {h}.",
        "they both [began to run|started at the old tree].",
        "{f} was fast and soon far ahead.",
        "but then {f} [fell into the mud|stopped to rest and fell asleep|took the wrong path].",
        "{h} [stopped to help|came back to help {f}], and they walked on together.",
        "they came to the end at the same time.",
        "\"[we both won|nobody lost today],\" said {h} with a laugh.",
        "from then on, they were the best of friends.",
    ],
    "gift": [
        "it was {h}'s birthday, but nobody [said a word about it|seemed to remember].",
        "{h} went for a walk to {walk} and felt [sad|lonely].",
        "?even the birds were quiet that day.",
        "when {he} came home, the house was dark.",
        "{he} opened the door slowly.",
        "\"surprise!\" shouted {fa} and all the others.",
        "there was a big cake, and there were [balloons and flowers|candles and songs].",
        "{f} gave {him} {agift}.",
        "\"this is the best birthday of my life,\" said {h}.",
        "they [danced|played|sang] until late at night.",
    ],
    "garden": [
        "in spring, {h} planted {seed} in the ground.",
        "every day {he} gave it water, but nothing happened.",
        "\"when will it grow?\" {he} asked {fa}.",
        "\"you must wait,\" said {f}. \"good things need time.\"",
        "so {h} waited [for many days|a long time].",
        "then one morning there was a little green leaf!",
        "it grew [bigger and bigger|taller and taller] in the sun and the rain.",
        "in summer, the plant was the [finest|tallest|prettiest] in the garden.",
        "{h} was happy that {he} had waited.",
    ],
    "night": [
        "one night, {h} could not sleep.",
        "{he} [turned this way and that way|counted to a hundred], but nothing helped.",
        "so {he} went outside and looked at the [moon|stars].",
        "there {he} met {fa}, who could not sleep either.",
        "\"let us count the stars,\" said {f}.",
        "they lay down in the soft grass and counted, one, two, three.",
        "?a cool wind moved the leaves, and an owl called far away.",
        "before they came to [twenty|fifty|ten], [both|they both] were fast asleep.",
        "in the morning, the sun woke them up, and they [laughed|smiled].",
        "since then, {h} [loves the night|is never alone at night].",
    ],
    "friend": [
        "{h} had no friends and often played alone.",
        "\"I wish I had a friend,\" {he} said [to the moon|every evening|with a sigh].",
        "one day, {fa} came [down the road|to {walk}].",
        "at first, {h} was too shy to speak.",
        "then {f} smiled and said, \"hello! do you want to play with me?\"",
        "\"yes!\" said {h} [happily|at once].",
        "they [played by the river|climbed the hill|ran in the grass] all day long.",
        "?they laughed so much that the birds laughed too.",
        "when the sun went down, {f} said, \"I will come back tomorrow.\"",
        "{h} went to bed with a smile, for {he} was not lonely any more.",
    ],
    "stuck": [
        "one [cold|windy|sunny] day, {h} was on the way to {walk}.",
        "{he} saw {fa} who [could not cross the river|was stuck in the mud|had a hurt foot].",
        "\"can you help me?\" asked {f}.",
        "\"of course,\" said {h}.",
        "{he} had a good idea: {he} [took a long rope|found a strong branch|made a little bridge of wood].",
        "{he} pulled with all {his} strength, and soon {f} was safe.",
        "\"how can I thank you?\" asked {f}.",
        "\"you do not need to,\" said {h}. \"friends help each other.\"",
        "then they walked home together [in the evening sun|and sang a merry song].",
    ],
    "sea": [
        "{h} had always wanted to see the [sea|big world|other side of the mountain].",
        "so one morning {he} packed {food} and [set off|started on a long journey].",
        "{he} walked over hills and through forests.",
        "on the way, {he} met {fa}.",
        "\"where are you going?\" asked {f}.",
        "\"I am going to see something new,\" said {h}. \"come with me!\"",
        "they walked [for three days|many miles] together, and [at last|in the end] they arrived.",
        "it was more beautiful than {h} had ever dreamed.",
        "they stayed until the sun went down, and then they went home with many stories to tell.",
    ],
    "lie": [
        "one day, {h} borrowed the {item} of {fa} and broke it by accident.",
        "{he} was afraid and hid it {hide}.",
        "soon {f} came and asked, \"have you seen my {item}?\"",
        "{h} looked at the ground and said nothing.",
        "but {he} could not [eat|play|sleep] because {he} felt so bad.",
        "at last {he} went to {f} and told the truth.",
        "\"I broke it. I am sorry,\" said {h}.",
        "\"thank you for telling me,\" said {f}. \"we can fix it together.\"",
        "they fixed the {item}, and it was as good as new.",
        "{h} felt light and happy again, and {he} always told the truth after that.",
    ],
}
# ---- frames for things that move: boats, kites, clouds ----
MOVE = {
    "far": [
        "{h} wanted to see [the whole world|faraway lands|what was behind the hills].",
        "?\"you are too small for that,\" said the others.",
        "but one [bright|windy|fine] morning, {h} set off [alone|with a happy heart].",
        "on the way, {he} met {fa}.",
        "\"where are you going?\" asked {f}.",
        "\"I am going as far as I can,\" said {h}.",
        "suddenly a big storm came, and the wind [blew and blew|was very strong].",
        "{h} was afraid, but {he} did not give up.",
        "[at last|soon] the storm was over, and the sun came out again.",
        "{h} saw [a wide green land|a rainbow|a quiet bay], and it was beautiful.",
        "then {he} came home, and everyone listened to {his} story.",
    ],
    "rescue": [
        "one [stormy|dark|cold] night, {h} heard a cry for help.",
        "it was {fa}, lost and alone.",
        "all the others were [asleep|too afraid to go out].",
        "but {h} was brave and went out into the dark.",
        "the wind was loud and the rain was cold.",
        "\"do not be afraid,\" called {h}. \"I am coming!\"",
        "{he} found {f} and brought {fhim} safely home.",
        "\"you saved me!\" said {f}.",
        "from that day on, nobody [laughed at {h}|forgot how brave {h} was].",
    ],
    "broken": [
        "one day, {h} could not move any more.",
        "{he} was [stuck|broken] and very sad.",
        "many people went by, but nobody stopped.",
        "then {fa} came and looked at {him}.",
        "\"poor thing,\" said {f}. \"I will help you.\"",
        "{f} worked all day and did not stop until everything was right again.",
        "in the evening, {h} could move just as before.",
        "\"thank you!\" said {h}. \"now I will take you wherever you want to go.\"",
        "and off they went, [singing a song|happy and free|into the evening sun].",
    ],
}
# ---- frames for things that stay where they are: lamps, clocks, keys; f = the one who finds it ----
THING = {
    "shelf": [
        "{h} [stood on a shelf in an old shop|lay in a dark corner of the attic|was in a box under the stairs].",
        "nobody wanted it, and it was [covered in dust|very lonely].",
        "?\"I wish someone would take me home,\" it thought.",
        "one day, {fa} came in and saw it.",
        "\"what a [beautiful|wonderful|pretty] {noun}!\" said {f}.",
        "{f} cleaned it and took it home.",
        "from then on, {h} had a special place [by the window|near the fire|in the house].",
        "every day {f} used it with great care.",
        "and {h} was never lonely again.",
    ],
    "magic": [
        "it looked like any other {noun}, but it was magic.",
        "one day, {fa} found it {hide}.",
        "{f} touched it, and the {noun} began to [glow|sing softly|shine like gold].",
        "\"I will give you one wish,\" said the {noun}.",
        "{f} thought for a long time.",
        "\"I wish that [everyone in the village has enough to eat|my friends are always happy|it will be spring again],\" said {f}.",
        "and so it happened.",
        "everyone was [happy|glad], and they had a big party.",
        "the {noun} was quiet after that, but {f} kept it for ever.",
    ],
    "foundit": [
        "one day, {fa} lost {h} on the way to {walk}.",
        "it lay {hide}, all alone in the [rain|cold|dark].",
        "{f} looked everywhere, but could not find it.",
        "?that night, {f} could not sleep.",
        "the next morning, a little bird saw the {noun} and called out loudly.",
        "{f} heard the bird and came running.",
        "\"there you are!\" said {f} and picked it up.",
        "the bird got some bread as a thank you.",
        "and {f} never lost the {noun} again.",
    ],
}
# ---- frames for big things that nobody can carry: trees, castles, bridges ----
BIG = {
    "visit": [
        "{h} [stood alone on a hill|stood at the end of the road|had been there for a hundred years].",
        "nobody came to see it any more, and it was [sad|lonely].",
        "then one [sunny|windy|fine] day, {fa} came by.",
        "\"what a [beautiful|wonderful|fine] {noun}!\" said {f}. \"I would like to stay here.\"",
        "{f} [sat down in the shade|rested there|looked at it for a long time] and ate {food}.",
        "the next day, {f} came back with many friends.",
        "they played and sang songs until the sun went down.",
        "from then on, somebody came every day.",
        "and {h} was never lonely again.",
    ],
    "shelter": [
        "one [night|evening], a big storm came over the land.",
        "{fa} was out in the [rain|wind|snow] and had no place to go.",
        "then {f} saw {h} and ran to it.",
        "\"may I stay here?\" asked {f}.",
        "\"of course,\" said {h}. \"you are safe with me.\"",
        "all night the wind blew, but {f} was dry and warm.",
        "in the morning the sun came out again.",
        "\"thank you,\" said {f}. \"I will never forget you.\"",
        "and {f} came back every year to say hello.",
    ],
}
BIG_THINGS = W.words("tree, castle, house, bridge, bench, rose, sunflower, tent, door, window, table, oak, tower, barn, lighthouse, mill, windmill")
TOPICS = {
    "friendship": "friend", "friends": "friend", "kindness": "share", "sharing": "share", "the rain": "storm",
    "a storm": "storm", "the night": "night", "the stars": "night", "the moon": "night", "a birthday": "gift",
    "a party": "gift", "a race": "race", "a garden": "garden", "spring": "garden", "being brave": "fear", "courage": "fear",
    "learning something new": "learn", "a journey": "sea", "the sea": "sea", "an adventure": "sea", "helping others": "stuck",
    "telling the truth": "lie", "something lost": "lost", "work": "make", "the weather": "storm", "winter": "storm",
    "summer": "garden", "patience": "garden", "sleep": "night", "a surprise": "gift", "hope": "learn",
}
OPEN = ["[once upon a time|once upon a time,|long ago,|once|a long time ago,] there [was|lived] {ha}{named}."]
LIVES = ["{he} lived {place}.", "{he} lived {place} [with {his} family|all alone|and loved {fun}].", "{his} home was {place}."]
MOVE_LIVES = ["{he} lived {place}.", "{his} home was {place}.", "{he} was [small, but never afraid|not like the others]."]
THING_LIVES = ["it was [small and old|very pretty|not like the others].", "it belonged to {owner}."]
TRAIT = ["everyone knew how {adj} {he} was.", "{he} was very {adj}.", "{he} was {adj} and {adj2}.", "{h} was always {adj}."]
# what a request may say about the hero, and the frame that tells it
CLAUSE = {
    "lost": ["who lost {his} {item}", "who cannot find {his} {item}", "looking for {his} {item}"],
    "storm": ["in the rain", "in a storm", "in the snow", "who gets lost in a storm"],
    "fear": ["who is afraid of {fear}", "who was afraid of {fear}", "and {his} fear of {fear}"],
    "share": ["who learns to share", "who finds {food}", "who shares {his} food"],
    "learn": ["who wants to {skill}", "who learns to {skill}", "who cannot {skill}", "learning to {skill}"],
    "make": ["who makes {make}", "who builds {make}", "making {make}"],
    "race": ["who runs a race", "in a race"],
    "gift": ["who has a birthday", "and {his} birthday", "who gets a surprise"],
    "garden": ["who plants {seed}", "with a garden"],
    "night": ["who cannot sleep", "looking at the stars", "at night"],
    "friend": ["who has no friends", "who is lonely", "who finds a friend", "looking for a friend"],
    "stuck": ["who helps a friend", "who helps others"],
    "sea": ["who goes on a journey", "who wants to see the world", "on an adventure"],
    "lie": ["who tells a lie", "who tells the truth", "who breaks something"],
}
FUN = W.words("""to sing, to play in the sun, to look at the clouds, to walk in the rain, to eat {food}, to tell stories,
to count the stars, to run in the grass, to listen to the wind, to laugh""")
END = ["the end.", "and that is the end of the story.", "and they all lived happily ever after."]


def being(rng, fake=0.1):
    """A random living subject: (noun, pronoun he/she/it)."""
    r = rng.random()
    if r < 0.55:
        noun = rng.choice(W.ANIMAL_NAMES)
    elif r < 0.75 - fake / 2:
        noun = rng.choice(W.MORE_ANIMALS)
    elif r < 1 - fake:
        noun = rng.choice(W.PEOPLE)
    else:
        noun = fake_word(rng)
    return noun, pronoun(rng, noun)


def pronoun(rng, noun):
    if noun in W.HE_PEOPLE:
        return "he"
    if noun in W.SHE_PEOPLE:
        return "she"
    return rng.choice(["he", "she"])


def adjectives(rng, bank, n):
    picked = rng.sample(bank, n)
    size = [x for x in picked if x in ("little", "small", "big", "tiny")]
    rest = [x for x in picked if x not in size]
    return rest + size[:1]


PRON = {"he": ("his", "him"), "she": ("her", "her"), "it": ("its", "it")}


def set_hero(rng, ctx, he, forms):
    ctx.update(h=forms, he=he, his=PRON[he][0], him=PRON[he][1])


def set_friend(rng, ctx, first, forms, he):
    ctx.update(fa=first, f=forms, fhim=PRON[he][1])


def random_friend(rng, ctx, avoid=""):
    if rng.random() < 0.25:
        name, he = person_name(rng, 0)
        first, ref = f"{rng.choice(['a boy', 'a child']) if he else rng.choice(['a girl', 'a child'])} named {name}", name
        pr = "he" if he else "she"
    else:
        noun, pr = being(rng, 0)
        while noun == avoid:
            noun, pr = being(rng, 0)
        adj = rng.choice(["old", "kind", "little", "young", "big", "friendly", "wise", "small"]) if rng.random() < 0.5 else ""
        first, ref = a(f"{adj} {noun}".strip()), f"the {noun}"
    set_friend(rng, ctx, first, ref, pr)


def story(rng, kind=None, made_up=True):
    """One story: dict(subject, sentences, key, short)."""
    kind = kind or rng.choices(["one", "two", "named", "thing", "mover", "child", "item", "topic", "none"],
                               [34, 12, 9, 9, 9, 8, 9, 6, 6])[0]
    places = rng.sample(W.HIDING, 3)
    foods = rng.sample(W.FOODS, 2)
    ads = rng.sample([x for x in W.ADJ if x not in ("lost", "old", "big", "small", "little", "tiny", "young")], 2)
    ctx = dict(place=rng.choice(W.PLACES), walk=rng.choice(W.WALKS), hide=places[0], hide2=places[1], hide3=places[2],
               food=foods[0], food2=foods[1], skill=rng.choice(W.SKILLS), fear=rng.choice(W.FEARS), make=rng.choice(W.MAKES),
               seed=rng.choice(W.SEEDS), adj=ads[0], adj2=ads[1], named="", noun="", owner="")
    ctx["item"] = rng.choice(W.LOSABLE)
    if rng.random() < 0.4:
        ctx["item"] = rng.choice([x for x in W.THING_ADJ if x not in ("lost", "brave", "happy", "sad", "lonely")]) + " " + ctx["item"]
    ctx["agift"] = a(ctx["item"])
    ctx["fun"] = rng.choice(FUN).replace("{food}", "cake")
    bank, frame, subject = LIVE, None, None
    fake = 1.0 if made_up and kind not in ("none", "topic") else 0.0  # made-up words only where a request names them
    noun, he = being(rng, 0.16 * fake)
    adjs = adjectives(rng, W.ADJ, rng.choices([0, 1, 2], [50, 35, 15])[0])
    if kind == "thing":
        noun, he = rng.choice(W.THINGS) if rng.random() < 1 - 0.13 * fake else fake_word(rng), "it"
        bank = THING
        if noun in BIG_THINGS or rng.random() < 0.15:
            noun, bank = rng.choice(BIG_THINGS), BIG
        adjs = adjectives(rng, W.THING_ADJ, rng.choices([0, 1, 2], [45, 40, 15])[0])
    elif kind == "mover":
        noun, he = rng.choice(W.MOVERS) if rng.random() < 1 - 0.12 * fake else fake_word(rng), "it"
        bank, adjs = MOVE, adjectives(rng, W.THING_ADJ + ["brave", "kind", "curious", "young", "little"] * 3,
                                      rng.choices([0, 1, 2], [45, 35, 20])[0])
        adjs = list(dict.fromkeys(adjs))
    ref = f"the {noun}"
    full = " ".join(adjs + [noun])
    ctx["noun"] = noun
    key_noun = noun
    if kind in ("child", "item"):
        name, is_he = person_name(rng, 0.2 * fake)
        he, ref, key_noun = ("he" if is_he else "she"), name, name
        child = rng.choice(["a boy", "a little boy", "a young boy", "a child"] if is_he else
                           ["a girl", "a little girl", "a young girl", "a child"])
        ctx.update(ha=child, named=f" {rng.choice(['named', 'called'])} {name}")
        subject = rng.choice([name, f"{child} named {name}", f"{child} called {name}", name])
        if kind == "item":
            frame = "lost"
            subject = f"{name} and {rng.choice(['a', 'the'])} lost {ctx['item']}"
            if subject.split(" and ")[1].startswith("a lost") and rng.random() < 0.3:
                subject = f"{name} and {'his' if is_he else 'her'} lost {ctx['item']}"
    else:
        ctx["ha"] = a(full)
        subject = ctx["ha"]
        if kind == "named" or (kind in ("one", "none") and rng.random() < 0.2):
            share = 0.2 * fake if kind == "named" else 0
            name, is_he = person_name(rng, share)
            while (noun in W.HE_PEOPLE and not is_he) or (noun in W.SHE_PEOPLE and is_he):
                name, is_he = person_name(rng, share)
            if noun not in W.HE_PEOPLE and noun not in W.SHE_PEOPLE:
                he = "he" if is_he else "she"
            ctx["named"] = f" {rng.choice(['named', 'called'])} {name}"
            if kind == "named":
                subject = rng.choice([f"{subject} named {name}", f"{subject} called {name}", f"{name} the {noun}"])
            ref = rng.choice([name, name, ref])
    set_hero(rng, ctx, he, ref)
    if kind == "two":
        n2, he2 = being(rng, 0.16 * fake)
        while n2 == noun:
            n2, he2 = being(rng)
        if rng.random() < 0.15:
            n2, he2 = rng.choice(W.MOVERS + W.THINGS), "it"
            while n2 == noun:
                n2 = rng.choice(W.MOVERS)
        full2 = " ".join(adjectives(rng, W.ADJ[:20], rng.choice([0, 0, 1])) + [n2])
        set_friend(rng, ctx, a(full2), f"the {n2}", he2)
        subject = f"{ctx['ha']} and {a(full2)}"
    elif kind == "child" and rng.random() < 0.4:  # "Anna and a fox", "Anna and Ben"
        n2, he2 = being(rng, 0.12 * fake)
        if rng.random() < 0.4:
            n2, m = person_name(rng, 0.2 * fake)
            while n2 == name:
                n2, m = person_name(rng, 0.2 * fake)
            he2 = "he" if m else "she"
            set_friend(rng, ctx, f"{'a boy' if m else 'a girl'} named {n2}", n2, he2)
            subject = f"{name} and {n2}"
        else:
            set_friend(rng, ctx, a(n2), f"the {n2}", he2)
            subject = f"{name} and {a(n2)}"
    else:
        random_friend(rng, ctx, noun)
    if kind == "topic":
        subject = rng.choice(list(TOPICS))
        frame = TOPICS[subject]
    if kind == "none":
        subject = None
    if kind == "thing":
        ctx["owner"] = rng.choice(["nobody", "an old man", "a rich woman", "a poor family", "a king"])
    frame = frame or rng.choice(list(bank))
    if bank is LIVE and kind in ("one", "child", "named") and " and " not in subject and rng.random() < 0.3:
        subject += " " + expand(rng, rng.choice(CLAUSE[frame]), ctx)
    opening = rng.choice(OPEN)
    sentences = [expand(rng, opening.replace("[was|lived]", "was") if kind == "thing" else opening, ctx)]
    sentences.append(expand(rng, rng.choice({"thing": THING_LIVES, "mover": MOVE_LIVES}.get(kind, LIVES)), ctx))
    if bank is LIVE and rng.random() < 0.4 and (kind in ("child", "item") or not adjs):
        sentences.append(expand(rng, rng.choice(TRAIT), ctx))
    for t in bank[frame]:
        if t[0] == "?":
            if rng.random() < 0.5:
                continue
            t = t[1:]
        sentences.append(expand(rng, t, ctx))
    if rng.random() < 0.3:
        sentences.append(expand(rng, rng.choice(END[:2] if kind != "two" else END), ctx))
    sentences = [capitalise(s) for s in sentences]
    hero = ctx["ha"] + ctx["named"]
    return dict(subject=subject, sentences=sentences, key=f"{key_noun}/{frame}", hero=hero, ctx=ctx, frame=frame)


def capitalise(s):
    """Capital letters at the start of the sentence, of quotations, and after a full stop inside one."""
    s = cap(s)
    s = re.sub(r'([ ,]"|^")([a-z])', lambda m: m.group(1) + m.group(2).upper(), s)
    return re.sub(r'([.!?] |[.!?]" (?=it |he |she |we ))([a-z])(?![a-z]* (?:asked|said|called))',
                  lambda m: m.group(1) + m.group(2).upper() if not m.group(1).rstrip().endswith('"') else m.group(0), s)


# one-sentence stories, for "Answer in one sentence."
ONE = {
    "lost": "{h0} lost {his} {item}, but {fa} helped {him} to find it {hide3}.",
    "storm": "{h0} was caught in the rain, but {fa} let {him} sit by a warm fire.",
    "fear": "{h0} was afraid of {fear}, but {he} was brave and saved {fa}.",
    "share": "{h0} shared {food} with {fa}, and they became good friends.",
    "learn": "{h0} practised every day until {he} could {skill}.",
    "make": "{h0} and {fa} made {make} together, and it was wonderful.",
    "race": "{h0} ran a race with {fa}, and they both won.",
    "gift": "{h0} thought that nobody remembered {his} birthday, but {fa} gave {him} {agift}.",
    "garden": "{h0} planted {seed} and waited until it grew tall.",
    "night": "{h0} could not sleep, so {he} counted the stars with {fa}.",
    "friend": "{h0} was lonely until {fa} came to play.",
    "stuck": "{h0} helped {fa} out of the mud, and they walked home together.",
    "sea": "{h0} walked to the sea with {fa} and came home with many stories.",
    "lie": "{h0} broke {agift}, told the truth, and felt happy again.",
    "far": "{h0} went through a big storm and saw the whole world.",
    "rescue": "{h0} went out into the dark night and saved {fa}.",
    "broken": "{h0} was broken, but {fa} helped until everything was right again.",
    "shelf": "{h0} was lonely on a shelf until {fa} took it home.",
    "magic": "{h0} was magic and gave {fa} one good wish.",
    "visit": "{h0} was lonely until {fa} came by and brought many friends.",
    "shelter": "{h0} kept {fa} safe and warm in a big storm.",
    "foundit": "{h0} was lost in the rain, but a little bird helped {fa} to find it.",
}


def one_sentence(rng, s):
    ctx = dict(s["ctx"], h0=s["hero"])
    return capitalise(expand(rng, ONE[s["frame"]], ctx))


if __name__ == "__main__":
    import random
    import sys
    r = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    for _ in range(12):
        x = story(r)
        print("##", x["subject"], "--", x["key"], "\n" + " ".join(x["sentences"]), "\n>>", one_sentence(r, x), "\n")
