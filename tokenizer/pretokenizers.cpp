#include "tokenizer/pretokenizers.h"

#include <cstdint>

#include <fmt/format.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "model/error.h"
#include "tokenizer/pretokenizer_rules.h"

namespace kern {

namespace {

/// Spells out \s and \S as Unicode's White_Space (PropList.txt), which is what the tokenizers' own regex engines mean;
/// PCRE2 would add U+180E.
std::string spell_out_spaces(std::string_view pattern) {
  constexpr std::string_view space =
      R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
  std::string out;
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c != '\\') {
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      out += c;
      continue;
    }
    const char escaped = pattern[++i];
    if (escaped == 's' && in_class) out += space;
    else if (escaped == 's') out += fmt::format("[{}]", space);
    else if (escaped == 'S') out += fmt::format("[^{}]", space);
    else (out += c) += escaped;
  }
  return out;
}

[[noreturn]] void fail_pcre2(int code, std::string_view pattern) {
  PCRE2_UCHAR text[256] = "";
  pcre2_get_error_message(code, text, sizeof(text));
  throw Error(ExitCode::memory, fmt::format("splitting text into words failed: PCRE2 says '{}' for the pattern {}",
                                            reinterpret_cast<const char*>(text), pattern));
}

struct FreeCode {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
};

} // namespace

std::span<const PretokenizerRule> all_pretokenizer_rules() { return pretokenizer_rules; }

const PretokenizerRule* find_pretokenizer_rule(std::string_view name) {
  for (const PretokenizerRule& rule : pretokenizer_rules)
    for (const std::string_view known : rule.names)
      if (known == name) return &rule;
  return nullptr;
}

std::string pretokenizer_names() {
  std::string names;
  for (const PretokenizerRule& rule : pretokenizer_rules)
    for (const std::string_view name : rule.names) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  return names;
}

struct Pretokenizer::Pattern {
  explicit Pattern(std::string_view source) : text(spell_out_spaces(source)) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), PCRE2_UTF | PCRE2_UCP, &error,
                             &offset, nullptr));
    if (!code) fail_pcre2(error, text);
    // Where the machine forbids making code at run time, PCRE2 goes on with its interpreter: slower, same results.
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);
    context.reset(pcre2_match_context_create(nullptr));
    if (!context) fail_pcre2(PCRE2_ERROR_NOMEMORY, text);
    // The limits guard against patterns that explode. Ours take linear time, and a long run of spaces needs a step
    // each.
    pcre2_set_match_limit(context.get(), UINT32_MAX);
    pcre2_set_depth_limit(context.get(), UINT32_MAX);
    pcre2_set_heap_limit(context.get(), UINT32_MAX);
  }

  /// First match in `subject` from `start` on: [begin, end) or false.
  bool next(std::string_view subject, std::size_t start, pcre2_match_data* match, std::size_t* begin,
            std::size_t* end) const {
    const auto* bytes = reinterpret_cast<PCRE2_SPTR>(subject.data());
    // The text was checked already; a check in every call would make the whole quadratic.
    int rc = pcre2_match(code.get(), bytes, subject.size(), start, PCRE2_NO_UTF_CHECK, match, context.get());
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
      rc = pcre2_match(code.get(), bytes, subject.size(), start, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match,
                       context.get());
    if (rc == PCRE2_ERROR_NOMATCH) return false;
    if (rc < 0) fail_pcre2(rc, text);
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(match);
    *begin = ends[0];
    *end = ends[1];
    return *end > *begin; // no pattern of ours matches nothing
  }

  std::string text;
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_context, FreeContext> context;
};

Pretokenizer::Pretokenizer(const PretokenizerRule& rule) {
  for (const std::string_view pattern : rule.patterns) patterns_.push_back(std::make_unique<Pattern>(pattern));
}

Pretokenizer::~Pretokenizer() = default;

std::vector<std::size_t> Pretokenizer::split(std::string_view text) const {
  std::vector<std::size_t> ends;
  if (!text.empty()) ends.push_back(text.size());
  const std::unique_ptr<pcre2_match_data, FreeMatch> match(pcre2_match_data_create(1, nullptr));
  if (!match) throw std::bad_alloc();
  for (const auto& pattern : patterns_) {
    std::vector<std::size_t> finer;
    finer.reserve(ends.size());
    std::size_t from = 0;
    for (const std::size_t to : ends) {
      // Each word is a subject of its own: a look-ahead at its end sees the end of the text.
      const std::string_view word = text.substr(from, to - from);
      std::size_t done = 0;
      std::size_t begin = 0;
      std::size_t end = 0;
      while (done < word.size() && pattern->next(word, done, match.get(), &begin, &end)) {
        if (begin > done) finer.push_back(from + begin);
        finer.push_back(from + end);
        done = end;
      }
      if (done < word.size()) finer.push_back(to);
      from = to;
    }
    ends = std::move(finer);
  }
  return ends;
}

} // namespace kern
