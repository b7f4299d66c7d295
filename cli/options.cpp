#include "cli/options.h"

#include <algorithm>
#include <map>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/sampler_flags.h"
#include "model/error.h"
#include "tokenizer/chat_template.h"

namespace kern {

namespace {

const std::map<std::string, Format> cache_formats = {
    {"f16", Format::f16}, {"f32", Format::f32}, {"q8_0", Format::q8_0}, {"q4_0", Format::q4_0}};

const std::map<std::string, ThinkMode> think_modes = {
    {"show", ThinkMode::show}, {"hide", ThinkMode::hide}, {"off", ThinkMode::off}};

} // namespace

OptionTopic::OptionTopic(CLI::App& app, std::string name)
    : app_(app), name_(std::move(name)), before_(app.get_options().size()) {}

OptionTopic::~OptionTopic() {
  const std::vector<CLI::Option*> options = app_.get_options();
  for (std::size_t i = before_; i < options.size(); ++i)
    if (options[i]->get_group() == "Options") options[i]->group(name_);
}

void add_model_flags(CLI::App& app, ModelFlags& flags) {
  const OptionTopic topic(app, "model");
  app.add_option("-m,--model", flags.path,
                 "GGUF file or a name of `kern list` (default: $KERN_MODEL, else the demo model inside kern)")
      ->type_name("MODEL");
  app.add_option("-t,--threads", flags.threads, "threads (default: all this process may use)")
      ->type_name("N")
      ->check(CLI::Range(1, 1024));
  app.add_option("--gpu-layers,--n-gpu-layers", flags.gpu_layers,
                 "layers on the GPU, the last ones first, the output counted as the last: a number, auto (as many as "
                 "fit) or all")
      ->type_name("N")
      ->check([](const std::string& text) {
        const bool number = !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        return number || text == "auto" || text == "all" || text == "-1" ? std::string()
                                                                         : "expected a number, auto or all";
      });
  app.add_option("--device", flags.device, "the GPU to use: its number, auto (the first) or none")
      ->type_name("DEVICE")
      ->capture_default_str();
  app.add_flag("--no-kv-offload", flags.cache_on_host, "keep the KV cache, and attention with it, on the CPU");
  app.add_flag("--exact", flags.exact,
               "on a GPU, compute prompts as generated tokens are, and as the CPU does both: the same bits, slower");
  app.add_flag(
      "--no-repack", flags.no_repack,
      "keep all weights mapped as the file has them: less memory of one's own, slower; the answer is the same");
  app.add_option("--pre", flags.pretokenizer,
                 "split text by this pre-tokenizer pattern instead of the one the file names")
      ->type_name("NAME");
  app.add_flag("-q,--quiet", flags.quiet, "no timings and notices on standard error");
}

void add_context_flags(CLI::App& app, ContextFlags& flags) {
  const OptionTopic topic(app, "context");
  app.add_option("-c,--ctx-size", flags.context, "context length (default: the model's, at most 8192)")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30));
  add_batch_flags(app, flags);
}

void add_batch_flags(CLI::App& app, ContextFlags& flags) {
  const OptionTopic topic(app, "context");
  app.add_option("-b,--batch-size", flags.batch, "upper limit of -ub")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--ubatch-size", flags.step_tokens, "prompt tokens a forward pass takes at most; changes no result")
      ->type_name("N")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app.add_option("--cache-type-k", flags.key_format, "keys in the cache as f16, f32, q8_0 or q4_0 (default: f16)")
      ->type_name("TYPE")
      ->transform(CLI::CheckedTransformer(cache_formats, CLI::ignore_case).description(""));
  app.add_option("--cache-type-v", flags.value_format, "values in the cache as f16, f32, q8_0 or q4_0 (default: f16)")
      ->type_name("TYPE")
      ->transform(CLI::CheckedTransformer(cache_formats, CLI::ignore_case).description(""));
}

