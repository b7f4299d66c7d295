// kern info: what a model file holds, and what running it takes.
#include <algorithm>
#include <fstream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/terminal.h"
#include "engine/session.h"
#include "model/architectures/registry.h"
#include "model/error.h"
#include "model/gguf.h"
#include "tokenizer/chat_template.h"
#include "tokenizer/tokenizer.h"

namespace kern {

namespace {

using Json = nlohmann::ordered_json;

struct InfoFlags {
  ModelFlags model;
  std::string file; // positional
  ContextFlags context;
  bool metadata = false;
  bool tensors = false;
  bool plan = false;
  int positions = 0;
  bool json = false;
};

/// Memory of a run, apart by whether the system can drop it.
struct Plan {
  int context = 0;
  int positions = 0;
  std::uint64_t program_bytes = 0; // this process now: executable, libraries, vocabulary
  WeightMemory weights;
  SessionMemory session;
  std::uint64_t cache_bytes_used = 0; // pages that `positions` touch
  std::string gpu;                    // which, with how many layers; empty: none
  std::uint64_t gpu_bytes = 0;

  std::uint64_t resident_bytes() const {
    return program_bytes + weights.matrices.mapped_bytes + weights.matrices.private_bytes + cache_bytes_used +
           session.scratch_bytes;
  }
};

/// Bytes of this process in memory; 0 where the system doesn't tell.
std::uint64_t resident_now() {
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Plan make_plan(const InfoFlags& flags, const Gguf& gguf, const ModelSpec& spec) {
  const Devices devices = open_devices(flags.model);
  Plan plan;
  plan.context = choose_context(flags.context, flags.model, spec.context_length);
  plan.positions = flags.positions ? std::min(flags.positions, plan.context) : plan.context;
  plan.program_bytes = resident_now();
  SessionOptions options;
  options.context = plan.context;
  options.step_tokens = std::min({flags.context.step_tokens, flags.context.batch, plan.positions});
  options.key_format = flags.context.key_format;
  options.value_format = flags.context.value_format;
  const PlacedModel placed = place_model(gguf, spec, devices, flags.model, options);
  plan.weights = plan_weights(gguf, spec, placed.backends, placed.placement);
  plan.session = plan_session(spec, placed.placement, placed.backends, options);
  if (placed.gpu_layers > 0) {
    plan.gpu =
        fmt::format("{}: {} of {} layers", devices.gpu->description(), placed.gpu_layers, spec.layers.size() + 1);
    plan.gpu_bytes = plan_gpu(gguf, spec, placed, options);
    const int gpu = static_cast<int>(placed.backends.size()) - 1;
    plan.session -= plan_session_on(spec, placed.placement, placed.backends, gpu, options);
  }
  const auto pages = static_cast<std::uint64_t>((plan.positions + page_positions - 1) / page_positions);
  plan.cache_bytes_used = std::min(plan.session.cache_bytes, pages * plan.session.cache_bytes_per_page);
  return plan;
}

Json plan_json(const Plan& plan) {
  return {{"context", plan.context},
          {"positions", plan.positions},
          {"weights_mapped_bytes", plan.weights.matrices.mapped_bytes},
          {"weights_private_bytes", plan.weights.matrices.private_bytes},
          {"token_table_mapped_bytes", plan.weights.table.mapped_bytes},
          {"cache_bytes", plan.session.cache_bytes},
          {"cache_bytes_at_positions", plan.cache_bytes_used},
          {"scratch_bytes", plan.session.scratch_bytes},
          {"program_bytes", plan.program_bytes},
          {"gpu", plan.gpu.empty() ? Json() : Json(plan.gpu)},
          {"gpu_bytes", plan.gpu_bytes},
          {"resident_bytes_at_positions", plan.resident_bytes()}};
}

std::string plan_table(const Plan& plan) {
  std::string out = fmt::format("\nmemory for a context of {} tokens, {} of them used\n", plan.context, plan.positions);
  const auto row = [&](std::string_view name, std::uint64_t bytes, std::string_view note) {
    out += fmt::format("  {:<26}{:>12}  {}\n", name, format_bytes(bytes), note);
  };
  row("weights, mapped", plan.weights.matrices.mapped_bytes,
      "read for every token; the system can drop and reread them");
  row("token table, mapped", plan.weights.table.mapped_bytes, "only rows of tokens that occur become resident");
  row("weights, private", plan.weights.matrices.private_bytes,
      "laid out for the processor; norms and biases as floats");
  row("KV cache", plan.cache_bytes_used,
      fmt::format("{} when the context is full", format_bytes(plan.session.cache_bytes)));
  row("scratch", plan.session.scratch_bytes, "buffers of a step and of the threads");
  row("program and vocabulary", plan.program_bytes, "measured on this process");
  row("resident, all together", plan.resident_bytes(), "");
  if (!plan.gpu.empty()) row("on the GPU", plan.gpu_bytes, plan.gpu);
  return out;
}

std::string mixer_text(const Attention& a) {
  std::string out = fmt::format("attention {} heads x {}, {} KV heads", a.heads, a.key_dim, a.kv_heads);
  if (a.value_dim != a.key_dim) out += fmt::format(" (values {})", a.value_dim);
  if (a.window) out += fmt::format(", window {}", a.window);
  if (a.qk_norm == QkNorm::per_head) out += ", q/k norm";
  if (a.qkv_bias) out += ", biases";
  return out;
}

std::string rope_text(const RopeSpec& rope) {
  std::string out = fmt::format("{} dims, {} pairs, base {:g}", rope.dims,
                                rope.pairs == RopePairs::adjacent ? "adjacent" : "half-apart", rope.base);
  if (rope.scaling == RopeScaling::linear) out += fmt::format(", linear x{:g}", rope.factor);
  if (rope.scaling == RopeScaling::yarn) out += fmt::format(", YaRN x{:g} from {}", rope.factor, rope.original_context);
  if (rope.has_factors) out += ", factors from the file";
  return out;
}

std::string layer_text(const LayerSpec& layer) {
  return fmt::format("{}; feed-forward {}, SiLU gated", mixer_text(std::get<Attention>(layer.mixer)),
                     std::get<DenseFfn>(layer.ffn).hidden_dim);
}

/// Runs of equal layers: "0-21  attention ...".
std::string layers_table(const ModelSpec& spec) {
  std::string out;
  for (std::size_t i = 0; i < spec.layers.size();) {
    const std::string text = layer_text(spec.layers[i]);
    std::size_t end = i + 1;
    while (end < spec.layers.size() && layer_text(spec.layers[end]) == text) ++end;
    const std::string range = end - i > 1 ? fmt::format("layers {}-{}", i, end - 1) : fmt::format("layer {}", i);
    out += fmt::format("{:<14}{}\n", range, text);
    i = end;
  }
  return out;
}

std::string spec_table(const ModelSpec& spec) {
  std::string out = fmt::format("{:<14}{}\n{:<14}{}\n{:<14}{}\n", "dim", spec.dim, "vocabulary", spec.vocab_size,
                                "context", spec.context_length);
  out += layers_table(spec);
  for (const RopeSpec& rope : spec.ropes) out += fmt::format("{:<14}{}\n", "rope", rope_text(rope));
  out += fmt::format("{:<14}{}\n", "output", spec.tied_output ? "tied to the token table" : "its own matrix");
  return out;
}

Json spec_json(const ModelSpec& spec) {
  Json layers = Json::array();
  for (const LayerSpec& layer : spec.layers) layers.push_back(layer_text(layer));
  Json ropes = Json::array();
  for (const RopeSpec& rope : spec.ropes) ropes.push_back(rope_text(rope));
  return {{"dim", spec.dim},
          {"vocab_size", spec.vocab_size},
          {"context_length", spec.context_length},
          {"tied_output", spec.tied_output},
          {"layers", layers},
          {"ropes", ropes}};
}

std::string summary(const Gguf& gguf) {
  std::uint64_t weights = 0;
  std::uint64_t bytes = 0;
  for (const TensorInfo& tensor : gguf.tensors()) {
    weights += tensor.elements();
    bytes += tensor.bytes.size();
  }
  std::string out =
      fmt::format("{:<14}{} (GGUF v{}, {})\n", "file", gguf.name(), gguf.version(), format_bytes(gguf.file_bytes()));
  if (gguf.metadata().has("general.name"))
    out += fmt::format("{:<14}{}\n", "name", gguf.metadata().get_string("general.name"));
  out += fmt::format("{:<14}{}\n", "architecture", gguf.metadata().get_string_or("general.architecture", "(none)"));
  out += fmt::format("{:<14}{} tensors, {:.2f} million weights", "contents", gguf.tensors().size(),
                     static_cast<double>(weights) * 1e-6);
  if (weights)
    out += fmt::format(", mostly {}, {:.2f} bits a weight", main_format(gguf),
                       8.0 * static_cast<double>(bytes) / static_cast<double>(weights));
  return out + "\n";
}

std::string tokenizer_line(const Gguf& gguf) {
  const Metadata& metadata = gguf.metadata();
  std::string out = fmt::format("{:<14}{}", "tokenizer", metadata.get_string_or("tokenizer.ggml.model", "(none)"));
  if (metadata.has("tokenizer.ggml.pre")) out += fmt::format(", pattern {}", metadata.get_string("tokenizer.ggml.pre"));
  const TemplateKind kind = template_kind(metadata);
  const char* names[] = {"none", "ChatML", "other"};
  return out + fmt::format("\n{:<14}{}\n", "chat template", names[static_cast<int>(kind)]);
}

std::string shape_text(const TensorInfo& tensor) {
  std::string out = fmt::format("{}", tensor.shape[0]);
  for (int i = 1; i < tensor.rank; ++i) out += fmt::format(" x {}", tensor.shape[static_cast<std::size_t>(i)]);
  return out;
}

Json metadata_json(const MetadataValue& value) {
  return std::visit(
      [&](const auto& data) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(data)>, MetadataArray>) return describe(value);
        else return data;
      },
      value.data);
}

Json info_json(const InfoFlags& flags, const Gguf& gguf, const ModelSpec* spec, const std::string& obstacle) {
  Json json = {{"path", gguf.name()}, {"version", gguf.version()}, {"bytes", gguf.file_bytes()}};
  for (const auto& [key, value] : gguf.metadata().values()) json["metadata"][key] = metadata_json(value);
  json["tensors"] = Json::array();
  for (const TensorInfo& tensor : gguf.tensors())
    json["tensors"].push_back(
        {{"name", tensor.name},
         {"format", find_format(tensor.format)->name},
         {"shape", std::vector<std::uint64_t>(tensor.shape.begin(), tensor.shape.begin() + tensor.rank)},
         {"offset", tensor.offset},
         {"bytes", tensor.bytes.size()}});
  if (spec) json["spec"] = spec_json(*spec);
  else json["cannot_run"] = obstacle;
  if (spec && flags.plan) json["plan"] = plan_json(make_plan(flags, gguf, *spec));
  return json;
}

std::string info_text(const InfoFlags& flags, const Gguf& gguf, const ModelSpec* spec, const std::string& obstacle) {
  std::string out = summary(gguf);
  if (spec) out += spec_table(*spec);
  else out += fmt::format("{:<14}{}\n", "cannot run", obstacle);
  out += tokenizer_line(gguf);
  if (flags.metadata) {
    out += "\nmetadata\n";
    for (const auto& [key, value] : gguf.metadata().values())
      out += fmt::format("  {:<44}{:<8}{}\n", key, type_name(value.type), describe(value));
  }
  if (flags.tensors) {
    out += "\ntensors\n";
    for (const TensorInfo& tensor : gguf.tensors())
      out += fmt::format("  {:<36}{:<6}{:<20}{:>12}\n", tensor.name, find_format(tensor.format)->name,
                         shape_text(tensor), format_bytes(tensor.bytes.size()));
  }
  if (flags.plan && spec) out += plan_table(make_plan(flags, gguf, *spec));
  return out;
}

void declare(CLI::App& app, InfoFlags& flags) {
  app.add_option("file", flags.file, "the model file, instead of -m")->type_name("FILE");
  add_model_flags(app, flags.model);
  add_context_flags(app, flags.context);
  app.add_flag("--metadata", flags.metadata, "list all keys and values");
  app.add_flag("--tensors", flags.tensors, "list all tensors");
  app.add_flag("--plan", flags.plan, "the memory a run takes, mapped and private apart");
  app.add_option("--positions", flags.positions, "with --plan: positions used (default: the whole context)")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30));
  app.add_flag("--json", flags.json, "print one JSON object");
}

