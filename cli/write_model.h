// What `kern quantize` and `kern convert` share: writing a planned model.
#pragma once

#include <string>

#include "cli/quantize_plan.h"
#include "model/importance.h"
#include "model/model_source.h"

namespace kern {

struct WriteOptions {
  std::string out;
  std::string label; // of the progress bar
  int threads = 0;   // 0: all this process may use
  bool progress = true;
};

/// Writes the file, whole or not at all, and returns the seconds it took. Throws Error(output) where it can't be
/// written, Error(model) for weights that are no numbers, and the interruption's where somebody ends it.
double write_model(const ModelSource& source, const QuantizePlan& plan, const Importance* importance,
                   const WriteOptions& options);

} // namespace kern
