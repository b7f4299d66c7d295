#include "cli/model_finder.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/model_file.h"
#include "cli/terminal.h"
#include "model/error.h"
#include "model/gguf.h"

namespace kern {

namespace {

namespace fs = std::filesystem;

constexpr int deepest = 8;                  // folders below a place
constexpr std::size_t most_entries = 50000; // of all places together
constexpr std::uintmax_t manifest_bytes = 1 << 20;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

std::optional<fs::path> environment_path(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? std::optional<fs::path>(value) : std::nullopt;
}

/// "NAME-00002-of-00005" -> 2; 0 for a file of its own.
int part_number(std::string_view stem) {
  constexpr std::size_t length = 15; // -00002-of-00005
  if (stem.size() < length) return 0;
  const std::string_view tail = stem.substr(stem.size() - length);
  const auto digits = [&](std::size_t begin) {
    return std::ranges::all_of(tail.substr(begin, 5), [](char c) { return c >= '0' && c <= '9'; });
  };
  const bool is_part = tail[0] == '-' && digits(1) && tail.substr(6, 4) == "-of-" && digits(10);
  return is_part ? std::atoi(std::string(tail.substr(1, 5)).c_str()) : 0;
}

/// The name of a file without .gguf and part number; nothing for one that is no model to run.
std::optional<std::string> model_stem(const fs::path& path) {
  if (lower(path.extension().string()) != ".gguf") return std::nullopt;
  std::string stem = path.stem().string();
  const int part = part_number(stem);
  if (part > 1 || lower(stem).find("mmproj") != std::string::npos) return std::nullopt;
  if (part == 1) stem.resize(stem.size() - 15);
  return stem;
}

/// Walks folders, each once, within bounds.
class Finder {
public:
  Search take() {
    std::ranges::sort(search_.models, {}, &FoundModel::name);
    return std::move(search_);
  }

  /// Every model below `root`. `name_of` makes a name of the path below it.
  template <typename NameOf> void walk(const fs::path& root, const std::string& source, int depth, NameOf name_of) {
    visit(root, depth, [&](const fs::path& file) {
      const auto stem = model_stem(file);
      if (!stem) return;
      const fs::path folder = file.lexically_relative(root).parent_path();
      add({name_of(folder, *stem), file, source});
    });
  }

  void add(FoundModel model) {
    std::error_code error;
    const fs::path real = fs::canonical(model.path, error);
    if (error || !files_.insert(real.string()).second) return;
    search_.models.push_back(std::move(model));
  }

  /// `use` for every file.
  template <typename Use> void visit(const fs::path& folder, int depth, const Use& use) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    if (error || !folders_.insert(real.string()).second) return;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      if (++entries_ > most_entries) {
        search_.complete = false;
        return;
      }
      std::error_code ignored;
      if (it->is_directory(ignored)) {
        if (depth > 0) visit(it->path(), depth - 1, use);
      } else if (it->is_regular_file(ignored)) {
        use(it->path());
      }
    }
  }

private:
  Search search_;
  std::set<std::string> folders_, files_;
  std::size_t entries_ = 0;
};

std::string join_name(const fs::path& folder, const std::string& stem) {
  return folder.empty() || folder == "." ? stem : (folder / stem).generic_string();
}

/// models--USER--REPO/snapshots/HASH/FILE -> USER/REPO/FILE
std::string hub_name(const fs::path& folder, const std::string& stem) {
  std::string repository = folder.begin()->string();
  constexpr std::string_view prefix = "models--";
  if (!repository.starts_with(prefix)) return join_name(folder, stem);
  repository.erase(0, prefix.size());
  if (const std::size_t at = repository.find("--"); at != std::string::npos) repository.replace(at, 2, "/");
  return repository + "/" + stem;
}

/// The file of the blob that holds the model, by a manifest; nothing where the manifest makes no sense.
std::optional<fs::path> model_blob(const fs::path& store, const fs::path& manifest) {
  std::error_code error;
  if (fs::file_size(manifest, error) > manifest_bytes || error) return std::nullopt;
  std::ifstream in(manifest, std::ios::binary);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  if (!json.is_object() || !json.contains("layers") || !json["layers"].is_array()) return std::nullopt;
  for (const auto& layer : json["layers"]) {
    if (!layer.is_object() || layer.value("mediaType", nlohmann::json()) != "application/vnd.ollama.image.model")
      continue;
    const auto digest = layer.value("digest", nlohmann::json());
    if (!digest.is_string()) return std::nullopt;
    const auto text = digest.get<std::string>();
    const bool is_digest = text.size() == 71 && text.starts_with("sha256:") &&
                           text.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
    if (!is_digest) return std::nullopt; // anything else may be a path
    return store / "blobs" / ("sha256-" + text.substr(7));
  }
  return std::nullopt;
}

void find_in_ollama(Finder& finder, const fs::path& store) {
  const fs::path root = store / "manifests";
  finder.visit(root, deepest, [&](const fs::path& manifest) {
    const fs::path below = manifest.lexically_relative(root); // HOST/NAMESPACE/MODEL/TAG
    const auto blob = model_blob(store, manifest);
    std::error_code error;
    if (!blob || !fs::is_regular_file(*blob, error)) return;
    std::string name = below.parent_path().generic_string();
    for (const std::string_view prefix : {"registry.ollama.ai/", "library/"})
      if (name.starts_with(prefix)) name.erase(0, prefix.size());
    finder.add({name + ":" + manifest.filename().string(), *blob, "ollama"});
  });
}

