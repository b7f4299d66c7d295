// The names of `tokenizer.ggml.pre` and the patterns behind them. Included by
// pretokenizers.cpp alone.
#pragma once

#include <string_view>

#include "tokenizer/pretokenizers.h"

namespace kern {

// The patterns are those of the models' own tokenizer.json (or of the program
// that trained them), quoted in ggml-org/llama.cpp src/llama-vocab.cpp, which
// is also the source of the names and of what goes with them. Where a pattern
// is written in another way, it matches the same, and the comment says why:
// mostly because the original takes quadratic time for texts that nobody trains
// on but somebody will send.

// openai/gpt-2 src/encoder.py
#define GPT2_WORDS R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"
// OpenAI's cl100k_base and its many descendants: contractions, words, (digits),
// symbols, white space
#define CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define WORDS R"([^\r\n\p{L}\p{N}]?\p{L}+|)"
#define SYMBOLS R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|)"
#define SPACES R"(\s*[\r\n]+|\s+(?!\S)|\s+)"
#define CL100K_BEFORE_DIGITS CONTRACTIONS R"(|)" WORDS
#define CL100K_AFTER_DIGITS SYMBOLS SPACES
// OpenAI's o200k_base: words begin with capitals, go on with small letters
#define LETTER_LEAD R"([^\r\n\p{L}\p{N}]?)"
#define CAPITALS R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define SMALL R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define O200K(contractions, digits)                                                                                    \
  LETTER_LEAD CAPITALS "*" SMALL "+" contractions "|" LETTER_LEAD CAPITALS "+" SMALL "*" contractions "|" digits       \
                       R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|)" SPACES
// The last step of DeepSeek-V3 and its kin, up to the symbols
#define DEEPSEEK3_BEFORE_SYMBOLS                                                                                       \
  R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|)"
#define CHINESE_AND_KANA R"([\x{4e00}-\x{9fa5}\x{3040}-\x{309f}\x{30a0}-\x{30ff}]+)"
// Digits in threes from the right, all of them where what follows the run
// satisfies `end`. A run's first match, of one to three digits, looks ahead to
// the end once for each of its lengths; the others follow on.
#define DIGITS_FROM_RIGHT(end) R"((?<!\d)\d{1,3}(?=(?:\d{3})*+)" end R"()|\G(?<=\d)\d{3})"

constexpr std::string_view gpt2_names[] = {"gpt-2",           "phi-2",       "jina-es",    "jina-de",     "gigachat",
                                           "jina-v2-es",      "jina-v2-de",  "a.x-4.0",    "mellum",      "modern-bert",
                                           "exaone4",         "mpt",         "olmo",       "jais",        "trillion",
                                           "granite-docling", "roberta-bpe", "jina-v1-en", "jina-v2-code"};
constexpr std::string_view gpt2_patterns[] = {GPT2_WORDS};

constexpr std::string_view llama3_names[] = {"llama-bpe", "llama3",   "llama-v3", "falcon3",     "falcon-h1",
                                             "pixtral",   "midm-2.0", "lfm2",     "jina-v5-nano"};
constexpr std::string_view llama3_plain_names[] = {"dbrx", "smaug-bpe", "chatglm-bpe"};
constexpr std::string_view glm4_names[] = {"glm4", "glm5"};
constexpr std::string_view llama3_patterns[] = {CL100K_BEFORE_DIGITS R"(\p{N}{1,3})" CL100K_AFTER_DIGITS};

constexpr std::string_view qwen2_names[] = {"qwen2",     "deepseek-r1-qwen", "kormo",      "f2llmv2", "megrez",
                                            "stablelm2", "hunyuan",          "solar-open", "grok-2"};
constexpr std::string_view qwen2_patterns[] = {CL100K_BEFORE_DIGITS R"(\p{N})" CL100K_AFTER_DIGITS};

constexpr std::string_view qwen35_names[] = {"qwen35"};
constexpr std::string_view qwen35_patterns[] = {
    CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|)" SPACES};

// Turkish suffixes follow an apostrophe, so no contractions
constexpr std::string_view ufakzeka_names[] = {"ufakzeka"};
constexpr std::string_view ufakzeka_patterns[] = {WORDS R"(\p{N})" CL100K_AFTER_DIGITS};

constexpr std::string_view laguna_names[] = {"laguna"};
constexpr std::string_view laguna_patterns[] = {R"([^\n]+|[\n]+)", CL100K_BEFORE_DIGITS R"(\p{N})" CL100K_AFTER_DIGITS};

constexpr std::string_view minicpm5_names[] = {"minicpm5"};
constexpr std::string_view minicpm5_patterns[] = {R"(\p{N}{1,3})",
                                                  CL100K_BEFORE_DIGITS R"(\p{N}+)" CL100K_AFTER_DIGITS};

