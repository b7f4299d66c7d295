#include "model/recode.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include <fmt/format.h>

#include "model/error.h"
#include "model/row_reader.h"

namespace kern {

namespace {

constexpr std::uint64_t slab_bytes = std::uint64_t{32} << 20;
constexpr std::int64_t chunk_floats = 1 << 16; // what a thread takes at a time: stays in its cache

bool all_finite(const float* values, std::int64_t count) {
  // An exponent of all ones, found without branches.
  std::uint32_t worst = 0;
  for (std::int64_t i = 0; i < count; ++i) worst = std::max(worst, float_bits(values[i]) & 0x7F800000u);
  return worst != 0x7F800000u;
}

} // namespace

std::uint64_t bytes_in(const TensorInfo& tensor, Format format) {
  return tensor.rows() * row_bytes(format, tensor.columns());
}

Recoder::Recoder(ThreadPool& pool, const CpuKernels& kernels, std::string source)
    : pool_(pool), kernels_(kernels), source_(std::move(source)), rows_(static_cast<std::size_t>(pool.size())),
      stored_(static_cast<std::size_t>(pool.size())) {}

void Recoder::copy_rows(const TensorInfo& tensor, const Sink& sink) {
  const std::uint64_t row = row_bytes(tensor.format, tensor.columns());
  const auto rows = static_cast<std::int64_t>(tensor.rows());
  const auto at_once = static_cast<std::int64_t>(std::max<std::uint64_t>(slab_bytes / row, 1));
  const std::int64_t chunk = std::max<std::int64_t>(chunk_floats / static_cast<std::int64_t>(tensor.columns()), 1);
  for (std::int64_t begin = 0; begin < rows; begin += at_once) {
    const std::int64_t count = std::min(at_once, rows - begin);
    slab_.resize(static_cast<std::size_t>(count) * row);
    std::atomic<std::int64_t> next{0};
    pool_.run([&](int) {
      for (std::int64_t done = next.fetch_add(chunk); done < count; done = next.fetch_add(chunk))
        tensor.reader->read(begin + done, std::min(chunk, count - done),
                            slab_.data() + static_cast<std::size_t>(done) * row);
    });
    sink(slab_);
  }
}

void Recoder::recode(const TensorInfo& tensor, Format format, std::span<const float> importance, const Sink& sink) {
  if (tensor.format == format) return tensor.reader ? copy_rows(tensor, sink) : sink(tensor.bytes);
  const std::uint64_t out_row = row_bytes(format, tensor.columns());
  const auto rows = static_cast<std::int64_t>(tensor.rows());
  const auto at_once =
      static_cast<std::int64_t>(std::max<std::uint64_t>(slab_bytes / std::max<std::uint64_t>(out_row, 1), 1));
  for (std::int64_t begin = 0; begin < rows; begin += at_once) {
    const std::int64_t count = std::min(at_once, rows - begin);
    slab_.resize(static_cast<std::size_t>(count) * out_row);
    const std::int64_t bad = encode_rows(tensor, format, importance, begin, count);
    if (bad >= 0)
      throw Error(
          ExitCode::model,
          fmt::format(
              "{}: tensor {}, row {}: found a NaN or an infinite value, expected finite weights; the file is damaged, "
              "fetch or convert it again",
              source_, tensor.name, bad));
    sink(slab_);
  }
}

std::int64_t Recoder::encode_rows(const TensorInfo& tensor, Format format, std::span<const float> importance,
                                  std::int64_t begin, std::int64_t count) {
  const auto columns = static_cast<std::int64_t>(tensor.columns());
  const auto matrix_rows = static_cast<std::int64_t>(tensor.shape[1]);
  const std::size_t in_row = row_bytes(tensor.format, tensor.columns());
  const std::size_t out_row = row_bytes(format, tensor.columns());
  const int width = find_format(format)->width;
  const bool shared = importance.size() == tensor.columns();
  const std::int64_t chunk = std::max<std::int64_t>(chunk_floats / columns, 1);
  std::atomic<std::int64_t> next{0};
  std::atomic<std::int64_t> first_bad{INT64_MAX};
  pool_.run([&](int thread) {
    std::vector<float>& floats = rows_[static_cast<std::size_t>(thread)];
    floats.resize(static_cast<std::size_t>(chunk * columns));
    for (std::int64_t done = next.fetch_add(chunk); done < count; done = next.fetch_add(chunk)) {
      // Rows of one matrix at a time, since each has its own importance.
      std::int64_t row = begin + done;
      const std::int64_t end = std::min(row + chunk, begin + count);
      while (row < end) {
        const std::int64_t matrix = row / matrix_rows;
        const std::int64_t taken = std::min(end, (matrix + 1) * matrix_rows) - row;
        const std::byte* stored = tensor.bytes.data() + static_cast<std::size_t>(row) * in_row;
        if (tensor.reader) {
          std::vector<std::byte>& buffer = stored_[static_cast<std::size_t>(thread)];
          buffer.resize(static_cast<std::size_t>(taken) * in_row);
          tensor.reader->read(row, taken, buffer.data());
          stored = buffer.data();
        }
        for (std::int64_t r = 0; r < taken; ++r) {
          float* to = floats.data() + r * columns;
          kernels_.decode_row(tensor.format, stored + static_cast<std::size_t>(r) * in_row, static_cast<int>(columns),
                              1.0f, to);
          if (all_finite(to, columns)) continue;
          std::int64_t known = first_bad.load();
          while (row + r < known && !first_bad.compare_exchange_weak(known, row + r)) {
          }
          std::fill_n(to, columns, 0.0f);
        }
        const float* weights = importance.empty() ? nullptr : importance.data() + (shared ? 0 : matrix * columns);
        kernels_.encode(format, {floats.data(), weights, static_cast<int>(columns), taken * columns / width,
                                 slab_.data() + static_cast<std::size_t>(row - begin) * out_row});
        row += taken;
      }
    }
  });
  return first_bad == INT64_MAX ? -1 : first_bad.load();
}

} // namespace kern
