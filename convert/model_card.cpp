#include "convert/model_card.h"

#include <algorithm>
#include <optional>
#include <system_error>

#include <fmt/format.h>

#include "convert/json_reader.h"

namespace kern {

namespace {

constexpr std::uint64_t max_card_bytes = std::uint64_t{16} << 20;
constexpr std::size_t max_list = 1000;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// A plain or quoted text; nothing for what YAML has another meaning for.
std::optional<std::string> read_scalar(std::string_view text) {
  text = trimmed(text);
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
    const std::string_view inner = text.substr(1, text.size() - 2);
    if (inner.find_first_of("\\\"'") != std::string_view::npos) return std::nullopt;
    return std::string(inner);
  }
  if (const std::size_t comment = text.find(" #"); comment != std::string_view::npos)
    text = trimmed(text.substr(0, comment));
  if (text.empty() || std::string_view("{}[]&*!|>%@`\"'#,?").find(text.front()) != std::string_view::npos ||
      text.find(": ") != std::string_view::npos || text.ends_with(':'))
    return std::nullopt;
  return std::string(text);
}

/// "[a, b]"
std::vector<std::string> read_inline_list(std::string_view text) {
  std::vector<std::string> items;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (auto item = read_scalar(text.substr(0, comma))) items.push_back(std::move(*item));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

using Card = std::map<std::string, std::vector<std::string>>;

std::vector<std::string> entries(const Card& card, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (const auto found = card.find(name); found != card.end()) return found->second;
  return {};
}

void set_text(const Card& card, const char* name, const char* key, Keys& keys) {
  const auto found = card.find(name);
  if (found == card.end() || found->second.empty()) return;
  std::string joined;
  for (const std::string& part : found->second) joined += (joined.empty() ? "" : ",") + part;
  keys.set(key, joined);
}

/// tags from `tags` and `pipeline_tag`, and the like
void set_list(const Card& card, std::initializer_list<const char*> names, const char* key, Keys& keys) {
  std::vector<std::string> all;
  for (const char* name : names)
    if (const auto found = card.find(name); found != card.end())
      all.insert(all.end(), found->second.begin(), found->second.end());
  if (!all.empty()) keys.set(key, std::move(all));
}

/// What a model or a set of texts was made from: `kind` is base_model or dataset.
void set_ancestors(const std::vector<std::string>& ids, const char* kind, std::uint64_t weights, Keys& keys) {
  if (ids.empty()) return;
  keys.set(fmt::format("general.{}.count", kind), static_cast<std::uint32_t>(ids.size()));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto set = [&](const char* what, const std::string& value) {
      keys.set(fmt::format("general.{}.{}.{}", kind, i, what), value);
    };
    std::string_view id = ids[i];
    constexpr std::string_view hub = "https://huggingface.co/";
    const bool address = id.find("://") != std::string_view::npos;
    if (address) set("repo_url", ids[i]);
    if (address && (!id.starts_with(hub) || std::ranges::count(id.substr(hub.size()), '/') != 1)) continue;
    if (address) id.remove_prefix(hub.size());
    const NameParts parts = split_model_name(id, weights);
    if (parts.name) set("name", title_of(*parts.name));
    if (parts.organization) set("organization", title_of(*parts.organization));
    if (parts.version) set("version", *parts.version);
    if (!address && parts.organization && parts.name)
      set("repo_url", fmt::format("{}{}/{}", hub, *parts.organization, *parts.name));
  }
}

} // namespace

std::map<std::string, std::vector<std::string>> parse_front_matter(std::string_view text) {
  Card card;
  std::string key;
  bool first = true;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (first && line != "---") return {};
    if (!first && line == "---") return card;
    if (std::exchange(first, false) || trimmed(line).empty() || trimmed(line).front() == '#') continue;
    if (trimmed(line).starts_with("- ")) {
      if (key.empty()) continue;
      const auto item = read_scalar(trimmed(line).substr(2));
      if (item && card[key].size() < max_list) card[key].push_back(*item);
      else key.clear(); // a list of other things
      continue;
    }
    const std::size_t colon = line.find(':');
    key.clear();
    if (line.front() == ' ' || line.front() == '\t' || colon == std::string_view::npos || colon == 0) continue;
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (value.empty()) {
      key = line.substr(0, colon); // a list may follow
    } else if (value.front() == '[' && value.back() == ']') {
      card[std::string(line.substr(0, colon))] = read_inline_list(value);
    } else if (auto scalar = read_scalar(value)) {
      card[std::string(line.substr(0, colon))] = {std::move(*scalar)};
    }
  }
  return {}; // it never ends: no front matter
}

void read_model_card(const std::filesystem::path& folder, std::uint64_t weights, ModelNames& names, Keys& keys) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(folder / "README.md", error) ||
      std::filesystem::file_size(folder / "README.md", error) > max_card_bytes)
    return;
  const Card card = parse_front_matter(read_small_file(folder / "README.md", max_card_bytes));
  const auto one = [&](std::initializer_list<const char*> keys_of) -> std::optional<std::string> {
    const std::vector<std::string> found = entries(card, keys_of);
    return found.size() == 1 ? std::optional(found[0]) : std::nullopt;
  };
  names.name = one({"name", "model_name"});
  names.parts.organization = one({"organization", "model_organization"});
  names.parts.version = one({"version", "model_version"});
  names.parts.finetune = one({"finetune", "model_finetune"});
  names.parts.basename = one({"basename", "model_basename", "model_type"});
  names.parts.size_label = one({"size_label", "model_size_label"});
  if (const auto author = one({"author", "model_author", "model_creator"})) keys.set("general.author", *author);
  if (const auto text = one({"description", "model_description"})) keys.set("general.description", *text);
  set_text(card, "license", "general.license", keys);
  set_text(card, "license_name", "general.license.name", keys);
  set_text(card, "license_link", "general.license.link", keys);
  set_list(card, {"tags", "pipeline_tag"}, "general.tags", keys);
  set_list(card, {"languages", "language"}, "general.languages", keys);
  set_ancestors(entries(card, {"base_model", "base_models", "base_model_sources"}), "base_model", weights, keys);
  set_ancestors(entries(card, {"datasets", "dataset", "dataset_sources"}), "dataset", weights, keys);
}

} // namespace kern
