// What a step of a model has to do at least.
#pragma once

#include "kernels/work.h"
#include "model/model.h"

namespace kern {

/// Types of the keys and values in the cache.
struct CacheFormats {
  Format key = Format::f16;
  Format value = Format::f16;
};

/// `tokens` tokens of one sequence at `position` and after; the logits of `logits` of them are wanted.
Work step_work(const Model& model, CacheFormats cache, int position, int tokens, int logits);

} // namespace kern
