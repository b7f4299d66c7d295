#include "model/model.h"

#include <fmt/format.h>

#include "model/architectures/registry.h"
#include "model/error.h"
#include "model/finite.h"

namespace kern {

namespace {

/// Real models turn by at most about one radian a position; sine and cosine are defined for far less than the largest
/// numbers that damaged factors lead to.
void check_frequencies(const Gguf& gguf, const std::vector<double>& frequencies) {
  constexpr double fastest = 1024.0;
  for (const double frequency : frequencies)
    if (!(frequency >= 0.0 && frequency <= fastest))
      throw Error(ExitCode::model,
                  fmt::format("{}: rope turns by {} radians a position, expected 0 to {}; the rope keys or "
                              "rope_freqs.weight are damaged, fetch the file again",
                              gguf.name(), frequency, fastest));
}

} // namespace

Model::Model(const Gguf& gguf, std::vector<Backend*> backends, Placement placement)
    : gguf_(&gguf), spec_(read_spec(gguf)), backends_(std::move(backends)), placement_(std::move(placement)) {
  bind();
}

Model::Model(const Gguf& gguf, Backend& backend) : gguf_(&gguf), spec_(read_spec(gguf)), backends_{&backend} {
  placement_ = Placement::all_on(0, spec_.layers.size());
  bind();
}

void Model::bind() {
  weights_ = bind_weights(*gguf_, spec_, backends_, placement_);
  for (std::size_t i = 0; i < spec_.ropes.size(); ++i) {
    const RopeSpec& spec = spec_.ropes[i];
    const std::vector<double> frequencies = rope_frequencies(spec, weights_.rope_factors[i]);
    check_frequencies(*gguf_, frequencies);
    ropes_.emplace_back();
    for (Backend* backend : backends_) {
      auto buffer = backend->allocate(frequencies.size() * sizeof(double));
      backend->upload(frequencies.data(), buffer->data(), frequencies.size() * sizeof(double));
      ropes_.back().push_back(
          {spec.pairs, spec.dims, rope_magnitude(spec), reinterpret_cast<const double*>(buffer->data())});
      frequencies_.push_back(std::move(buffer));
    }
  }
}

std::string Model::explain_non_finite() const {
  if (const auto found = find_non_finite(*gguf_)) return *found + "; the file is damaged, fetch or convert it again";
  return "all weights are finite, but too large for each other, and a sum overflowed; fetch or convert the file again";
}

} // namespace kern
