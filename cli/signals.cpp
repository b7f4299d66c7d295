#include "cli/signals.h"

#include <atomic>
#include <csignal>

#include <unistd.h>

#include "model/error.h"

namespace kern {

namespace {

std::atomic<bool> interrupt_requested{false};
static_assert(std::atomic<bool>::is_always_lock_free);

extern "C" void on_interrupt(int) {
  if (interrupt_requested.exchange(true)) ::_exit(static_cast<int>(ExitCode::interrupted));
}

} // namespace

void install_signal_handlers() {
  struct sigaction action {};
  action.sa_handler = on_interrupt; // without SA_RESTART: a read of standard input ends too
  ::sigemptyset(&action.sa_mask);
  // A parent that ignores it (nohup, a shell's background job) has its reasons.
  struct sigaction before {};
  if (::sigaction(SIGINT, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) ::sigaction(SIGINT, &action, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, nullptr);
}

bool interrupted() { return interrupt_requested.load(); }

} // namespace kern
