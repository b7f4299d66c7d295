// Every flag, declared once: names, default, help.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "engine/sampler.h"
#include "quant/format_id.h"

namespace kern {

struct ModelFlags {
  std::string path;                // -m; empty: $KERN_MODEL
  int threads = 0;                 // -t; 0: all this process may use
  std::string gpu_layers = "auto"; // -ngl
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
  std::vector<std::string> words;    // positional
  std::optional<std::string> text;   // -p
  std::optional<std::string> file;   // -f
  std::optional<std::string> system; // -sys
  bool no_stdin = false;
  bool raw = false;
};

struct TemplateFlags {
  std::optional<std::string> source; // --chat-template
  std::optional<std::string> kwargs; // --chat-template-kwargs
};

struct ChatFlags {
  std::vector<std::string> words;    // positional: the first message
  std::optional<std::string> system; // -sys
  std::string overflow = "refuse";   // refuse, middle, oldest-turns
};

struct GenerationFlags {
  int max_tokens = -1;            // -n
  std::optional<double> max_time; // seconds
  std::vector<std::string> stops;
  bool json = false;
  SamplerOptions sampler;
  std::optional<std::uint64_t> seed; // -s; nothing: random, reported
  std::vector<std::string> logit_bias;
};

void add_model_flags(CLI::App& app, ModelFlags& flags);
void add_context_flags(CLI::App& app, ContextFlags& flags);
void add_prompt_flags(CLI::App& app, PromptFlags& flags);
void add_chat_flags(CLI::App& app, ChatFlags& flags);
void add_session_flag(CLI::App& app, std::optional<std::string>& session);
void add_template_flags(CLI::App& app, TemplateFlags& flags);
void add_generation_flags(CLI::App& app, GenerationFlags& flags);

/// Parses with the spellings other tools use (-ngl, -ub, ...) understood. Returns false after printing the help that
/// was asked for. Throws Error(usage).
bool parse_flags(CLI::App& app, std::vector<std::string> arguments);

/// "ID+BIAS" or "ID-BIAS" -> (id, bias). Throws Error(usage).
std::pair<std::int32_t, float> parse_logit_bias(const std::string& text);

} // namespace kern