int show_info(InfoFlags& flags) {
  if (!flags.file.empty()) flags.model.path = flags.file;

  const Gguf gguf = open_model(flags.model);
  ModelSpec spec;
  std::string obstacle;                 // what keeps kern from running it; it can be looked at all the same
  std::unique_ptr<Tokenizer> tokenizer; // part of what a run keeps in memory
  try {
    if (gguf.tensors().empty())
      throw Error(ExitCode::model, fmt::format("{}: holds no tensors, only a vocabulary", gguf.name()));
    spec = read_spec(gguf);
    if (flags.plan) tokenizer = Tokenizer::create(gguf.metadata(), flags.model.pretokenizer);
  } catch (const Error& error) {
    if (flags.plan) throw;
    obstacle = error.what();
  }
  const ModelSpec* found = obstacle.empty() ? &spec : nullptr;
  std::string out;
  if (flags.json) out = dump_json(info_json(flags, gguf, found, obstacle));
  else out = info_text(flags, gguf, found, obstacle);
  write_output(stdout_is_terminal() ? escape_controls(out) : out);
  return 0;
}

} // namespace

Command info_command() {
  return make_command<InfoFlags>("kern info", "Shows what a model file holds, from its headers alone.", declare,
                                 show_info);
}

} // namespace kern
