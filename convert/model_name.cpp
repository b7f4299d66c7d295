#include "convert/model_name.h"

#include <algorithm>
#include <cmath>
#include <regex>
#include <set>
#include <vector>

#include <fmt/format.h>

namespace kern {

namespace {

constexpr std::size_t max_id_bytes = 256;

enum class NamePart { basename, size_label, finetune, version, type };

struct Word {
  std::string text;
  std::set<NamePart> parts;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// What words of names look like.
struct WordPatterns {
  static std::regex make(const char* pattern) {
    return std::regex(pattern, std::regex::ECMAScript | std::regex::icase);
  }

  std::regex version = make(R"((v|iter)?\d+([.]\d+)*)");
  std::regex type = make(R"(i?q\d(_\w)*|b?fp?(16|32))");
  std::regex size = make(R"((([A]|\d+[x])?\d+([._]\d+)?[KMBT][\d]?|small|mini|medium|large|x?xl))");
  std::regex finetune = make("chat|instruct|vision|lora");
  std::regex number = make(R"(\d+(\.\d+)?)");
  std::regex untitled = make(R"((v\d+(?:\.\d+)*|\d.*))"); // kept as it is in a title
};

/// Compiled once: that takes longer than anything else here.
const WordPatterns& word_patterns() {
  static const WordPatterns patterns;
  return patterns;
}

bool matches(const std::string& text, const std::regex& pattern) { return std::regex_match(text, pattern); }

void make_upper(std::string& text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
}

std::vector<Word> split_words(std::string_view text, char separator) {
  std::vector<Word> words;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) words.push_back({std::string(text.substr(begin, end - begin)), {}});
    begin = end + 1;
  }
  return words;
}

/// A size like "7B" or "8x7B", or a context length like "128k".
void read_size_word(Word& word, std::uint64_t weights) {
  std::string& text = word.text;
  std::ranges::replace(text, '_', '.');
  if (is_digit(text.back())) { // as in bloom-7b1
    const char last = text.back();
    const char unit = text[text.size() - 2];
    text.resize(text.size() - 2);
    text += '.';
    text += last;
    text += unit;
  }
  const auto unit = std::string_view("kmbt").find(text.back());
  if (text.size() > 1 && is_digit(text[text.size() - 2]) && unit != std::string_view::npos)
    text.back() = static_cast<char>(text.back() - 32);
  if (weights > 0) {
    const std::string number = text.substr(0, text.size() - 1);
    if (matches(number, word_patterns().number)) {
      const auto power = std::string_view(" KMBT").find(text.back());
      const double label = std::strtod(number.c_str(), nullptr) *
                           (power == std::string_view::npos ? 0.001 : std::pow(1000.0, static_cast<double>(power)));
      if (std::abs(label - static_cast<double>(weights)) > static_cast<double>(7 * weights / 8)) {
        word.parts.insert(NamePart::finetune);
        if (text.back() >= 'A' && text.back() <= 'Z') text.back() = static_cast<char>(text.back() + 32);
      }
    }
  }
  if (word.parts.empty()) word.parts.insert(NamePart::size_label);
}

void annotate(std::vector<Word>& words, std::uint64_t weights) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    Word& word = words[i];
    if (matches(word.text, word_patterns().version)) {
      word.parts.insert(NamePart::version);
    } else if (matches(word.text, word_patterns().type)) {
      word.parts.insert(NamePart::type);
      make_upper(word.text);
    } else if (i > 0 && matches(word.text, word_patterns().size)) {
      read_size_word(word, weights);
    } else if (i > 0 && matches(word.text, word_patterns().finetune)) {
      word.parts.insert(NamePart::finetune);
    }
  }
}

/// "mini" and the like are no sizes where a number is one.
void prefer_numbers(std::vector<Word>& words) {
  const auto labelled = [](const Word& word) { return word.parts.contains(NamePart::size_label); };
  if (!std::ranges::any_of(
          words, [&](const Word& word) { return labelled(word) && std::ranges::any_of(word.text, is_digit); }))
    return;
  for (Word& word : words)
    if (labelled(word) && std::ranges::all_of(word.text, is_letter)) word.parts.erase(NamePart::size_label);
}

void find_basename(std::vector<Word>& words) {
  bool at_start = true;
  for (Word& word : words) {
    const bool plain =
        word.parts.empty() && (is_letter(word.text[0]) || static_cast<unsigned char>(word.text[0]) >= 0x80);
    if (at_start && (plain || word.parts.contains(NamePart::version))) {
      word.parts.insert(NamePart::basename);
      continue;
    }
    at_start = false;
    if (word.parts.empty()) word.parts.insert(NamePart::finetune);
  }
  // A version at its end is no part of it.
  for (auto word = words.rbegin(); word != words.rend(); ++word) {
    if (!word->parts.contains(NamePart::basename) || word->parts.size() < 2) break;
    word->parts.erase(NamePart::basename);
  }
}

