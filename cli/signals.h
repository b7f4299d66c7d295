// Ctrl-C and closed pipes.
#pragma once

namespace kern {

/// SIGINT asks the token loop to stop; a second one ends the process at once with code 130; where the
/// parent ignores SIGINT, so do we. SIGPIPE is ignored, so that
/// writing to a closed pipe is an error code instead.
void install_signal_handlers();

/// Whether SIGINT came.
bool interrupted();

} // namespace kern
