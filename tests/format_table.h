// README's table of tensor formats, made from the list.
#pragma once

#include <fmt/format.h>

#include <string>

#include "quant/formats.h"

namespace kern::test {

inline std::string format_table() {
  std::string table =
      "| format | bits a weight | weights a block | weights a group | minimums |\n|---|---|---|---|---|\n";
  for_each_format([&]<class Traits>(Traits) {
    const double bits = find_format(Traits::id)->bits_per_weight();
    if constexpr (Traits::is_float) table += fmt::format("| {} | {:g} | | | |\n", Traits::name, bits);
    else
      table += fmt::format("| {} | {:g} | {} | {} | {} |\n", Traits::name, bits, Traits::width, Traits::group,
                           Traits::has_min ? "yes" : "no");
  });
  return table;
}

} // namespace kern::test