/// The words of a part, each once where it is a size, joined; nothing where there are none.
std::optional<std::string> join_words(const std::vector<Word>& words, NamePart part) {
  std::string joined;
  std::set<std::string> seen;
  for (const Word& word : words) {
    if (!word.parts.contains(part)) continue;
    if (part == NamePart::version && word.parts.contains(NamePart::basename)) continue;
    if (part == NamePart::size_label && !seen.insert(word.text).second) continue;
    joined += (joined.empty() ? "" : "-") + word.text;
  }
  return joined.empty() ? std::nullopt : std::optional(joined);
}

bool is_lower(std::string_view word) {
  bool cased = false;
  for (const char c : word) {
    if (c >= 'A' && c <= 'Z') return false;
    cased = cased || (c >= 'a' && c <= 'z');
  }
  return cased;
}

std::string dashed(std::string text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.back())) text.pop_back();
  text.erase(text.begin(), std::ranges::find_if_not(text, blank));
  std::ranges::replace(text, ' ', '-');
  return text;
}

} // namespace

NameParts split_model_name(std::string_view id, std::uint64_t weights) {
  NameParts result;
  if (id.empty() || id.size() > max_id_bytes) return result;
  if (id.find(' ') != std::string_view::npos) { // a sentence, not a repository
    result.name = id;
    return result;
  }
  std::string_view full = id;
  if (const std::size_t slash = id.find('/'); slash != std::string_view::npos) {
    const std::string_view organization = id.substr(0, slash);
    if (!organization.starts_with('.')) result.organization = organization;
    full = id.substr(slash + 1);
  }
  std::vector<Word> words = split_words(full, '-');
  annotate(words, weights);
  prefer_numbers(words);
  find_basename(words);
  result.name = full;
  result.basename = join_words(words, NamePart::basename);
  result.size_label = join_words(words, NamePart::size_label);
  result.finetune = join_words(words, NamePart::finetune);
  result.version = join_words(words, NamePart::version);
  // A word alone says nothing.
  if (!result.size_label && !result.finetune && !result.version) result.basename.reset();
  return result;
}

std::string title_of(std::string_view id) {
  std::string spaced(id);
  std::ranges::replace(spaced, '-', ' ');
  std::string title;
  for (Word& word : split_words(spaced, ' ')) {
    if (is_lower(word.text) && !matches(word.text, word_patterns().untitled)) {
      bool begins = true;
      for (char& c : word.text) {
        if (begins && c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
        begins = !is_letter(c) && static_cast<unsigned char>(c) < 0x80;
      }
    }
    title += (title.empty() ? "" : " ") + word.text;
  }
  return title;
}

std::string size_label(std::uint64_t weights) {
  const auto count = static_cast<double>(weights);
  const auto [scale, unit] = count > 1e12  ? std::pair(1e-12, 'T')
                             : count > 1e9 ? std::pair(1e-9, 'B')
                             : count > 1e6 ? std::pair(1e-6, 'M')
                                           : std::pair(1e-3, 'K');
  const double scaled = count * scale;
  const std::string whole = fmt::format("{:.0f}", scaled);
  const int digits = whole == "0" ? 0 : static_cast<int>(whole.size());
  return fmt::format("{:.{}f}{}", scaled, std::max(2 - digits, 0), unit);
}

void ModelNames::add(const NameParts& other) {
  if (!name && other.name) name = title_of(*other.name);
  const auto take = [](std::optional<std::string>& to, const std::optional<std::string>& from, bool title = false) {
    if (!to && from) to = title ? title_of(*from) : *from;
  };
  take(parts.organization, other.organization, true);
  take(parts.basename, other.basename);
  take(parts.finetune, other.finetune);
  take(parts.version, other.version);
  take(parts.size_label, other.size_label);
}

void ModelNames::write(Keys& keys) const {
  const auto set = [&](const char* key, const std::optional<std::string>& value) {
    if (value) keys.set(key, *value);
  };
  set("general.name", name);
  set("general.organization", parts.organization);
  set("general.basename", parts.basename);
  set("general.finetune", parts.finetune);
  set("general.version", parts.version);
  set("general.size_label", parts.size_label);
}

std::string ModelNames::file_stem(std::string_view type) const {
  std::string stem = dashed(parts.basename ? *parts.basename : name.value_or("model"));
  std::ranges::replace(stem, '/', '-');
  const bool vocabulary = type == "vocab";
  if (parts.size_label && !vocabulary) stem += "-" + *parts.size_label;
  if (parts.finetune) stem += "-" + dashed(*parts.finetune);
  if (parts.version) stem += "-" + dashed(*parts.version);
  return stem + "-" + std::string(type);
}

} // namespace kern