constexpr std::string_view seed_coder_names[] = {"seed-coder"};
constexpr std::string_view seed_coder_patterns[] = {CL100K_BEFORE_DIGITS R"(\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|)" SPACES};

constexpr std::string_view bailingmoe_names[] = {"bailingmoe", "bailingmoe2", "llada-moe"};
constexpr std::string_view bailingmoe_patterns[] = {
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+)"};

// The original spells the phrases (?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+: the same,
// but not without remembering each letter
constexpr std::string_view exaone_moe_names[] = {"exaone-moe"};
constexpr std::string_view exaone_moe_patterns[] = {
    CONTRACTIONS
    R"(|[^\r\n\p{L}\p{N}]?\p{L}(?:[\p{L}\p{M}]++| \p{L})*+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+)"};

// \s*[\r\n]+ is not tried within a run of spaces: had it a line break to come
// to, the run's start had found it.
constexpr std::string_view jais2_names[] = {"jais-2"};
constexpr std::string_view jais2_patterns[] = {
    CL100K_BEFORE_DIGITS
    R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|(?<!(?![\r\n])\s)\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|)"
    R"(\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1})"};

constexpr std::string_view gpt4o_names[] = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"};
constexpr std::string_view gpt4o_whole_names[] = {"granite-embed-multi-97m"};
constexpr std::string_view gpt4o_patterns[] = {O200K(CONTRACTIONS "?", R"(\p{N}{1,3})")};

constexpr std::string_view tekken_names[] = {"tekken"};
constexpr std::string_view tekken_patterns[] = {O200K("", R"(\p{N})")};

constexpr std::string_view youtu_names[] = {"youtu"};
constexpr std::string_view youtu_patterns[] = {
    R"([\x{ac00}-\x{d7a3}\x{3131}-\x{318e}]+|)"
    R"([\x{ff01}\x{2026}\x{201c}\x{201d}\x{2018}\x{2019}\x{2014}\x{ff1a}\x{ff1b}\x{ff0c}\x{3001}-\x{303f})"
    R"(\x{fe30}-\x{fe4f}]+|[\x{3105}-\x{312f}]+|)" CHINESE_AND_KANA,
    O200K(CONTRACTIONS "?", R"(\p{N})")};

// The original is \d{1,3}(?=(?:\d{3})*\b), then GPT-4o's. After a digit, \b is
// before what Oniguruma's \w is not: that is letters (circled ones too), marks,
// digits, connectors, and ISO 8859-1's fractions and superscripts.
constexpr std::string_view tiny_aya_names[] = {"tiny_aya", "cohere2moe"};
constexpr std::string_view tiny_aya_patterns[] = {
    DIGITS_FROM_RIGHT(R"((?![\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be}\x{24b6}-\x{24e9})"
                      R"(\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}]))"),
    O200K(CONTRACTIONS "?", R"(\p{N}{1,3})")};

// moonshotai/Kimi-K2-Instruct tokenization_kimi.py: o200k_base where
// [CAPITALS&&[^\p{Han}]] and [SMALL&&[^\p{Han}]] stand for capitals and small
// letters. PCRE2 has no && in classes, so these are named by what they are not.
// Its \p{Han} means the script extensions from version 10.40 on, so the script
// (Scripts.txt of Unicode 15.1) is spelled out.
#define HAN                                                                                                            \
  R"(\x{2e80}-\x{2e99}\x{2e9b}-\x{2ef3}\x{2f00}-\x{2fd5}\x{3005}\x{3007}\x{3021}-\x{3029}\x{3038}-\x{303b})"           \
  R"(\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{f900}-\x{fa6d}\x{fa70}-\x{fad9}\x{16fe2}-\x{16fe3}\x{16ff0}-\x{16ff1})"      \
  R"(\x{20000}-\x{2a6df}\x{2a700}-\x{2b739}\x{2b740}-\x{2b81d}\x{2b820}-\x{2cea1}\x{2ceb0}-\x{2ebe0})"                 \
  R"(\x{2ebf0}-\x{2ee5d}\x{2f800}-\x{2fa1d}\x{30000}-\x{3134a}\x{31350}-\x{323af})"
#define CAPITALS_NOT_HAN R"([^\p{Ll}\p{N}\p{P}\p{S}\p{Z}\p{C})" HAN "]"
#define SMALL_NOT_HAN R"([^\p{Lu}\p{Lt}\p{N}\p{P}\p{S}\p{Z}\p{C})" HAN "]"
constexpr std::string_view kimi_k2_names[] = {"kimi-k2"};
constexpr std::string_view kimi_k2_patterns[] = {"[" HAN "]+|" LETTER_LEAD CAPITALS_NOT_HAN "*" SMALL_NOT_HAN
                                                 "+" CONTRACTIONS "?|" LETTER_LEAD CAPITALS_NOT_HAN "+" SMALL_NOT_HAN
                                                 "*" CONTRACTIONS R"(?|\p{N}{1,3})" CL100K_AFTER_DIGITS};

