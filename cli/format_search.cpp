#include "cli/format_search.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/measurement.h"
#include "cli/model_file.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "engine/perplexity.h"
#include "model/error.h"
#include "quant/mix.h"

namespace kern {

namespace {

/// What matrices can become: formats that run fast everywhere, none much worse than another of its size.
constexpr Format candidates[] = {Format::q2_k, Format::q3_k, Format::iq4_xs, Format::q4_k,
                                 Format::q5_k, Format::q6_k, Format::q8_0};

constexpr std::size_t most_base_bytes = std::size_t{512} << 20;
constexpr std::uint64_t metadata_slack = 8192; // keys that quantizing adds

ModelFlags search_flags(const std::string& path, int threads, bool quiet) {
  ModelFlags flags;
  flags.path = path;
  flags.threads = threads;
  flags.quiet = quiet;
  flags.no_repack = true; // a matrix is used for a few steps only
  return flags;
}

std::uint64_t parse_bytes(const std::string& text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::pair<std::string_view, double> units[] = {
      {"", 1.0}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
  if (unit.size() == 2 && unit[1] == 'B') unit.remove_suffix(1);
  const auto* known = std::ranges::find(units, unit, &std::pair<std::string_view, double>::first);
  if (error != std::errc() || known == std::end(units) || !(value > 0.0) || value * known->second > 1e15)
    throw Error(ExitCode::usage, fmt::format("--target-size: found '{}', expected a size of the file, as 700M, 1.5G or "
                                             "650MiB",
                                             escape_controls(text)));
  return static_cast<std::uint64_t>(value * known->second);
}

std::uint64_t smallest_bytes(const TensorInfo& tensor) {
  std::uint64_t least = UINT64_MAX;
  for (const Format format : candidates) least = std::min(least, bytes_in(tensor, fall_back(format, tensor.columns())));
  return least;
}

/// A few runs of rows, evenly spread: enough to tell formats apart.
std::vector<TensorInfo> sample_rows(const TensorInfo& tensor) {
  constexpr std::uint64_t runs = 4;
  constexpr std::uint64_t run = 64;
  const std::uint64_t rows = tensor.shape[1];
  const std::size_t bytes = row_bytes(tensor.format, tensor.columns());
  std::vector<TensorInfo> samples;
  for (std::uint64_t i = 0; i < runs; ++i) {
    TensorInfo part = tensor;
    const std::uint64_t begin = rows > run ? (rows - run) * i / (runs - 1) : 0;
    part.shape = {tensor.columns(), std::min(run, rows), 1, 1};
    part.bytes = tensor.bytes.subspan(begin * bytes, part.shape[1] * bytes);
    samples.push_back(part);
    if (rows <= run) break;
  }
  return samples;
}

} // namespace

void add_target_flags(CLI::App& app, TargetFlags& flags) {
  auto* size = app.add_option("--target-size", flags.size,
                              "instead of TYPE: formats chosen for a file of this size, as 700M, by trying each matrix "
                              "on the text of --measure")
                   ->type_name("SIZE");
  app.add_option("--target-bpw", flags.bits, "the same for so many bits a weight")
      ->type_name("BITS")
      ->check(CLI::Range(1.0, 16.0))
      ->excludes(size);
}

std::uint64_t target_bytes(const TargetFlags& flags, const Gguf& gguf, std::uint64_t weights) {
  if (flags.bits > 0.0) return static_cast<std::uint64_t>(flags.bits * static_cast<double>(weights) / 8.0);
  std::uint64_t others = gguf.file_bytes() + metadata_slack + 32 * gguf.tensors().size(); // and alignment
  for (const TensorInfo& tensor : gguf.tensors()) others -= std::min<std::uint64_t>(others, tensor.bytes.size());
  const std::uint64_t size = parse_bytes(flags.size);
  if (size <= others)
    throw Error(ExitCode::usage, fmt::format("--target-size: found {}, and the metadata alone takes {}; name a larger "
                                             "size",
                                             format_bytes(size), format_bytes(others)));
  return size - others;
}

FormatSearch::FormatSearch(const MeasureFlags& flags, const std::string& source, int threads, bool quiet)
    : quiet_(quiet), loaded_(load_headers(search_flags(source, threads, quiet))),
      text_(read_measure_text(flags, loaded_, quiet)), options_(chunk_options({}, text_.length)),
      pool_(loaded_.devices.cpu->threads()), recoder_(pool_, choose_cpu_kernels(), source) {
  const std::size_t chunk =
      scored_rows(text_.length) * static_cast<std::size_t>(loaded_.spec.vocab_size) * sizeof(float);
  chunks_ = std::clamp<std::size_t>(most_base_bytes / chunk, 1, text_.size());
}

template <class Row> void FormatSearch::each_row(Row&& row) {
  const Model model(loaded_.gguf, *loaded_.devices.cpu);
  Scorer scorer(model, options_);
  const auto vocab = static_cast<std::size_t>(loaded_.spec.vocab_size);
  for (std::size_t chunk = 0; chunk < chunks_; ++chunk) {
    const std::vector<Token> tokens = text_.chunk(chunk);
    const std::size_t first = text_.length / 2;
    scorer.begin(std::span(tokens.data(), tokens.size() - 1), first);
    while (const auto step = scorer.next()) {
      if (interrupted()) throw Error(interruption_code(), fmt::format("{}; no file was written", interruption_name()));
      pool_.run([&](int thread) {
        const Share rows = share_of(static_cast<std::int64_t>(step->logits.size() / vocab), thread, pool_.size());
        for (auto i = static_cast<std::size_t>(rows.begin); i < static_cast<std::size_t>(rows.end); ++i)
          row(chunk * scored_rows(text_.length) + step->first + i - first, step->logits.subspan(i * vocab, vocab),
              tokens[step->first + i + 1]);
      });
    }
  }
}

void FormatSearch::read_base() {
  const auto vocab = static_cast<std::size_t>(loaded_.spec.vocab_size);
  base_.resize(chunks_ * scored_rows(text_.length) * vocab);
  each_row([&](std::size_t index, std::span<const float> logits, Token) {
    log_softmax(logits, std::span(base_).subspan(index * vocab, vocab));
  });
}

double FormatSearch::divergence() {
  const auto vocab = static_cast<std::size_t>(loaded_.spec.vocab_size);
  std::vector<double> rows(base_.size() / vocab);
  each_row([&](std::size_t index, std::span<const float> logits, Token next) {
    rows[index] = compare_token(std::span<const float>(base_).subspan(index * vocab, vocab), logits, next).divergence;
  });
  double sum = 0.0; // in order, so that threads change nothing
  for (const double row : rows) sum += row;
  return sum / static_cast<double>(rows.size());
}

double FormatSearch::tried(const TensorInfo& tensor, Format format, std::span<const float> importance) {
  const TensorInfo original = tensor; // what is replaced is this very entry
  encoded_.clear();
  recoder_.recode(original, format, importance, [&](std::span<const std::byte> bytes) {
    encoded_.insert(encoded_.end(), bytes.begin(), bytes.end());
  });
  loaded_.gguf.replace(original.name, format, encoded_);
  const double cost = divergence();
  loaded_.gguf.replace(original.name, original.format, original.bytes);
  return cost;
}

double FormatSearch::squared_error(const TensorInfo& tensor, Format format, std::span<const float> importance) {
  const CpuKernels& kernels = choose_cpu_kernels();
  const auto columns = static_cast<std::size_t>(tensor.columns());
  std::vector<float> before(columns), after(columns);
  double error = 0.0;
  for (const TensorInfo& part : sample_rows(tensor)) {
    std::vector<std::byte> encoded;
    recoder_.recode(
        part, format, importance.first(std::min(importance.size(), columns)),
        [&](std::span<const std::byte> bytes) { encoded.insert(encoded.end(), bytes.begin(), bytes.end()); });
    for (std::size_t r = 0; r < part.shape[1]; ++r) {
      kernels.decode_row(part.format, part.bytes.data() + r * row_bytes(part.format, columns),
                         static_cast<int>(columns), 1.0f, before.data());
      kernels.decode_row(format, encoded.data() + r * row_bytes(format, columns), static_cast<int>(columns), 1.0f,
                         after.data());
      for (std::size_t c = 0; c < columns; ++c) {
        const double difference = static_cast<double>(after[c]) - static_cast<double>(before[c]);
        error += difference * difference * (importance.empty() ? 1.0 : static_cast<double>(importance[c]));
      }
    }
  }
  return error;
}

std::vector<FormatChoice> FormatSearch::choices_of(const TensorInfo& tensor, const Importance* importance) {
  const std::span<const float> weights = importance ? importance->find(tensor) : std::span<const float>();
  std::vector<FormatChoice> choices;
  for (const Format candidate : candidates) {
    const Format format = fall_back(candidate, tensor.columns());
    if (std::ranges::find(choices, format, &FormatChoice::format) == choices.end())
      choices.push_back({format, bytes_in(tensor, format), 0.0});
  }
  std::ranges::stable_sort(choices, {}, &FormatChoice::bytes);
  // A divergence this small is noise, and only the order of errors counts.
  constexpr double least = 1e-9;
  std::vector<double> errors;
  for (const FormatChoice& choice : choices) errors.push_back(squared_error(tensor, choice.format, weights));
  const std::size_t known = std::min<std::size_t>(choices.size(), 2);
  for (std::size_t i = 0; i < known; ++i) choices[i].cost = std::max(tried(tensor, choices[i].format, weights), least);
  const double reference = std::max(errors[known - 1], 1e-300);
  for (std::size_t i = known; i < choices.size(); ++i)
    choices[i].cost = choices[known - 1].cost * errors[i] / reference;
  return choices;
}

std::map<std::string, Format, std::less<>> FormatSearch::choose(const QuantizePlan& plan, std::uint64_t bytes,
                                                                const Importance* importance) {
  std::uint64_t fixed = 0;
  std::uint64_t smallest = 0; // of the others
  std::vector<std::string> names;
  for (const PlannedTensor& planned : plan.tensors) {
    if (!planned.is_free) {
      fixed += bytes_in(*planned.tensor, planned.format);
      continue;
    }
    names.push_back(planned.tensor->name);
    smallest += smallest_bytes(*planned.tensor);
  }
  if (bytes < fixed + smallest)
    throw Error(ExitCode::usage, fmt::format("found a target of {} for the tensors, expected at least {}, with every "
                                             "matrix in the smallest format; name a larger one",
                                             format_bytes(bytes), format_bytes(fixed + smallest)));
  const GentleEnd gentle_end;
  ProgressBar bar("try formats", "matrices", !quiet_);
  read_base();
  std::vector<std::vector<FormatChoice>> choices;
  for (const std::string& name : names) {
    choices.push_back(choices_of(*loaded_.gguf.find(name), importance));
    bar.update(choices.size(), names.size());
  }
  bar.clear();
  const std::vector<std::size_t> chosen = allocate_formats(choices, bytes - fixed).value();
  std::map<std::string, Format, std::less<>> formats;
  for (std::size_t i = 0; i < names.size(); ++i) formats[names[i]] = choices[i][chosen[i]].format;
  return formats;
}

} // namespace kern
