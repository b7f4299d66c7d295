// kern bench: how fast a model runs, and how near that is to the machine's limits.
#include <algorithm>
#include <charconv>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/bench_report.h"
#include "cli/bench_runs.h"
#include "cli/commands.h"
#include "cli/devices.h"
#include "cli/model_file.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "kernels/cpu/limits.h"
#include "kernels/gpu.h"
#include "model/architectures/registry.h"
#include "model/error.h"

namespace kern {

namespace {

struct BenchFlags {
  ModelFlags model;
  ContextFlags context;
  std::vector<std::string> prompts{"512"};   // -p
  std::vector<std::string> generated{"128"}; // -n
  std::vector<std::string> depths{"0"};      // -d
  int repetitions = 5;                       // -r
  bool no_limits = false;
  bool profile = false;
  bool json = false;
};

/// "128,512" -> 128 and 512. Throws Error(usage).
std::vector<int> parse_counts(std::string_view flag, const std::vector<std::string>& lists) {
  constexpr int most = 1 << 24;
  std::vector<int> counts;
  for (const std::string& list : lists)
    for (const char *at = list.data(), *end = at + list.size();; ++at) {
      int count = -1;
      const auto [stop, error] = std::from_chars(at, end, count);
      if (error != std::errc() || count < 0 || count > most || (stop != end && *stop != ','))
        throw Error(ExitCode::usage, fmt::format("{}: found '{}', expected numbers from 0 to {} with commas between",
                                                 flag, escape_controls(list), most));
      counts.push_back(count);
      at = stop;
      if (at == end) break;
    }
  return counts;
}

/// The tests asked for; a prompt of 0 tokens is none. Throws Error(usage).
std::vector<BenchTest> parse_tests(const BenchFlags& flags) {
  std::vector<int> prompts = parse_counts("-p", flags.prompts);
  std::vector<int> generated = parse_counts("-n", flags.generated);
  std::erase(prompts, 0);
  std::erase(generated, 0);
  if (prompts.empty() && generated.empty())
    throw Error(ExitCode::usage, "-p 0 -n 0 leaves nothing to measure; ask for prompt or generated tokens");
  return list_tests(prompts, generated, parse_counts("-d", flags.depths));
}

SessionOptions session_options(const ContextFlags& flags, const std::vector<BenchTest>& tests) {
  const std::int64_t needed = longest_test(tests);
  SessionOptions options;
  options.context = flags.context ? flags.context : static_cast<int>(needed);
  if (needed > options.context)
    throw Error(ExitCode::context_full, fmt::format("the tests reach {} tokens, but the context holds {}; raise -c or "
                                                    "ask for less with -p, -n or -d",
                                                    needed, options.context));
  options.step_tokens = std::min(flags.step_tokens, flags.batch);
  options.key_format = flags.key_format;
  options.value_format = flags.value_format;
  options.whole_steps = true;
  return options;
}

/// Fewer repetitions where Ctrl-C came, and nothing where it came before the first was done.
std::optional<BenchResult> measure(const BenchFlags& flags, BenchRunner& runner, const BenchTest& test) {
  ProgressBar bar(test.name(), "runs", !flags.model.quiet);
  BenchResult result{test, {}, {}};
  if (!runner.warm_up(test)) return std::nullopt;
  const auto repetitions = static_cast<std::size_t>(flags.repetitions);
  while (result.seconds.size() < repetitions) {
    const std::optional<double> seconds = runner.run(test);
    if (!seconds) break;
    result.seconds.push_back(*seconds);
    bar.update(result.seconds.size(), repetitions);
  }
  if (result.seconds.empty()) return std::nullopt;
  return result;
}

std::optional<BenchProfile> measure_profile(BenchRunner& runner, ProfiledBackend& backend, const BenchTest& test) {
  if (!runner.reach(test.depth)) return std::nullopt;
  backend.start();
  const std::optional<double> seconds = runner.run(test);
  BenchProfile profile{test, seconds.value_or(0.0), backend.stop()};
  if (!seconds) return std::nullopt;
  return profile;
}

/// Results go to standard output as they come, or all together as JSON.
void measure_all(const BenchFlags& flags, const Model& model, Session& session, ProfiledBackend& backend,
                 const std::vector<BenchTest>& tests, BenchReport& report) {
  BenchRunner runner(model, session, report.session.step_tokens);
  for (const BenchTest& test : tests) {
    std::optional<BenchResult> result = measure(flags, runner, test);
    if (result) {
      result->work = test_work(model, report.session, test);
      if (!flags.json) write_output(bench_row(*result, report.limits));
      report.results.push_back(std::move(*result));
    }
    if (interrupted()) return;
  }
  if (!flags.profile) return;
  for (const BenchKind kind : {BenchKind::prefill, BenchKind::decode}) {
    const auto test = std::ranges::find(tests, kind, &BenchTest::kind);
    if (test == tests.end()) continue;
    const std::optional<BenchProfile> profile = measure_profile(runner, backend, *test);
    if (!profile) return;
    if (!flags.json) write_output(profile_table(*profile, report.limits));
    report.profiles.push_back(*profile);
  }
}

/// Of the device all layers are on; where they share two, none says what is possible.
std::optional<Limits> limits_of(const Devices& devices, const PlacedModel& placed) {
  if (placed.backends.size() > 1) return std::nullopt;
  if (placed.gpu_layers > 0) return measure_gpu_limits(*devices.gpu);
  return measure_limits(*devices.cpu, devices.cpu->threads(), choose_cpu_kernels());
}

int bench_model(const BenchFlags& flags) {
  const std::vector<BenchTest> tests = parse_tests(flags);
  const Gguf gguf = open_model(flags.model);
  const ModelSpec spec = read_spec(gguf);
  const Devices devices = open_devices(flags.model);

  BenchReport report;
  report.session = session_options(flags.context, tests);
  report.model_path = gguf.name();
  report.model_name = spec.name;
  report.architecture = spec.architecture;
  report.vocab_size = spec.vocab_size;
  report.format = main_format(gguf);
  report.model_bytes = gguf.file_bytes();
  report.threads = devices.cpu->threads();
  const PlacedModel placed = place_model(gguf, spec, devices, flags.model, report.session);
  if (flags.profile && placed.backends.size() > 1)
    throw Error(ExitCode::usage, "--profile needs all layers on one device; give -ngl 0 or all");
  // Before the model takes its memory.
  if (!flags.no_limits) report.limits = limits_of(devices, placed);

  ProfiledBackend profiled(*placed.backends.back());
  const Model model = flags.profile ? Model(gguf, profiled) : load_model(gguf, devices, flags.model, report.session);
  report.device = describe_devices(devices, model);
  Session session = make_session(model, report.session);
  const GentleEnd gentle_end; // until here there was nothing to report
  if (!flags.json) write_output(bench_head(report));
  measure_all(flags, model, session, profiled, tests, report);
  report.interrupted = interrupted();
  if (flags.json) write_output(dump_json(bench_json(report)));
  return static_cast<int>(report.interrupted ? interruption_code() : ExitCode::ok);
}

void add_counts(CLI::App& app, const char* names, std::vector<std::string>& lists, const char* help) {
  app.add_option(names, lists, help)->type_name("N,...")->expected(1)->allow_extra_args(false)->take_all();
}

void declare(CLI::App& app, BenchFlags& flags) {
  add_counts(app, "-p,--n-prompt", flags.prompts, "prompt tokens; 0 for none (default: 512)");
  add_counts(app, "-n,--n-gen", flags.generated, "generated tokens; 0 for none (default: 128)");
  add_counts(app, "-d,--n-depth", flags.depths, "positions before them (default: 0)");
  app.add_option("-r,--repetitions", flags.repetitions, "runs of each test, after a short one to warm up")
      ->type_name("N")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  add_model_flags(app, flags.model);
  add_context_flags(app, flags.context);
  app.get_option("--ctx-size")->description("positions of the context (default: as many as the tests take)");
  app.add_flag("--no-limits", flags.no_limits, "don't measure the machine's limits");
  app.add_flag("--profile", flags.profile,
               "also list the operations of the first prompt and of the first generated tokens");
  app.add_flag("--json", flags.json, "print one JSON object with all samples");
}

int start_bench(BenchFlags& flags) { return bench_model(flags); }

} // namespace

Command bench_command() {
  return make_command<BenchFlags>(
      "kern bench",
      "Times prefill (pp) and decode (tg) of random tokens and prints a Markdown table. The last column is the "
      "limit that binds a test and the share of it that the median reaches: reading weights and cache from "
      "memory, or int8 or fp32 multiply-adds. A model that fits a cache can be above the memory's limit.",
      declare, start_bench);
}

} // namespace kern