constexpr std::string_view deepseek3_names[] = {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"};
constexpr std::string_view deepseek3_patterns[] = {R"(\p{N}{1,3})", CHINESE_AND_KANA,
                                                   DEEPSEEK3_BEFORE_SYMBOLS R"( ?[\p{P}\p{S}]+[\r\n]*|)" SPACES};

constexpr std::string_view spark_names[] = {"spark2_5"};
constexpr std::string_view spark_patterns[] = {
    R"(\p{N}{1,3})", CHINESE_AND_KANA, DEEPSEEK3_BEFORE_SYMBOLS R"( ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+)", R"(\p{N})"};

// arcee-ai/Trinity-Tokenizer takes three steps to the digits: runs in pieces of
// 510 from the right, the first one or two digits of what is not a multiple of
// three, threes. Together: threes from the right. (llama.cpp joins neighbouring
// runs of different scripts and, by a slip in its source, takes U+8C48 for
// U+F900; this is the original.)
constexpr std::string_view afmoe_names[] = {"afmoe"};
constexpr std::string_view afmoe_patterns[] = {
    DIGITS_FROM_RIGHT(R"((?!\d))"),
    R"([\x{4e00}-\x{9fff}\x{3040}-\x{309f}\x{30a0}-\x{30ff}\x{3400}-\x{4dbf}\x{f900}-\x{faff}\x{ff65}-\x{ff9f})"
    R"(\x{2f00}-\x{2fdf}]+|[\x{0e00}-\x{0e7f}]+|[\x{0e80}-\x{0eff}]+|[\x{1780}-\x{17ff}]+|)"
    R"([\x{1000}-\x{109f}\x{aa60}-\x{aa7f}\x{a9e0}-\x{a9ff}]+|[\x{ac00}-\x{d7af}\x{1100}-\x{11ff}]+)",
    DEEPSEEK3_BEFORE_SYMBOLS R"( ?[\p{P}\p{S}]+[\r\n]*|)" SPACES};

// What the models' files write as \p{Lu} and \p{Ll}, spelled out by Unicode 12
#define DEEPSEEK_LETTERS                                                                                               \
  R"(A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293})"                              \
  R"(\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c})"                 \
  R"(\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5})"                    \
  R"(\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b})"                           \
  R"(\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45})"                           \
  R"(\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4})"                    \
  R"(\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb})"                   \
  R"(\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115})"                    \
  R"(\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139})"                             \
  R"(\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4})"                    \
  R"(\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f})"                            \
  R"(\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17})"                           \
  R"(\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb})"                     \
  R"(\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943})"
// The last step is Hugging Face's Digits. \s+$ may begin where white space
// begins only.
constexpr std::string_view deepseek_llm_names[] = {"deepseek-llm"};
constexpr std::string_view deepseek_llm_patterns[] = {
    R"([\r\n])",
    R"(\s?[)" DEEPSEEK_LETTERS R"(]+)",
    R"(\s?[!-/:-~\x{ff01}-\x{ff0f}\x{ff1a}-\x{ff5e}\x{2018}-\x{201f}\x{3000}-\x{3002}]+)",
    R"((?<!\s)\s+$)",
    R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
    R"(\p{N})"};

constexpr std::string_view deepseek_coder_names[] = {"deepseek-coder"};
constexpr std::string_view deepseek_coder_patterns[] = {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)",
                                                        R"([\x{4e00}-\x{9fa5}\x{800}-\x{4e00}\x{ac00}-\x{d7ff}]+)",
                                                        R"(\p{N})"};

constexpr std::string_view starcoder_names[] = {"starcoder", "smollm", "refact",     "command-r",
                                                "codeshell", "exaone", "minerva-7b", "mellum2"};
constexpr std::string_view starcoder_patterns[] = {R"(\p{N})", GPT2_WORDS};

// Image and sentinel tokens, indentation, and each digit and mark for itself
constexpr std::string_view chameleon_names[] = {"chameleon"};
constexpr std::string_view chameleon_patterns[] = {
    R"(<sentinel:[0-9]+>)",    R"((?:IMGIMG)(?:A|B|C|D|E|F|G|H|I){1,4}Z)",
    R"([\t\n]|    |  )",       R"(\p{N})",
    R"([\p{P}!-/:-@\[-`{-~])", GPT2_WORDS};

// Hugging Face's Punctuation (P and ASCII's symbols, runs of them), GPT-2, threes of digits. Before the last, the
// original's Digits cuts around digits, but of the spelling in GPT-2's alphabet, where the bytes of many a letter look
// like digits: C2 BD becomes two words. Its training saw the same cuts, so no merge reaches across and it may be left
// out.
constexpr std::string_view falcon_names[] = {"falcon"};
constexpr std::string_view falcon_patterns[] = {R"([\p{P}\$\+<=>\^~\|`]+)", GPT2_WORDS, R"([0-9][0-9][0-9])"};

