#include "cli/run_model.h"

#include <algorithm>
#include <array>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/model_file.h"
#include "cli/output.h"
#include "cli/sampler_flags.h"
#include "cli/signals.h"
#include "engine/generate.h"
#include "engine/session.h"
#include "quant/format_id.h"

namespace kern {

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

SessionOptions session_options(const RunFlags& flags, const RunInput& input) {
  SessionOptions options;
  options.context = input.context;
  // Scratch grows with the step, so it is no longer than the prompt.
  options.step_tokens = static_cast<int>(std::min<std::size_t>(
      static_cast<std::size_t>(std::min(flags.context.step_tokens, flags.context.batch)), input.prompt.tokens.size()));
  options.key_format = flags.context.key_format;
  options.value_format = flags.context.value_format;
  return options;
}

void describe_model(const LoadedModel& loaded, const Model& model, const SessionOptions& options, RunReport& report) {
  report.model_path = loaded.gguf.name();
  report.model_name = loaded.spec.name;
  report.architecture = loaded.spec.architecture;
  report.format = main_format(loaded.gguf);
  report.model_bytes = loaded.gguf.file_bytes();
  report.device = describe_devices(loaded.devices, model);
  report.context = options.context;
  report.key_format = cache_type_name(options.key_format);
  report.value_format = cache_type_name(options.value_format);
  const MemoryUse matrices = plan_weights(loaded.gguf, loaded.spec, model.backends(), model.placement()).matrices;
  report.weight_bytes = matrices.all();
  report.cache_bytes_per_position =
      plan_session(loaded.spec, model.placement(), model.backends(), options).cache_bytes_per_page / page_positions;
  report.token_text = [tokenizer = loaded.tokenizer.get()](Token token) { return tokenizer->piece(token, true); };
}

/// FNV-1a (Fowler, Noll, Vo), 64 bits: against mistakes, not against attacks.
class Hash {
public:
  void add(std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) value_ = (value_ ^ static_cast<std::uint64_t>(byte)) * 0x100000001B3u;
  }
  void add(std::string_view text) {
    add(std::as_bytes(std::span(text.data(), text.size())));
    add(std::uint64_t{text.size()});
  }
  void add(std::uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  std::uint64_t value() const { return value_; }

private:
  std::uint64_t value_ = 0xCBF29CE484222325u;
};

} // namespace

void add_run_flags(CLI::App& app, RunFlags& flags) {
  flags.app = &app;
  add_prompt_flags(app, flags.prompt);
  add_session_flag(app, flags.session);
  add_template_flags(app, flags.chat);
  add_model_flags(app, flags.model);
  add_context_flags(app, flags.context);
  add_generation_flags(app, flags.generation);
}

std::vector<std::string> answer_flags(const CLI::App& app) {
  constexpr std::array<std::string_view, 4> topics = {"answer", "sampling", "penalties", "mirostat"};
  constexpr std::array<std::string_view, 5> others = {"json", "jsonl", "extract", "max-time", "seed"};
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0 || option->get_lnames().empty()) continue;
    const std::string& name = option->get_lnames()[0];
    if (std::ranges::find(topics, option->get_group()) == topics.end()) continue;
    if (std::ranges::find(others, name) != others.end()) continue;
    for (const std::string& value : option->results()) flags.push_back(fmt::format("--{}={}", name, value));
  }
  return flags;
}

RunReport run_model(const RunFlags& flags, const RunInput& input, std::optional<GentleEnd>& gentle_end) {
  const LoadedModel& loaded = input.loaded;
  const bool quiet = flags.model.quiet;
  const SessionOptions options = session_options(flags, input);
  const Sampling sampling =
      choose_sampling(flags.generation, loaded.gguf.metadata(), *loaded.tokenizer, input.prompt.end_tokens);
  if (!quiet)
    for (const std::string& line : idle_flags(flags.generation, sampling.options))
      write_notice(fmt::format("kern: warning: {}\n", line));

  const Model model = load_model(loaded.gguf, loaded.devices, flags.model, options);
  Session session = make_session(model, options);
  Sampler sampler(sampling.options, static_cast<std::size_t>(loaded.spec.vocab_size));

  gentle_end.emplace(); // until here there was nothing to write
  RunReport report;
  report.load_seconds = seconds_since(input.begin);
  describe_model(loaded, model, options, report);
  // Only reports show it: it reads both ends of every tensor, which a cold disk would have to fetch before the answer.
  if (flags.generation.json || flags.generation.jsonl) report.model_fingerprint = fingerprint(loaded.gguf);
  report.sampling = sampling;
  report.prompt = input.prompt;
  report.flags = answer_flags(*flags.app);
  if (input.shown == Shown::events) write_output(dump_json_line(start_json(report)));
  AnswerStream answer(*loaded.tokenizer, input.shown, loaded.tokenizer->restarts_text(input.prompt.tokens.back()),
                      input.prompt.think);
  report.result = stream_answer(flags.generation, quiet, session, sampler, input.prompt, answer);
  report.text = answer.text();
  report.thinking = answer.thinking();
  report.thinking_tokens = answer.thinking_tokens();
  return report;
}

std::string fingerprint(const Gguf& gguf) {
  constexpr std::size_t sample = 1024;
  Hash hash;
  hash.add(gguf.file_bytes());
  for (const auto& [key, value] : gguf.metadata().values()) {
    hash.add(key);
    hash.add(describe(value, sample));
    if (const auto* array = std::get_if<MetadataArray>(&value.data)) {
      hash.add(array->bytes.first(std::min(sample, array->bytes.size())));
      hash.add(array->bytes.last(std::min(sample, array->bytes.size())));
    }
  }
  for (const TensorInfo& tensor : gguf.tensors()) {
    hash.add(tensor.name);
    hash.add(static_cast<std::uint64_t>(tensor.format));
    hash.add(tensor.bytes.size());
    hash.add(tensor.bytes.first(std::min(sample, tensor.bytes.size())));
    hash.add(tensor.bytes.last(std::min(sample, tensor.bytes.size())));
  }
  return fmt::format("{:016x}", hash.value());
}

} // namespace kern
