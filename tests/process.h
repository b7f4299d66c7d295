// Running an executable as a shell would, with every byte of what it says.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kern::test {

enum class Input {
  nothing, // /dev/null
  closed,  // no standard input at all
  bytes,   // a pipe with ProcessOptions::bytes, then its end
  silent,  // a pipe that stays open and says nothing
  terminal,
};

enum class Output {
  pipe,
  terminal, // without translation of line ends
  full,     // /dev/full
  closed,   // no such descriptor
  unread,   // a pipe that nobody empties
};

struct ProcessOptions {
  Input input = Input::nothing;
  std::string bytes;
  Output out = Output::pipe;
  Output err = Output::pipe;
  /// Bytes of standard output after which the reader closes its end.
  std::optional<std::size_t> close_after;
  /// Added to this process's environment, in which KERN_SEED=1 is the only KERN_*.
  std::vector<std::pair<std::string, std::string>> environment;
  /// It leads a session of its own, whose terminal is standard output: a hang-up reaches it as SIGHUP.
  bool leads_session = false;
  /// One terminal for all three, as where somebody sits at it: all output is ProcessResult::out, keys like Ctrl-C are
  /// signals where the process lets them, and line ends are
  /// translated. `input`, `out` and `err` don't count.
  bool one_terminal = false;
  /// RLIMIT_FSIZE in bytes; 0: none.
  std::size_t file_size = 0;
  /// RLIMIT_AS in bytes; 0: none.
  std::size_t address_space = 0;
  std::chrono::seconds limit{60}; // then the process is killed
};

struct ProcessResult {
  std::string out;
  std::string err;
  int code = -1;  // exit status; -1 where a signal ended the process
  int signal = 0; // that signal
  bool timed_out = false;
  std::chrono::duration<double> duration{};
};

/// A running process. Killed, if it still runs, at the end of this object's life.
class Process {
public:
  /// Throws std::runtime_error where it can't be started.
  Process(const std::string& executable, const std::vector<std::string>& arguments, ProcessOptions options = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Collects output until `done` says so of what there is, or the process has closed its output, or time is up.
  /// Returns whether `done` did.
  bool read_until(const std::function<bool(const ProcessResult&)>& done);
  /// Lets time go by while collecting output. Returns whether the process still runs after it.
  bool still_runs_after(std::chrono::milliseconds time);
  void send(int signal) const;
  /// Types at the terminal of standard input.
  void type(std::string_view keys) const;
  /// Changes the width of the terminal on standard error, and says so with SIGWINCH.
  void resize_terminal(int columns) const;
  /// The terminal of standard output goes away.
  void hang_up();
  int id() const { return pid_; }
  const ProcessResult& so_far() const { return result_; }
  /// Collects the rest and waits for the end.
  ProcessResult finish();

private:
  struct Stream {
    int file = -1;
    std::string* text = nullptr;
  };
  using Clock = std::chrono::steady_clock;

  void start(const std::string& executable, const std::vector<std::string>& arguments);
  int open_input(int* parent_end);
  int open_output(Output kind, Stream& stream);
  int open_terminal(int* controller);
  /// Between fork and exec.
  void become(int in, int out, int err) const;
  /// Reads and writes what is ready within `wait`; false once both outputs are closed.
  bool exchange(std::chrono::milliseconds wait);
  void read_some(Stream& stream);
  void write_some();
  bool reap(bool wait);

  ProcessOptions options_;
  ProcessResult result_;
  Stream out_, err_;
  int in_ = -1;
  int unread_ = -1; // kept open, never read
  std::size_t written_ = 0;
  int pid_ = -1;
  bool ended_ = false;
  Clock::time_point begin_;
};

/// Runs to the end.
ProcessResult run_process(const std::string& executable, const std::vector<std::string>& arguments,
                          const ProcessOptions& options = {});

/// Whether text is one line of an error message.
inline bool is_one_line(std::string_view text) {
  return text.starts_with("kern: ") && std::ranges::count(text, '\n') == 1 && text.ends_with('\n');
}

} // namespace kern::test
