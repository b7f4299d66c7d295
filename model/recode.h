// A file's tensors in other formats, slab by slab: no tensor is ever held whole.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/threads.h"
#include "model/gguf.h"

namespace kern {

class Recoder {
public:
  using Sink = std::function<void(std::span<const std::byte>)>;

  /// Both must outlive it. `source` names the file in messages.
  Recoder(ThreadPool& pool, const CpuKernels& kernels, std::string source);

  /// Hands all bytes of `tensor` in `format`, in order, to `sink`; those it has already as they are. The number of
  /// threads changes none. importance [columns] or [matrices, columns], or empty. Throws Error(model) naming file,
  /// tensor and row where a value isn't a number that `format` could hold, and whatever `sink` throws.
  void recode(const TensorInfo& tensor, Format format, std::span<const float> importance, const Sink& sink);

private:
  /// Rows as they are, from a reader, slab by slab.
  void copy_rows(const TensorInfo& tensor, const Sink& sink);
  /// Rows [begin, begin + count) of the tensor into slab_. Returns the first that isn't finite, or -1.
  std::int64_t encode_rows(const TensorInfo& tensor, Format format, std::span<const float> importance,
                           std::int64_t begin, std::int64_t count);

  ThreadPool& pool_;
  const CpuKernels& kernels_;
  std::string source_;
  std::vector<std::byte> slab_;
  std::vector<std::vector<float>> rows_;       // of each thread
  std::vector<std::vector<std::byte>> stored_; // of each thread: what a reader made
};

/// Bytes of a tensor in another format.
std::uint64_t bytes_in(const TensorInfo& tensor, Format format);

} // namespace kern
