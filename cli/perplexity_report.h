// What `kern perplexity` prints.
#pragma once

#include <cstddef>
#include <string>

#include "cli/text_chunks.h"
#include "engine/perplexity.h"

namespace kern {

struct PerplexityResult {
  Mean nll;
  Comparison comparison; // where there is a base
  std::size_t chunks = 0;
};

/// "1.9179 +/- 0.1152"
std::string figure(const Estimate& estimate, int digits);
/// How far a model is from its base: lines of names and figures.
std::string divergence_lines(const Comparison::Summary& summary);

std::string perplexity_table(const PerplexityResult& result, const TextChunks& text);
/// `whole`: all chunks were read.
std::string perplexity_json(const PerplexityResult& result, const TextChunks& text, bool whole);

} // namespace kern