void add_prompt_flags(CLI::App& app, PromptFlags& flags) {
  const OptionTopic topic(app, "prompt");
  app.add_option("prompt", flags.words, "the prompt; piped input follows it after a blank line")->type_name("TEXT");
  app.add_option("-p,--prompt", flags.text, "the prompt, as a flag")->type_name("TEXT");
  app.add_option("-f,--file", flags.file, "the prompt from a file; - is standard input")->type_name("FILE");
  app.add_option("--system", flags.system, "system text of the conversation")->type_name("TEXT");
  app.add_option("--system-file", flags.system_file, "the same from a file")->type_name("FILE");
  app.add_flag("--no-stdin", flags.no_stdin, "don't read piped input");
  app.add_flag("--raw", flags.raw, "complete the text as it is, without a chat template");
}

void add_chat_flags(CLI::App& app, ChatFlags& flags) {
  app.add_option("prompt", flags.words, "the first message")->type_name("TEXT");
  app.add_option("--system", flags.system, "system text of the conversation")->type_name("TEXT");
  app.add_option("--system-file", flags.system_file, "the same from a file")->type_name("FILE");
  app.add_option("--overflow", flags.overflow,
                 "where the conversation no longer fits the context: refuse the message, or drop whole exchanges for "
                 "the model, from the middle or the oldest-turns")
      ->type_name("HOW")
      ->check(CLI::IsMember({"refuse", "middle", "oldest-turns"}))
      ->capture_default_str();
}

void add_session_flag(CLI::App& app, std::optional<std::string>& session) {
  app.add_option("--session", session, "go on with the conversation in this file (JSONL)")->type_name("FILE");
}

void add_template_flags(CLI::App& app, TemplateFlags& flags) {
  const OptionTopic topic(app, "template");
  app.add_option("--chat-template", flags.source,
                 "chat template instead of the model's: a Jinja file, or the name of one: " + builtin_template_names())
      ->type_name("FILE|NAME");
  app.add_option("--chat-template-kwargs", flags.kwargs,
                 "variables for the chat template, a JSON object as in '{\"enable_thinking\": false}'")
      ->type_name("JSON");
  app.add_option("--think", flags.think,
                 "thinking into the answer, nowhere, or not at all; else it goes to standard error")
      ->type_name("show|hide|off")
      ->transform(CLI::CheckedTransformer(think_modes, CLI::ignore_case).description(""));
  app.add_option("--think-budget", flags.think_budget, "tokens after which thinking is ended and the answer begins")
      ->type_name("N")
      ->check(CLI::Range(0, 1 << 30));
}

void add_generation_flags(CLI::App& app, GenerationFlags& flags) {
  const OptionTopic topic(app, "answer");
  app.add_option("-n,--predict,--n-predict", flags.max_tokens, "tokens to generate (-1: until the model ends)")
      ->type_name("N")
      ->check(CLI::Range(-1, 1 << 30));
  app.add_option("--max-time", flags.max_time, "seconds after which the answer is cut, with exit code 5")
      ->type_name("S")
      ->check(within(1e-3, 1e9));
  app.add_option("-r,--stop,--reverse-prompt", flags.stops, "end the answer before this text (repeatable)")
      ->type_name("TEXT")
      ->expected(1)
      ->allow_extra_args(false)
      ->take_all();
  app.add_flag("--json", flags.json, "print one JSON object instead of text");
  app.add_flag("--jsonl", flags.jsonl, "print a JSON object a line for every event: start, text, thinking, end");
  app.add_option("--extract", flags.extract,
                 "print only the first fenced code block or JSON value of the answer; without one, exit with 7")
      ->type_name("code|json")
      ->check(CLI::IsMember({"code", "json"}).description(""));
  app.add_option("--top-logprobs", flags.top_logprobs,
                 "with --json: each token's logarithmic probability by the model, and the N likeliest instead of it")
      ->type_name("N")
      ->check(CLI::Range(0, 100));
  add_sampler_flags(app, flags); // topics of their own
}

} // namespace kern
