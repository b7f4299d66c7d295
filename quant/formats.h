// The list of tensor formats. Adding one: its header, its number in format_id.h, one entry here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "quant/float_formats.h"
#include "quant/iq1_m.h"
#include "quant/iq1_s.h"
#include "quant/iq2_s.h"
#include "quant/iq2_xs.h"
#include "quant/iq2_xxs.h"
#include "quant/iq3_s.h"
#include "quant/iq3_xxs.h"
#include "quant/iq4_nl.h"
#include "quant/iq4_xs.h"
#include "quant/mxfp4.h"
#include "quant/nvfp4.h"
#include "quant/q1_0.h"
#include "quant/q2_0.h"
#include "quant/q2_k.h"
#include "quant/q3_k.h"
#include "quant/q4_0.h"
#include "quant/q4_1.h"
#include "quant/q4_k.h"
#include "quant/q5_0.h"
#include "quant/q5_1.h"
#include "quant/q5_k.h"
#include "quant/q6_k.h"
#include "quant/q8_0.h"
#include "quant/tq1_0.h"
#include "quant/tq2_0.h"

namespace kern {

template <class... Traits> struct FormatList {};

using Formats =
    FormatList<F32, F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ1_S, IQ1_M, IQ2_XXS,
               IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_NL, IQ4_XS, MXFP4, NVFP4, TQ1_0, TQ2_0, Q1_0, Q2_0>;

namespace detail {
template <class Visitor, class... Traits> bool visit_format(Format id, Visitor&& visitor, FormatList<Traits...>) {
  return ((Traits::id == id ? (visitor(Traits{}), true) : false) || ...);
}
template <class Visitor, class... Traits> void for_each_format(Visitor&& visitor, FormatList<Traits...>) {
  (visitor(Traits{}), ...);
}
} // namespace detail

/// Calls visitor(Traits{}) for the format; false where the format is not in the list.
template <class Visitor> bool visit_format(Format id, Visitor&& visitor) {
  return detail::visit_format(id, static_cast<Visitor&&>(visitor), Formats{});
}

/// Calls visitor(Traits{}) for every format in the list.
template <class Visitor> void for_each_format(Visitor&& visitor) {
  detail::for_each_format(static_cast<Visitor&&>(visitor), Formats{});
}

/// Run-time view of a format's traits.
struct FormatInfo {
  std::string_view name;
  int width; // weights a block; a row is a whole number of blocks
  std::size_t block_bytes;
  bool is_float;

  double bits_per_weight() const { return 8.0 * static_cast<double>(block_bytes) / width; }
};

/// Nothing where the format is not in the list.
inline std::optional<FormatInfo> find_format(Format id) {
  std::optional<FormatInfo> info;
  visit_format(id, [&]<class Traits>(Traits) {
    info = FormatInfo{Traits::name, Traits::width, sizeof(typename Traits::Block), Traits::is_float};
  });
  return info;
}

/// "F32, F16, ..." for messages.
inline std::string format_names() {
  std::string names;
  for_each_format([&]<class Traits>(Traits) {
    if (!names.empty()) names += ", ";
    names += Traits::name;
  });
  return names;
}

/// Bytes of a row of `columns` weights; columns must be a multiple of the format's width.
inline std::size_t row_bytes(Format id, std::size_t columns) {
  const FormatInfo info = find_format(id).value();
  return columns / static_cast<std::size_t>(info.width) * info.block_bytes;
}

} // namespace kern
