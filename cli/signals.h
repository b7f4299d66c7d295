// What asks kern to end: Ctrl-C, SIGTERM, a terminal that goes away.
#pragma once

#include <string>

#include "model/error.h"

namespace kern {

/// SIGINT, SIGTERM and SIGHUP end the process at once and quietly with 128 + their number, except where a GentleEnd
/// lives. One that the parent ignores (nohup, a background job) stays ignored. SIGPIPE and SIGXFSZ are ignored, so that
/// a write to a closed pipe or past the limit of a file's size is an error code instead.
void install_signal_handlers();

/// While this lives, such a signal asks for an end instead of making it, so that what came so far is written and
/// reported. A second SIGINT still ends the process at once; the other two count once, since `timeout` and shells send
/// them to a process and again to its group.
class GentleEnd {
public:
  enum class Repeats {
    end,   // as above
    count, // a second SIGINT counts as one with the first, for a command that goes on after it
  };
  explicit GentleEnd(Repeats repeats = Repeats::end);
  ~GentleEnd();
  GentleEnd(const GentleEnd&) = delete;
  GentleEnd& operator=(const GentleEnd&) = delete;
};

/// Whether a progress bar stands on standard error: an end at once erases it.
void set_bar_drawn(bool drawn);

/// Whether such a signal came.
bool interrupted();

/// Takes a SIGINT for dealt with, so that a command may go on: then interrupted() is false again, unless another of
/// these signals came too.
void forget_interrupt();

/// The first that came, as shells count: 128 + its number.
ExitCode interruption_code();
/// "interrupted", or "interrupted by SIGTERM" where it wasn't Ctrl-C.
std::string interruption_name();

} // namespace kern
