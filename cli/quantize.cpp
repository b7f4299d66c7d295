// kern quantize: a model file in another format.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <map>
#include <regex>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/format_search.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/quantize_measure.h"
#include "cli/quantize_plan.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/write_model.h"
#include "convert/folder_model.h"
#include "kernels/cpu/memory.h"
#include "model/error.h"
#include "model/gguf_writer.h"
#include "model/recode.h"
#include "model/row_reader.h"

namespace kern {

namespace {

struct QuantizeFlags {
  std::vector<std::string> words; // IN [OUT] TYPE [THREADS]
  QuantizeOptions options;
  std::string importance; // file
  int threads = 0;
  bool dry_run = false;
  bool quiet = false;
  MeasureFlags measure;
  TargetFlags target;
  std::vector<std::string> tensor_types;
  std::string output_type;
  std::string embedding_type;
};

struct Paths {
  std::string in;
  std::string out; // empty: named after the model
};

/// The words of the command line, where a last number is the threads, as people write it for other tools.
Paths take_words(QuantizeFlags& flags) {
  std::vector<std::string>& words = flags.words;
  if (words.size() >= 3 && std::ranges::all_of(words.back(), [](char c) { return c >= '0' && c <= '9'; })) {
    const std::string& last = words.back();
    const auto [end, error] = std::from_chars(last.data(), last.data() + last.size(), flags.threads);
    if (error != std::errc() || flags.threads < 1 || flags.threads > 1024)
      throw Error(ExitCode::usage, fmt::format("found {} threads, expected 1 to 1024", last));
    words.pop_back();
  }
  if (flags.target.given()) {
    if (words.size() > 1 && find_mix(words.back()))
      throw Error(ExitCode::usage, fmt::format("found the type {} beside a target, which chooses the formats itself; "
                                               "give one of them",
                                               escape_controls(words.back())));
    if (words.empty() || words.size() > 2)
      throw Error(ExitCode::usage, "expected IN [OUT], as in `kern quantize --target-size 700M --measure text.txt "
                                   "model-F16.gguf`");
    flags.options.mix = find_mix("Q8_0"); // until formats are chosen
    return {words[0], words.size() == 2 ? words[1] : ""};
  }
  if (words.size() < 2 || words.size() > 3)
    throw Error(ExitCode::usage, "expected IN [OUT] TYPE, as in `kern quantize model-F16.gguf Q4_K_M`; `kern quantize "
                                 "--help` lists the types");
  flags.options.mix = find_mix(words.back());
  if (!flags.options.mix)
    throw Error(ExitCode::usage, fmt::format("'{}' is not a type to quantize to; expected one of {}",
                                             escape_controls(words.back()), mix_names()));
  return {words[0], words.size() == 3 ? words[1] : ""};
}

Format parse_format(const char* flag, const std::string& name) {
  std::optional<Format> found;
  for_each_format([&]<class Traits>(Traits) {
    if (std::ranges::equal(name, std::string_view(Traits::name),
                           [](unsigned char a, unsigned char b) { return std::toupper(a) == std::toupper(b); }))
      found = Traits::id;
  });
  if (!found)
    throw Error(ExitCode::usage, fmt::format("{}: '{}' is not a format kern can write; expected one of {}", flag,
                                             escape_controls(name), format_names()));
  return *found;
}

void read_overrides(QuantizeFlags& flags) {
  if (!flags.output_type.empty()) flags.options.output_format = parse_format("--output-tensor-type", flags.output_type);
  if (!flags.embedding_type.empty())
    flags.options.embedding_format = parse_format("--token-embedding-type", flags.embedding_type);
  for (const std::string& text : flags.tensor_types) {
    const std::size_t equals = text.rfind('=');
    if (equals == std::string::npos || equals == 0)
      throw Error(ExitCode::usage, fmt::format("--tensor-type: found '{}', expected REGEX=TYPE, as in ffn_down=Q6_K",
                                               escape_controls(text)));
    try {
      flags.options.overrides.push_back({std::regex(text.substr(0, equals), std::regex::ECMAScript | std::regex::icase),
                                         parse_format("--tensor-type", text.substr(equals + 1))});
    } catch (const std::regex_error& error) {
      throw Error(ExitCode::usage, fmt::format("--tensor-type: '{}' is not a regular expression: {}",
                                               escape_controls(text.substr(0, equals)), error.what()));
    }
  }
}

/// The metadata of the new file: the old one's, with what the format changes.
void copy_metadata(const ModelSource& source, const QuantizePlan& plan, const Importance* importance,
                   GgufWriter& writer) {
  constexpr std::string_view replaced[] = {"general.alignment",
                                           "general.file_type",
                                           "general.quantization_version",
                                           "quantize.imatrix.file",
                                           "quantize.imatrix.dataset",
                                           "quantize.imatrix.entries_count",
                                           "quantize.imatrix.chunks_count"};
  for (const auto& [key, value] : source.metadata->values())
    if (!key.starts_with("split.") && std::ranges::find(replaced, key) == std::end(replaced)) writer.add(key, value);
  writer.add("general.quantization_version", std::uint32_t{2});
  writer.add("general.file_type", plan.file_type);
  if (!importance) return;
  writer.add("quantize.imatrix.file", importance->source());
  if (!importance->datasets().empty()) writer.add("quantize.imatrix.dataset", importance->datasets().front());
  writer.add("quantize.imatrix.entries_count", static_cast<std::uint32_t>(importance->size()));
  writer.add("quantize.imatrix.chunks_count", importance->chunks());
}

/// Gives back the pages behind a tensor.
void drop_tensor(const ModelSource& source, const TensorInfo& tensor) {
  if (!source.mapped) return;
  if (!tensor.reader) return drop_pages(tensor.bytes);
  for (const std::span<const std::byte> bytes : tensor.reader->sources()) drop_pages(bytes);
}

} // namespace

double write_model(const ModelSource& source, const QuantizePlan& plan, const Importance* importance,
                   const WriteOptions& options) {
  using Clock = std::chrono::steady_clock;
  const auto begin = Clock::now();
  ThreadPool pool(options.threads ? options.threads : available_threads());
  Recoder recoder(pool, choose_cpu_kernels(), source.name);
  GgufWriter writer;
  copy_metadata(source, plan, importance, writer);
  ProgressBar bar(options.label, "MB", options.progress);
  std::uint64_t done = 0;
  const auto total = static_cast<std::size_t>(plan.bytes_after / 1000000);
  const GentleEnd gentle_end; // an end in between leaves no file
  for (const PlannedTensor& planned : plan.tensors) {
    const TensorInfo& tensor = *planned.tensor;
    const auto produce = [&, importance](const GgufWriter::Sink& sink) {
      const std::span<const float> weights = importance ? importance->find(tensor) : std::span<const float>();
      recoder.recode(tensor, planned.format, weights, [&](std::span<const std::byte> bytes) {
        if (interrupted())
          throw Error(interruption_code(), fmt::format("{}; no file was written", interruption_name()));
        sink(bytes);
        done += bytes.size();
        bar.update(static_cast<std::size_t>(done / 1000000), total);
      });
      drop_tensor(source, tensor);
    };
    writer.add_tensor(tensor.name, planned.format,
                      {tensor.shape.begin(), tensor.shape.begin() + std::max(tensor.rank, 1)}, produce);
  }
  writer.write(options.out);
  bar.clear();
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

namespace {

bool same_file(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

/// A GGUF file or a folder.
struct OpenedSource {
  explicit OpenedSource(const std::string& in) : path(in) {
    if (is_model_folder(in)) folder = FolderModel::open(in, {});
    else file = Gguf::open(in);
  }
  ModelSource source() const { return folder ? folder->source() : ModelSource(*file); }
  std::string default_output(std::string_view type) const {
    return folder ? folder->default_output(type).string() : kern::default_output(path, type);
  }

  std::string path;
  std::optional<FolderModel> folder;
  std::optional<Gguf> file;
};

/// What the name of a file of that target says in place of a type.
std::string target_name(const TargetFlags& target) {
  return target.bits > 0.0 ? fmt::format("{}bpw", target.bits) : target.size;
}

/// The mix whose own format most of the weights have.
const Mix* nearest_mix(const QuantizePlan& plan) {
  std::map<Format, std::uint64_t> weights;
  for (const PlannedTensor& planned : plan.tensors)
    if (planned.is_free) weights[planned.format] += planned.tensor->elements();
  const Mix* nearest = find_mix("Q8_0");
  std::uint64_t most = 0;
  for (const Mix& mix : mixes())
    if (!mix.experts_only && weights[mix.format] > most) {
      most = weights[mix.format];
      nearest = &mix;
    }
  return nearest;
}

/// The plan where a search on the text chooses the formats.
QuantizePlan plan_for_target(const OpenedSource& opened, QuantizeFlags& flags, const Importance* importance) {
  if (flags.measure.text.empty() || flags.measure.text == "-" || opened.folder)
    throw Error(ExitCode::usage, fmt::format("a target tries formats on a text, and needs --measure with a file and a "
                                             "GGUF file to read; found {}",
                                             opened.folder ? "a folder, of which `kern convert` makes one"
                                             : flags.measure.text.empty() ? "no --measure"
                                                                          : "standard input"));
  if (flags.options.pure || flags.options.leave_output)
    throw Error(ExitCode::usage, "found --pure or --leave-output-tensor beside a target, which chooses the formats "
                                 "itself; --tensor-type names those it shall leave");
  const QuantizePlan free = plan_quantization(*opened.file, flags.options, importance);
  FormatSearch search(flags.measure, opened.path, flags.threads, flags.quiet);
  const std::map<std::string, Format, std::less<>> chosen =
      search.choose(free, target_bytes(flags.target, *opened.file, free.weights), importance);
  flags.options.chosen = &chosen;
  QuantizePlan plan = plan_quantization(*opened.file, flags.options, importance);
  flags.options.chosen = nullptr;
  plan.file_type = nearest_mix(plan)->file_type;
  return plan;
}

int quantize_model(QuantizeFlags& flags) {
  Paths paths = take_words(flags);
  read_overrides(flags);
  const OpenedSource opened(paths.in);
  const ModelSource source = opened.source();
  if (paths.out.empty())
    paths.out =
        opened.default_output(flags.target.given() ? target_name(flags.target) : std::string(flags.options.mix->name));
  if (!flags.dry_run && (opened.folder ? opened.folder->reads(paths.out) : same_file(paths.in, paths.out)))
    throw Error(ExitCode::output, fmt::format("{} is the file that is read; name another for the result", paths.out));
  std::optional<Importance> importance;
  if (!flags.importance.empty()) importance = Importance::read(flags.importance);
  const Importance* weights = importance ? &*importance : nullptr;
  const QuantizePlan plan = flags.target.given() ? plan_for_target(opened, flags, weights)
                                                 : plan_quantization(source, flags.options, weights);
  if (opened.folder && !flags.measure.text.empty())
    throw Error(ExitCode::usage, fmt::format("--measure compares with a GGUF file and {} is a folder; `kern convert` "
                                             "makes one of it",
                                             paths.in));
  if (flags.dry_run && !flags.measure.text.empty() && !flags.target.given())
    throw Error(ExitCode::usage, "--dry-run writes nothing that --measure could read; give one of them");
  if (flags.dry_run) {
    write_output(plan_table(plan));
    return 0;
  }
  if (plan.without_importance > 0 && !flags.quiet)
    write_notice(fmt::format("kern: warning: {}: found no entry for {} of {} matrices, which are quantized without\n",
                             flags.importance, plan.without_importance, plan.quantized));
  if (!flags.quiet && opened.folder)
    for (const std::string& warning : opened.folder->warnings())
      write_notice(fmt::format("kern: warning: {}\n", escape_controls(warning)));
  if (plan.unweighed > 0 && !flags.quiet)
    write_notice(fmt::format("kern: warning: {} matrices in formats of about three bits or less lose much without an "
                             "importance matrix; `kern imatrix` makes one, and --imatrix takes it\n",
                             plan.unweighed));
  std::optional<QuantizeMeasure> measure;
  if (!flags.measure.text.empty()) measure.emplace(flags.measure, paths.in, flags.threads, flags.quiet);
  const double seconds = write_model(source, plan, weights, {paths.out, "quantize", flags.threads, !flags.quiet});
  if (!flags.quiet)
    write_notice(fmt::format("{}: {}, {:.2f} bits a weight (from {}, {:.2f}), in {:.1f} s\n", paths.out,
                             format_bytes(plan.bytes_after), plan.bits_after(), format_bytes(plan.bytes_before),
                             plan.bits_before(), seconds));
  if (measure) measure->run({paths.in, paths.out}, plan);
  return 0;
}

void declare(CLI::App& app, QuantizeFlags& flags) {
  app.add_option("words", flags.words, "IN [OUT] TYPE, and threads after it if you like")
      ->type_name("IN [OUT] TYPE")
      ->expected(0, 4);
  app.add_option("--imatrix", flags.importance, "weigh errors by the importance of columns in this file")
      ->type_name("FILE");
  {
    const OptionTopic topic(app, "formats");
    app.add_flag("--pure", flags.options.pure, "every matrix in the type's own format");
    app.add_flag("--leave-output-tensor", flags.options.leave_output, "keep output.weight as it is");
    app.add_option("--output-tensor-type", flags.output_type, "format of output.weight")->type_name("FORMAT");
    app.add_option("--token-embedding-type", flags.embedding_type, "format of the token embedding")
        ->type_name("FORMAT");
    app.add_option("--tensor-type", flags.tensor_types,
                   "format of all tensors whose name has a match of REGEX (repeatable; the first counts)")
        ->type_name("REGEX=FORMAT")
        ->expected(1)
        ->allow_extra_args(false)
        ->take_all();
  }
  app.add_flag("--allow-requantize", flags.options.allow_requantize,
               "quantize tensors that are quantized already, which loses more than quantizing the original");
  app.add_flag("--dry-run", flags.dry_run, "print what each tensor would become, and write nothing");
  {
    const OptionTopic topic(app, "measure");
    add_measure_flags(app, flags.measure);
    add_target_flags(app, flags.target);
  }
  app.add_option("-t,--threads", flags.threads, "threads (default: all this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app.add_flag("-q,--quiet", flags.quiet, "nothing on standard error");
}

} // namespace

Command quantize_command() {
  return make_command<QuantizeFlags>(
      "kern quantize",
      "Writes a model file, or a Hugging Face folder, in another format. OUT is whole or "
      "absent; without it, IN's name with the type in it. Types: " +
          mix_names(),
      declare, quantize_model);
}

} // namespace kern
