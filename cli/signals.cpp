#include "cli/signals.h"

#include <atomic>
#include <csignal>

#include <unistd.h>

#include "cli/terminal_mode.h"

namespace kern {

namespace {

std::atomic<int> first_signal{0};
std::atomic<int> first_but_int{0};
std::atomic<bool> gentle{false};
std::atomic<bool> counts_repeats{false};
std::atomic<bool> bar_drawn{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

constexpr int exit_status(int signal) { return 128 + signal; }
static_assert(exit_status(SIGINT) == static_cast<int>(ExitCode::interrupted));
static_assert(exit_status(SIGTERM) == static_cast<int>(ExitCode::terminated));
static_assert(exit_status(SIGHUP) == static_cast<int>(ExitCode::hung_up));

extern "C" void on_request(int signal) {
  int none = 0;
  if (signal != SIGINT) first_but_int.compare_exchange_strong(none, signal);
  none = 0;
  const bool first = first_signal.compare_exchange_strong(none, signal);
  if (gentle.load() && (first || signal != SIGINT || counts_repeats.load())) return;
  restore_terminal();
  if (bar_drawn.load()) {
    const ssize_t ignored = ::write(STDERR_FILENO, "\r\x1b[J", 4);
    static_cast<void>(ignored);
  }
  ::_exit(exit_status(signal));
}

} // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_request; // without SA_RESTART: reads and writes that wait return
  ::sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN)
      ::sigaction(signal, &action, nullptr);
  }
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGPIPE, SIGXFSZ}) ::sigaction(signal, &ignore, nullptr);
}

void set_bar_drawn(bool drawn) { bar_drawn = drawn; }

bool interrupted() { return first_signal.load() != 0; }

ExitCode interruption_code() { return static_cast<ExitCode>(exit_status(first_signal.load())); }

std::string interruption_name() {
  switch (first_signal.load()) {
  case SIGTERM: return "interrupted by SIGTERM";
  case SIGHUP: return "interrupted by SIGHUP";
  default: return "interrupted";
  }
}

void forget_interrupt() {
  int expected = SIGINT;
  if (!first_signal.compare_exchange_strong(expected, 0)) return;
  // One that came while SIGINT was the first.
  int none = 0;
  first_signal.compare_exchange_strong(none, first_but_int.load());
}

GentleEnd::GentleEnd(Repeats repeats) {
  counts_repeats = repeats == Repeats::count;
  gentle = true;
}
GentleEnd::~GentleEnd() { gentle = false; }

} // namespace kern
