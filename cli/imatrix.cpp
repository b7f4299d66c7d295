// kern imatrix: how much each column of a model's matrices matters, over a text.
#include <filesystem>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/loaded_model.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "cli/text_chunks.h"
#include "engine/importance_collector.h"
#include "engine/scorer.h"
#include "model/error.h"

namespace kern {

namespace {

struct ImatrixFlags {
  ModelFlags model;
  ContextFlags context;
  TextChunkFlags text;
  std::string out = "imatrix.gguf";
  int save_every = 10; // chunks
  bool resume = false;
};

/// The text's name as the file keeps it: not where it lies.
std::string name_of(const TextChunkFlags& flags) {
  return flags.file == "-" ? "standard input" : std::filesystem::path(flags.file).filename().string();
}

/// Reads chunks into the collector, keeping what came so far now and then. False where an end was asked for.
bool collect(const ImatrixFlags& flags, const TextChunks& chunks, const ImportanceText& text, Scorer& scorer,
             ImportanceCollector& collector) {
  ProgressBar bar("imatrix", "chunks", !flags.model.quiet);
  while (collector.chunks() < chunks.size()) {
    const std::vector<Token> tokens = chunks.chunk(collector.chunks());
    scorer.begin(tokens, tokens.size());
    while (scorer.next())
      if (interrupted()) return false;
    collector.finish_chunk();
    bar.update(collector.chunks(), chunks.size());
    if (collector.chunks() % static_cast<std::uint32_t>(flags.save_every) == 0) collector.write(flags.out, text);
  }
  return true;
}

int make_importance(ImatrixFlags& flags) {
  const LoadedModel loaded = load_headers(flags.model);
  const TextChunks chunks = read_chunks(flags.text, *loaded.tokenizer, flags.model.quiet);
  const ImportanceText text{name_of(flags.text), static_cast<std::uint32_t>(chunks.length)};
  ImportanceCollector collector(loaded.spec);
  if (flags.resume && std::filesystem::exists(flags.out)) collector.restore(Gguf::open(flags.out), text);
  const std::uint32_t before = collector.chunks();
  if (before > chunks.size())
    throw Error(ExitCode::usage, fmt::format("{}: holds {} chunks, expected at most the {} asked for; ask for more, or "
                                             "name another file",
                                             flags.out, before, chunks.size()));

  const SessionOptions options = chunk_options(flags.context, chunks.length);
  const Model model = load_model(loaded.gguf, loaded.devices, flags.model, options);
  Scorer scorer(model, options);
  scorer.forward().set_tap(&collector);

  const GentleEnd gentle_end;
  const bool whole = collect(flags, chunks, text, scorer, collector);
  if (collector.chunks() > before || whole) collector.write(flags.out, text);
  if (!whole)
    throw Error(interruption_code(),
                collector.chunks() == 0
                    ? fmt::format("{} in the first chunk; no file was written", interruption_name())
                    : fmt::format("{} after {} of {} chunks, which {} holds; --resume goes on from there",
                                  interruption_name(), collector.chunks(), chunks.size(), flags.out));
  if (!flags.model.quiet)
    write_notice(fmt::format("{}: {} chunks of {} tokens\n", flags.out, collector.chunks(), chunks.length));
  return 0;
}

void declare(CLI::App& app, ImatrixFlags& flags) {
  add_text_chunk_flags(app, flags.text);
  app.add_option("-o,--output", flags.out, "the importance matrix, for kern quantize --imatrix")
      ->type_name("FILE")
      ->capture_default_str();
  app.add_option("--save-every", flags.save_every, "write the file after every N chunks")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 30))
      ->capture_default_str();
  app.add_flag("--resume", flags.resume, "go on where the output file, made of the same text, ends");
  add_model_flags(app, flags.model);
  add_batch_flags(app, flags.context);
}

} // namespace

Command imatrix_command() {
  return make_command<ImatrixFlags>("kern imatrix",
                                    "Mean squares of what meets each column of a model's matrices while it reads a "
                                    "text. The file is that of llama.cpp's imatrix, which either program reads.",
                                    declare, make_importance);
}

} // namespace kern
