// kern convert: a Hugging Face folder as a GGUF file.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/quantize_plan.h"
#include "cli/terminal.h"
#include "cli/write_model.h"
#include "convert/folder_model.h"
#include "convert/json_reader.h"
#include "model/error.h"

namespace kern {

namespace {

struct ConvertFlags {
  std::vector<std::string> words; // FOLDER [OUT]
  std::string out;                // --outfile
  std::string type = "auto";
  bool vocabulary_only = false;
  int threads = 0;
  bool dry_run = false;
  bool quiet = false;
};

struct ConvertPaths {
  std::string folder;
  std::string out; // empty: named after the model
};

ConvertPaths take_convert_words(const ConvertFlags& flags) {
  if (flags.words.empty() || flags.words.size() > 2 || (flags.words.size() == 2 && !flags.out.empty()))
    throw Error(ExitCode::usage, "expected FOLDER [OUT], as in `kern convert Qwen3-0.6B qwen3.gguf`");
  const std::string& folder = flags.words[0];
  if (!is_model_folder(folder))
    throw Error(has_file(folder) ? ExitCode::usage : ExitCode::model,
                fmt::format("{}: found {}, expected a Hugging Face folder with config.json and safetensors", folder,
                            has_file(folder) ? "a file" : "no such folder"));
  return {folder, flags.words.size() == 2 ? flags.words[1] : flags.out};
}

/// The mix that a type is: all of them but "auto" are mixes' names.
const Mix& choose_type(const ConvertFlags& flags, const FolderModel& model) {
  const std::string_view name = flags.type != "auto"                  ? std::string_view(flags.type)
                                : model.half_format() == Format::bf16 ? "BF16"
                                                                      : "F16";
  return *find_mix(name);
}

int convert_model(ConvertFlags& flags) {
  const ConvertPaths paths = take_convert_words(flags);
  FolderOptions options;
  options.vocabulary_only = flags.vocabulary_only;
  options.keep_exact = flags.type == "auto";
  const FolderModel model = FolderModel::open(paths.folder, options);
  QuantizeOptions plan_options;
  plan_options.mix = &choose_type(flags, model);
  plan_options.keep_quantized = true;
  const ModelSource source = model.source();
  const QuantizePlan plan = plan_quantization(source, plan_options, nullptr);
  const std::string_view type = flags.vocabulary_only ? "vocab" : plan_options.mix->name;
  const std::string out = paths.out.empty() ? model.default_output(type).string() : paths.out;
  if (flags.dry_run) {
    write_output(fmt::format("{}\n\n{}", out, plan_table(plan)));
    return 0;
  }
  if (model.reads(out))
    throw Error(ExitCode::output, fmt::format("{} is a file that is read; name another for the result", out));
  if (!flags.quiet)
    for (const std::string& warning : model.warnings())
      write_notice(fmt::format("kern: warning: {}\n", escape_controls(warning)));
  const double seconds = write_model(source, plan, nullptr, {out, "convert", flags.threads, !flags.quiet});
  if (!flags.quiet)
    write_notice(fmt::format("{}: {} in {} tensors, {:.1f} s\n", out, format_bytes(plan.bytes_after),
                             plan.tensors.size(), seconds));
  return 0;
}

void declare_convert(CLI::App& app, ConvertFlags& flags) {
  app.add_option("words", flags.words, "FOLDER [OUT]")->type_name("FOLDER [OUT]")->expected(0, 2);
  app.add_option("--outfile", flags.out, "the file to write, as OUT")->type_name("FILE");
  app.add_option(
         "--outtype", flags.type,
         "format of matrices; auto: the 16-bit format that the folder has, and 4-bit matrices of GPTQ and AWQ as "
         "Q4_0 or Q4_1 where these hold the same weights")
      ->type_name("auto|f32|f16|bf16|q8_0")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16", "q8_0"}))
      ->capture_default_str();
  app.add_flag("--vocab-only", flags.vocabulary_only, "the tokenizer alone, without weights");
  app.add_flag("--dry-run", flags.dry_run, "print the file's name and what each tensor would become; write nothing");
  app.add_option("-t,--threads", flags.threads, "threads (default: all this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app.add_flag("-q,--quiet", flags.quiet, "nothing on standard error");
}

} // namespace

Command convert_command() {
  return make_command<ConvertFlags>("kern convert",
                                    "Writes a Hugging Face folder (config.json, a tokenizer, safetensors) as a GGUF "
                                    "file. OUT is whole or absent; without it, the folder's own name with the type in "
                                    "it, in the folder.",
                                    declare_convert, convert_model);
}

} // namespace kern