void find_in_variable(Finder& finder) {
  const char* value = std::getenv("KERN_MODELS");
  std::string_view folders = value ? value : "";
  while (!folders.empty()) {
    const std::size_t end = std::min(folders.find(':'), folders.size());
    if (end > 0) finder.walk(fs::path(folders.substr(0, end)), "KERN_MODELS", deepest, join_name);
    folders.remove_prefix(std::min(end + 1, folders.size()));
  }
}

/// What a name may be asked for by, in lower case.
std::vector<std::string> keys_of(const FoundModel& model) {
  const std::string name = lower(model.name);
  std::vector<std::string> keys{name};
  if (model.source == "ollama") {
    const std::size_t colon = name.rfind(':');
    if (name.substr(colon + 1) == "latest") keys.push_back(name.substr(0, colon));
    return keys;
  }
  const std::size_t slash = name.rfind('/');
  const std::string file = slash == std::string::npos ? name : name.substr(slash + 1);
  keys.push_back(file);
  keys.push_back(lower(model.path.filename().string()));
  if (slash == std::string::npos) return keys;
  const std::string folder = name.substr(0, slash);
  const std::size_t above = folder.rfind('/');
  keys.push_back(folder);
  keys.push_back(above == std::string::npos ? folder : folder.substr(above + 1));
  return keys;
}

/// Whether `file` has `word` between separators.
bool has_word(std::string_view file, std::string_view word) {
  const auto is_separator = [](char c) { return c == '-' || c == '.' || c == '/'; };
  for (std::size_t at = 0; (at = file.find(word, at)) != std::string_view::npos; ++at) {
    const std::size_t end = at + word.size();
    if ((at == 0 || is_separator(file[at - 1])) && (end == file.size() || is_separator(file[end]))) return true;
  }
  return false;
}

bool is_meant(const FoundModel& model, const std::string& name) {
  const std::vector<std::string> keys = keys_of(model);
  if (std::ranges::find(keys, name) != keys.end()) return true;
  const std::size_t colon = name.rfind(':');
  if (colon == std::string::npos || model.source == "ollama") return false;
  const std::string quant = name.substr(colon + 1);
  return !quant.empty() && std::ranges::find(keys, name.substr(0, colon)) != keys.end() &&
         has_word(lower(model.name), quant);
}

} // namespace

Search find_models() {
  Finder finder;
  find_in_variable(finder);
  const auto home = environment_path("HOME");
  if (const auto hub = environment_path("HF_HUB_CACHE")) finder.walk(*hub, "huggingface", deepest, hub_name);
  else if (const auto hf = environment_path("HF_HOME")) finder.walk(*hf / "hub", "huggingface", deepest, hub_name);
  else if (home) finder.walk(*home / ".cache/huggingface/hub", "huggingface", deepest, hub_name);
  if (home)
    for (const char* folder : {".lmstudio/models", ".cache/lm-studio/models"})
      finder.walk(*home / folder, "lmstudio", deepest, join_name);
  if (const auto store = environment_path("OLLAMA_MODELS")) find_in_ollama(finder, *store);
  else if (home) find_in_ollama(finder, *home / ".ollama/models");
  finder.walk(".", "here", 0, join_name);
  return finder.take();
}

std::vector<FoundModel> match_models(const std::vector<FoundModel>& models, std::string_view name) {
  const std::string wanted = lower(name);
  std::vector<FoundModel> found;
  std::ranges::copy_if(models, std::back_inserter(found), [&](const FoundModel& m) { return is_meant(m, wanted); });
  if (found.empty())
    std::ranges::copy_if(models, std::back_inserter(found),
                         [&](const FoundModel& m) { return lower(m.name).find(wanted) != std::string::npos; });
  return found;
}

fs::path resolve_model(const std::string& name) {
  std::error_code error;
  const bool is_path = name.starts_with('/') || name.starts_with('.') || name.ends_with('/');
  if (is_path || fs::exists(name, error)) return name;
  const Search search = find_models();
  std::vector<FoundModel> found = match_models(search.models, name);
  if (found.size() > 1) std::erase_if(found, [](const FoundModel& m) { return !summarize_model(m.path).is_model; });
  if (found.size() == 1) return found[0].path;
  if (found.empty()) {
    if (lower(name).ends_with(".gguf")) return name; // opening it says what is wrong
    throw Error(ExitCode::model, fmt::format("{}: found neither a file nor a model of this name, expected one of those "
                                             "that `kern list` shows; kern downloads nothing",
                                             escape_line(name)));
  }
  constexpr std::size_t most_shown = 8;
  std::string names;
  for (std::size_t i = 0; i < std::min(found.size(), most_shown); ++i)
    names += (i == 0 ? "" : ", ") + escape_line(found[i].name);
  if (found.size() > most_shown) names += fmt::format(" and {} more", found.size() - most_shown);
  throw Error(ExitCode::model,
              fmt::format("{}: found {} models, expected one: {}", escape_line(name), found.size(), names));
}

ModelSummary summarize_model(const fs::path& path) {
  ModelSummary summary;
  try {
    const Gguf gguf = Gguf::open(path);
    const Metadata& metadata = gguf.metadata();
    summary.bytes = gguf.file_bytes();
    summary.family = metadata.get_string_or("general.architecture", "");
    summary.format = main_format(gguf);
    const std::string_view type = metadata.get_string_or("general.type", "model");
    summary.is_model = !gguf.tensors().empty() && summary.family != "clip" && type == "model";
  } catch (const Error& error) {
    summary.problem = error.what();
    std::error_code ignored;
    const auto bytes = fs::file_size(path, ignored);
    summary.bytes = ignored ? 0 : bytes;
  }
  return summary;
}

} // namespace kern
