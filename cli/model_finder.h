// Models on this machine, by name: $KERN_MODELS, what other tools have downloaded, the current folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kern {

/// A file that may be a model. Of a split one, the first part.
struct FoundModel {
  std::string name; // "llama3:8b", "user/repo/file", "folder/file"
  std::filesystem::path path;
  std::string source; // "huggingface", "lmstudio", "ollama", "KERN_MODELS", "here"
};

struct Search {
  std::vector<FoundModel> models; // by name; no file twice
  bool complete = true;           // false: there was more than is looked through
};

/// Looks at names only, not into the files; symbolic links are followed, but no folder twice. Never throws for what it
/// finds.
Search find_models();

/// Those that NAME means: their name, the file's, a repository's, or either with ":QUANT" or ":TAG" behind; where there
/// is none, those whose name holds NAME. Upper and lower case are one.
std::vector<FoundModel> match_models(const std::vector<FoundModel>& models, std::string_view name);

/// The file that -m NAME means: a file of that name, else the one model found. Throws Error(model) where there is none
/// or more than one.
std::filesystem::path resolve_model(const std::string& name);

/// What a listing says of a model, from its headers.
struct ModelSummary {
  std::uint64_t bytes = 0; // all parts
  std::string family;      // the architecture
  std::string format;      // that most weights have
  std::string problem;     // why it can't be read; empty: it can
  bool is_model = true;    // false: a projector, an adapter, a vocabulary
};
ModelSummary summarize_model(const std::filesystem::path& path);

} // namespace kern
