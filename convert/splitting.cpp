#include "convert/splitting.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/error.h"
#include "tokenizer/pretokenizers.h"

namespace kern {

namespace {

constexpr int max_sequence_depth = 4;

/// Patterns that kern writes in another way, which matches the same.
struct OtherSpelling {
  std::string_view theirs;
  std::string_view ours;
};
constexpr OtherSpelling other_spellings[] = {
    {R"(\s+$)", R"((?<!\s)\s+$)"},
    {R"( ?[^(\s|[.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c}])]+)",
     R"( ?[^(\s|.,!?\x{2026}\x{3002}\x{ff0c}\x{3001}\x{964}\x{6d4}\x{60c})]+)"},
};

constexpr std::string_view byte_level_words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

void add_split(const JsonObject& step, std::vector<std::string>& patterns) {
  const auto pattern = step.object("pattern");
  const auto regex = pattern ? pattern->text("Regex") : std::nullopt;
  if (!regex) step.fail("pattern", "found no regular expression, expected one; kern doesn't know this tokenizer");
  const std::string behavior = step.text("behavior").value_or("");
  const bool invert = step.flag("invert").value_or(false);
  // "Removed" and inverted keeps what matches, and patterns of that kind match everything.
  if (!(behavior == "Isolated" && !invert) && !(behavior == "Removed" && invert))
    step.fail("behavior", fmt::format("found '{}'{}, expected 'Isolated'; kern doesn't know this tokenizer", behavior,
                                      invert ? ", inverted" : ""));
  std::string spelled = spell_pattern(*regex);
  for (const OtherSpelling& other : other_spellings)
    if (spelled == other.theirs) spelled = other.ours;
  patterns.push_back(std::move(spelled));
}

void add_step(const JsonObject& step, int depth, std::vector<std::string>& patterns) {
  const std::string type = step.require_text("type");
  if (type == "Sequence") {
    if (depth == max_sequence_depth) step.fail("type", "found sequences within sequences; the file is damaged");
    for (const JsonObject& inner : step.objects("pretokenizers")) add_step(inner, depth + 1, patterns);
  } else if (type == "Split") {
    add_split(step, patterns);
  } else if (type == "Digits") {
    patterns.push_back(step.flag("individual_digits").value_or(false) ? R"(\p{N})" : R"(\p{N}+)");
  } else if (type == "Punctuation" && step.text("behavior").value_or("") == "Contiguous") {
    patterns.push_back(R"([\p{P}\$\+<=>\^~\|`]+)");
  } else if (type == "ByteLevel") {
    if (step.flag("add_prefix_space").value_or(true))
      step.fail("add_prefix_space", "found true, expected false; kern doesn't know this tokenizer");
    if (step.flag("use_regex").value_or(true)) patterns.emplace_back(byte_level_words);
  } else {
    step.fail("type", fmt::format("found '{}', expected Sequence, Split, Digits, ByteLevel; kern doesn't know this "
                                  "tokenizer",
                                  type));
  }
}

void check_normalizer(const JsonObject& normalizer, int depth) {
  const std::string type = normalizer.require_text("type");
  if (type == "NFC") return; // what nearly all text is already
  if (type != "Sequence" || depth == max_sequence_depth)
    normalizer.fail("type", fmt::format("found '{}', expected NFC or none; kern doesn't know this tokenizer", type));
  for (const JsonObject& inner : normalizer.objects("normalizers")) check_normalizer(inner, depth + 1);
}

bool same_patterns(const PretokenizerRule& rule, const std::vector<std::string>& patterns) {
  return !rule.of_characters && std::ranges::equal(rule.patterns, patterns);
}

/// Among names for one way of splitting, the one that llama.cpp's converter gives the vocabulary, as far as its tokens
/// tell.
std::string_view choose_name(const PretokenizerRule& rule, const JsonObject& tokenizer) {
  const auto offers = [&](std::string_view name) { return std::ranges::find(rule.names, name) != rule.names.end(); };
  const auto has_token = [&](std::string_view text) {
    const auto tokens = tokenizer.objects("added_tokens");
    return std::ranges::any_of(tokens, [&](const JsonObject& token) { return token.text("content") == text; });
  };
  if (offers("deepseek-r1-qwen") && has_token("<｜begin▁of▁sentence｜>")) return "deepseek-r1-qwen";
  if (offers("smollm")) return has_token("<fim_prefix>") ? "refact" : "smollm";
  if (offers("smaug-bpe")) return "smaug-bpe";
  return rule.names.front();
}

} // namespace

std::string spell_pattern(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size();) {
    const auto byte = static_cast<unsigned char>(pattern[i]);
    if (byte < 0x80) {
      out += pattern[i++];
      continue;
    }
    // JSON text is well-formed UTF-8.
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    std::uint32_t code = byte & (0xFFu >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < pattern.size(); ++k)
      code = code << 6 | (static_cast<unsigned char>(pattern[i + k]) & 0x3Fu);
    out += fmt::format("\\x{{{:x}}}", code);
    i += length;
  }
  return out;
}

SplittingName recognize_splitting(const JsonObject& tokenizer) {
  if (const auto normalizer = tokenizer.object("normalizer")) check_normalizer(*normalizer, 0);
  std::vector<std::string> patterns;
  const auto steps = tokenizer.object("pre_tokenizer");
  if (!steps)
    tokenizer.fail("pre_tokenizer", "found none, expected one that splits text; kern doesn't know this tokenizer");
  add_step(*steps, 0, patterns);
  const auto model = tokenizer.object("model");
  const bool words_first = model && model->flag("ignore_merges").value_or(false);
  const PretokenizerRule* chosen = nullptr;
  for (const PretokenizerRule& rule : all_pretokenizer_rules())
    if (same_patterns(rule, patterns) &&
        (!chosen || (chosen->whole_words_first != words_first && rule.whole_words_first == words_first)))
      chosen = &rule;
  if (!chosen)
    tokenizer.fail("pre_tokenizer", fmt::format("found the patterns {}, expected those of one of {}; kern doesn't know "
                                                "this tokenizer",
                                                fmt::join(patterns, " then "), pretokenizer_names()));
  return {std::string(choose_name(*chosen, tokenizer)), chosen->whole_words_first == words_first};
}

} // namespace kern
