// README.md of a model: the lines between "---" that say its licence, languages and ancestors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "convert/keys.h"
#include "convert/model_name.h"

namespace kern {

/// Top-level entries of the front matter that are a text or a list of texts; others, and what isn't understood, are
/// left out: a model card only describes.
std::map<std::string, std::vector<std::string>> parse_front_matter(std::string_view text);

/// Sets what the folder's README.md says: general.license, tags, languages, base models, names.
void read_model_card(const std::filesystem::path& folder, std::uint64_t weights, ModelNames& names, Keys& keys);

} // namespace kern
