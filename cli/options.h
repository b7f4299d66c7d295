// Every flag, declared once: names, default, help.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_line.h"
#include "engine/sampler.h"
#include "quant/format_id.h"

namespace kern {

struct ModelFlags {
  std::string path;                // -m; empty: $KERN_MODEL
  int threads = 0;                 // -t; 0: all this process may use
  std::string gpu_layers = "auto"; // -ngl
  std::string device = "auto";     // --device: auto, none, or a GPU's number
  bool cache_on_host = false;      // -nkvo
  bool exact = false;              // one arithmetic for prompts and generated tokens
  bool demo = false;               // the model inside kern, whatever $KERN_MODEL says
  bool quiet = false;              // -q
  std::string pretokenizer;        // --pre; empty: as the file says
  bool no_repack = false;          // all weights stay mapped, in the file's layout
};

struct ContextFlags {
  int context = 0;                   // -c; 0: the smaller of the model's length and 8192
  int batch = 2048;                  // -b
  int step_tokens = 512;             // -ub
  Format key_format = Format::f16;   // -ctk
  Format value_format = Format::f16; // -ctv
};

struct PromptFlags {
  std::vector<std::string> words;         // positional
  std::optional<std::string> text;        // -p
  std::optional<std::string> file;        // -f
  std::optional<std::string> system;      // -sys
  std::optional<std::string> system_file; // -sysf
  bool no_stdin = false;
  bool raw = false;
};

/// What becomes of a model's thinking.
enum class ThinkMode {
  aside, // to standard error
  show,  // into the answer's stream, between <think> and </think>; asked of the template
  hide,  // nowhere
  off,   // the model doesn't think
};

struct TemplateFlags {
  std::optional<std::string> source;  // --chat-template
  std::optional<std::string> kwargs;  // --chat-template-kwargs
  ThinkMode think = ThinkMode::aside; // --think
  std::optional<int> think_budget;    // tokens
};

struct ChatFlags {
  std::vector<std::string> words;         // positional: the first message
  std::optional<std::string> system;      // -sys
  std::optional<std::string> system_file; // -sysf
  std::string overflow = "refuse";        // refuse, middle, oldest-turns
};

struct GenerationFlags {
  int max_tokens = -1;            // -n
  std::optional<double> max_time; // seconds
  std::vector<std::string> stops;
  bool json = false;
  bool jsonl = false;
  std::string extract; // "code", "json"; empty: the answer as it is
  SamplerOptions sampler;
  std::optional<std::uint64_t> seed;     // -s; nothing: random, reported
  std::vector<std::string> dry_breakers; // --dry-sequence-breaker; "none": no breakers
  bool ignore_eos = false;
  std::optional<int> top_logprobs;
  std::vector<std::string> given; // sampling flags that the user gave, as in "top-k"; a model's defaults yield to them
  std::vector<std::string> logit_bias;
};

/// Puts the options that are added while it lives, and have no topic yet, under one topic of the help.
class OptionTopic {
public:
  OptionTopic(CLI::App& app, std::string name);
  ~OptionTopic();
  OptionTopic(const OptionTopic&) = delete;
  OptionTopic& operator=(const OptionTopic&) = delete;

private:
  CLI::App& app_;
  std::string name_;
  std::size_t before_;
};

void add_model_flags(CLI::App& app, ModelFlags& flags);
void add_context_flags(CLI::App& app, ContextFlags& flags);
/// All of them but -c.
void add_batch_flags(CLI::App& app, ContextFlags& flags);
void add_prompt_flags(CLI::App& app, PromptFlags& flags);
void add_chat_flags(CLI::App& app, ChatFlags& flags);
void add_session_flag(CLI::App& app, std::optional<std::string>& session);
void add_template_flags(CLI::App& app, TemplateFlags& flags);
void add_generation_flags(CLI::App& app, GenerationFlags& flags);

/// Flags of several letters behind one dash: "-ngl" and the like, by what CLI11 knows them as.
struct ShortSpelling {
  std::string_view spelling, flag;
};
std::span<const ShortSpelling> short_spellings();

/// Options that the command line doesn't give are taken from the environment: --top-k from KERN_TOP_K. All but the
/// prompt, --model (KERN_MODEL has its own meaning) and --help.
void use_environment(CLI::App& app);
/// "KERN_TOP_K" for "top-k"
std::string environment_name(std::string_view long_flag);

/// Parses with the spellings other tools use (-ngl, -ub, --top_k, ...) understood. Returns false after printing the
/// help that was asked for. Throws Error(usage).
bool parse_flags(CLI::App& app, std::vector<std::string> arguments);
/// The two halves of it, for an app that parses many lines: once all its flags are declared, then for each line.
void prepare_flags(CLI::App& app);
bool parse_prepared_flags(CLI::App& app, std::vector<std::string> arguments);

/// ", did you mean NAME?" or nothing.
std::string did_you_mean(std::string_view name, std::span<const std::string> names);

} // namespace kern
