#include "cli/model_file.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <new>

#include <fmt/format.h>

#include "cli/demo_model.h"
#include "cli/model_finder.h"
#include "cli/output.h"
#include "model/error.h"

namespace kern {

Gguf open_model(const ModelFlags& flags) {
  const char* path = flags.demo ? nullptr : std::getenv("KERN_MODEL");
  if (!flags.path.empty()) return Gguf::open(resolve_model(flags.path));
  if (path && *path) return Gguf::open(resolve_model(path));
  if (!flags.quiet && !flags.demo)
    write_notice("kern: no model given with -m or KERN_MODEL; this is the small demo model inside kern\n");
  return Gguf::parse(demo_model(), demo_model_name);
}

int choose_context(const ContextFlags& flags, const ModelFlags& model, int model_length) {
  if (flags.context == 0) return std::min(model_length, 8192);
  if (flags.context > model_length && !model.quiet)
    write_notice(fmt::format(
        "kern: warning: -c {} is more than the {} positions the model was trained for; answers may degrade\n",
        flags.context, model_length));
  return flags.context;
}

Session make_session(const Model& model, const SessionOptions& options) {
  try {
    return Session(model, options);
  } catch (const std::bad_alloc&) {
    const SessionMemory memory = plan_session(model.spec(), model.placement(), model.backends(), options);
    throw Error(
        ExitCode::memory,
        fmt::format("out of memory: a context of {} tokens takes {} for the cache and {} for scratch; lower -c, "
                    "-ub or -ngl",
                    options.context, format_bytes(memory.cache_bytes), format_bytes(memory.scratch_bytes)));
  }
}

std::string cache_type_name(Format format) {
  std::string name(find_format(format)->name);
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return name;
}

std::string format_bytes(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= std::uint64_t{1} << 30) return fmt::format("{:.2f} GiB", value / (1 << 30));
  if (bytes >= std::uint64_t{1} << 20) return fmt::format("{:.1f} MiB", value / (1 << 20));
  if (bytes >= std::uint64_t{1} << 10) return fmt::format("{:.1f} KiB", value / (1 << 10));
  return fmt::format("{} B", bytes);
}

std::string main_format(const Gguf& gguf) {
  std::map<std::string_view, std::uint64_t> bytes;
  for (const TensorInfo& tensor : gguf.tensors()) bytes[find_format(tensor.format)->name] += tensor.bytes.size();
  const auto most = std::ranges::max_element(bytes, {}, [](const auto& entry) { return entry.second; });
  return most == bytes.end() ? "" : std::string(most->first);
}

} // namespace kern
