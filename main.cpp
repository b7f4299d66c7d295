// kern: the one catch, exit codes.
#include <cstdio>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/nearest_name.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "kernels/cuda/runtime.h"
#include "model/error.h"

namespace {

int dispatch(const std::vector<std::string>& arguments) {
  const std::string name = arguments.empty() ? std::string() : arguments[0];
  if (name == "--help" || name == "-h" || name == "help") {
    kern::write_output(kern::general_help({arguments.begin() + 1, arguments.end()}));
    return 0;
  }
  if (name == "--version") {
    kern::write_output(kern::version_line());
    return 0;
  }
  std::vector<std::string> names;
  for (const kern::CommandEntry& entry : kern::all_commands()) {
    names.emplace_back(entry.name);
    if (name != entry.name) continue;
    const kern::Command command = entry.make();
    kern::use_environment(*command.app);
    return kern::parse_flags(*command.app, {arguments.begin() + 1, arguments.end()}) ? command.run() : 0;
  }
  if (name.empty()) throw kern::Error(kern::ExitCode::usage, "no command given; `kern --help` lists them");
  throw kern::Error(kern::ExitCode::usage, fmt::format("'{}' is not a command{}; `kern --help` lists them",
                                                       kern::escape_line(name), kern::did_you_mean(name, names)));
}

int fail(kern::ExitCode code, std::string_view message) {
  kern::write_notice(fmt::format("kern: {}\n", message));
  return static_cast<int>(code);
}

} // namespace

int main(int argc, char** argv) {
  kern::hold_standard_files();
  kern::install_signal_handlers();
  try {
    return dispatch({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const kern::ClosedOutput&) {
    return kern::interrupted() ? static_cast<int>(kern::interruption_code()) : 0; // the reader has what it wanted
  } catch (const kern::Error& error) {
    return fail(error.code(), kern::escape_controls(error.what()));
  } catch (const kern::cuda::DeviceMemoryError& error) {
    return fail(kern::ExitCode::memory, fmt::format("{}; fewer layers (-ngl) or a smaller -c or -ub need less",
                                                    kern::escape_controls(error.what())));
  } catch (const kern::cuda::DeviceError& error) {
    return fail(kern::ExitCode::device,
                fmt::format("{}; -ngl 0 runs without the GPU", kern::escape_controls(error.what())));
  } catch (const std::bad_alloc&) {
    return fail(kern::ExitCode::memory, "out of memory; a smaller -c or model needs less");
  } catch (const std::system_error& error) { // a thread that can't be started
    return fail(kern::ExitCode::memory,
                fmt::format("{}; fewer threads (-t) need less", kern::escape_controls(error.what())));
  } catch (const std::exception& error) {
    return fail(kern::ExitCode::usage, kern::escape_controls(error.what()));
  }
}
