#!/usr/bin/env python3
"""Write quant/grids.h: the code books of the grid formats (IQ1_* to IQ3_*).

A code book lists the points of a grid that its format uses; a block names them by their number in the
list. Each list ascends when a point is read as a number whose digits are its coordinates' levels, the
first coordinate's the lowest: base 3 for eight coordinates of three levels, base 8 for four of eight.
So a book is kept as the set of those numbers, one bit for each number there is: bit n % 64 of word
n / 64. The books come from the `gguf` Python package. Run by hand; the header is checked in.

    pip install gguf numpy
    python scripts/make_grids.py
"""

import pathlib

import numpy as np
from gguf import quants

BOOKS = {
    "iq1": (quants.IQ1_S, "IQ1_S and IQ1_M"),
    "iq2_xxs": (quants.IQ2_XXS, "IQ2_XXS"),
    "iq2_xs": (quants.IQ2_XS, "IQ2_XS"),
    "iq2_s": (quants.IQ2_S, "IQ2_S"),
    "iq3_xxs": (quants.IQ3_XXS, "IQ3_XXS"),
    "iq3_s": (quants.IQ3_S, "IQ3_S"),
}

HEAD = """\
// The code books of the grid formats, written by scripts/make_grids.py from the gguf package.
//
// A book lists the points of a grid that its format uses. Here it is the set of their numbers: the digits of a number
// are the levels of the point's coordinates, the first coordinate's the lowest; bit n % 64 of word n / 64 is set where
// the number n is in the list. The list ascends.
#pragma once

#include <cstdint>

namespace kern::grids {

/// `entries` points of a grid of `size` coordinates of `base` levels.
template <int entries, int size, int base> struct Book {
  static constexpr int numbers = [] {
    int count = 1;
    for (int i = 0; i < size; ++i) count *= base;
    return count;
  }();
  std::uint64_t set[(numbers + 63) / 64];
};
"""


def words(book: type) -> tuple[list[int], tuple[int, int, int]]:
    """The set as 64-bit words, and entries, coordinates and levels."""
    book.init_grid()
    entries, size = book.grid_shape
    base = len(book.grid_map)
    levels = np.searchsorted(np.array(book.grid_map), book.grid.reshape(entries, size))
    numbers = (levels * base ** np.arange(size)).sum(axis=1).tolist()
    assert numbers == sorted(set(numbers))
    bits = sum(1 << number for number in numbers)
    count = (base**size + 63) // 64
    return [bits >> (64 * i) & (2**64 - 1) for i in range(count)], (entries, size, base)


def main() -> None:
    lines = [HEAD]
    for name, (book, formats) in BOOKS.items():
        packed, (entries, size, base) = words(book)
        lines.append(f"/// Of {formats}: {entries} points of {size} coordinates, {base} levels each.")
        lines.append(f"inline constexpr Book<{entries}, {size}, {base}> {name}{{{{")
        for i in range(0, len(packed), 5):
            lines.append("    " + ", ".join(f"0x{word:016X}" for word in packed[i : i + 5]) + ",")
        lines.append("}};\n")
    lines.append("} // namespace kern::grids")
    path = pathlib.Path(__file__).parent.parent / "quant" / "grids.h"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
