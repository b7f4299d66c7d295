// Finding and opening the model a command works on.
#pragma once

#include <memory>
#include <string>

#include "cli/options.h"
#include "engine/session.h"
#include "model/gguf.h"

namespace kern {

/// How the model inside the executable is called in reports.
inline constexpr const char* demo_model_name = "the built-in demo model";

/// The file or name of -m, else of $KERN_MODEL, else the demo model inside the executable, with a notice on standard
/// error unless `quiet` is asked for. Throws Error(model).
Gguf open_model(const ModelFlags& flags);

/// -c: the smaller of the model's length and 8192 where it is 0; more than the model's length is warned about.
int choose_context(const ContextFlags& flags, const ModelFlags& model, int model_length);

/// Throws Error(memory) saying what the context takes.
Session make_session(const Model& model, const SessionOptions& options);

/// "f16", "q8_0"...: as -ctk and -ctv spell it
std::string cache_type_name(Format format);

/// "637.8 MiB"
std::string format_bytes(std::uint64_t bytes);

/// The format most of the weights have, as in "Q4_K".
std::string main_format(const Gguf& gguf);

} // namespace kern