// Oniguruma reads the original's inner brackets, [^(\s|[.,!?...])], as part of
// the set.
#define BLOOM_WORDS R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)"
constexpr std::string_view bloom_names[] = {"bloom", "poro-chat", "gpt3-finnish"};
constexpr std::string_view bloom_patterns[] = {BLOOM_WORDS};
constexpr std::string_view viking_names[] = {"viking"};
constexpr std::string_view viking_patterns[] = {BLOOM_WORDS, R"(\p{N})"};

// The original cuts before (?=(\d{3})+(?!\d)): wherever the digits from there
// on come in threes. Here a match reaches from one cut to the next: three
// digits or the text's start, what is no digit, and the one or two digits that
// a run begins with.
#define IN_THREES R"((?=(?:\d{3})*+(?!\d)))"
#define UP_TO_THREES R"((?:\D++\d{0,2})" IN_THREES R"()*+)"
constexpr std::string_view superbpe_names[] = {"superbpe"};
constexpr std::string_view superbpe_patterns[] = {R"(\p{N}+)", R"(\A(?:\d{1,3})" IN_THREES R"()?+)" UP_TO_THREES
                                                               R"(|(?<!\A)\d{3})" UP_TO_THREES};

// The whole text at once, by characters
constexpr std::string_view gemma4_names[] = {"gemma4", "granite-embed-multi-311m"};
constexpr std::string_view sarvam_names[] = {"sarvam-moe"};

// llama.cpp's choice for files of before `tokenizer.ggml.pre`
constexpr std::string_view default_names[] = {"default"};
constexpr std::string_view default_patterns[] = {R"([\p{P}\$\+<=>\^~\|]+)", GPT2_WORDS, R"(\p{N}+)",
                                                 R"([0-9][0-9][0-9])"};

#undef GPT2_WORDS
#undef CONTRACTIONS
#undef WORDS
#undef SYMBOLS
#undef SPACES
#undef CL100K_BEFORE_DIGITS
#undef CL100K_AFTER_DIGITS
#undef LETTER_LEAD
#undef CAPITALS
#undef SMALL
#undef O200K
#undef DEEPSEEK3_BEFORE_SYMBOLS
#undef CHINESE_AND_KANA
#undef DIGITS_FROM_RIGHT
#undef HAN
#undef CAPITALS_NOT_HAN
#undef SMALL_NOT_HAN
#undef DEEPSEEK_LETTERS
#undef BLOOM_WORDS
#undef IN_THREES
#undef UP_TO_THREES

constexpr PretokenizerRule pretokenizer_rules[] = {
    {gpt2_names, gpt2_patterns, false, false},
    {llama3_names, llama3_patterns, true, true},
    {llama3_plain_names, llama3_patterns, false, false},
    {glm4_names, llama3_patterns, true, false},
    {qwen2_names, qwen2_patterns, false, false},
    {qwen35_names, qwen35_patterns, false, false},
    {deepseek_llm_names, deepseek_llm_patterns, false, false},
    {deepseek_coder_names, deepseek_coder_patterns, false, false},
    {deepseek3_names, deepseek3_patterns, false, false},
    {gpt4o_names, gpt4o_patterns, false, false},
    {gpt4o_whole_names, gpt4o_patterns, true, false},
    {tekken_names, tekken_patterns, true, true},
    {kimi_k2_names, kimi_k2_patterns, false, false},
    {starcoder_names, starcoder_patterns, false, false},
    {falcon_names, falcon_patterns, false, false},
    {bloom_names, bloom_patterns, false, false},
    {viking_names, viking_patterns, false, false},
    {tiny_aya_names, tiny_aya_patterns, false, false},
    {superbpe_names, superbpe_patterns, false, false},
    {bailingmoe_names, bailingmoe_patterns, false, false},
    {seed_coder_names, seed_coder_patterns, false, false},
    {afmoe_names, afmoe_patterns, false, false},
    {exaone_moe_names, exaone_moe_patterns, false, false},
    {youtu_names, youtu_patterns, true, false},
    {spark_names, spark_patterns, false, false},
    {jais2_names, jais2_patterns, false, false},
    {minicpm5_names, minicpm5_patterns, true, false},
    {ufakzeka_names, ufakzeka_patterns, false, false},
    {laguna_names, laguna_patterns, false, false},
    {chameleon_names, chameleon_patterns, false, true},
    {default_names, default_patterns, false, false},
    {gemma4_names, {}, false, true, true},
    {sarvam_names, {}, false, false, true},
};

} // namespace kern
