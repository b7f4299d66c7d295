#!/usr/bin/env python3
"""Writes cli/editor/width_table.h: how many columns characters take in a terminal, from Python's Unicode tables.

Usage: make_width_table.py > cli/editor/width_table.h
"""
import sys
import unicodedata

FIRST, END = 0xA0, 0x110000
NARROW = "narrow"


def kind(code):
    """narrow: one column. wide: two. mark: belongs to the character before, none. spacing: belongs to it, one more."""
    category = unicodedata.category(chr(code))
    if code == 0xAD:  # the soft hyphen is shown
        return NARROW
    if category in ("Mn", "Me", "Cf") or 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF:
        return "mark"
    if category == "Mc":
        return "spacing"
    return "wide" if unicodedata.east_asian_width(chr(code)) in "WF" else NARROW


def ranges():
    found = []
    previous = NARROW
    for code in range(FIRST, END):
        # Without a meaning yet: as what stands before it, which makes fewer ranges; wide where ideographs and emoji
        # are to come.
        if unicodedata.category(chr(code)) == "Cn":
            if code & 0xFF:
                continue
            now = "wide" if 0x20000 <= code < 0x3FFFE or 0x1F300 <= code < 0x1FB00 else NARROW
        else:
            now = kind(code)
        if now != previous:
            found.append((code, now))
            previous = now
    return found


def main():
    out = sys.stdout
    out.write("// Columns of characters in a terminal. Made by scripts/make_width_table.py from Unicode "
              f"{unicodedata.unidata_version}.\n")
    out.write("#pragma once\n\n#include <cstdint>\n\n#include \"cli/editor/width.h\"\n\nnamespace kern {\n\n")
    out.write("struct WidthRange {\n  std::uint32_t first; // up to the next one's\n  CharacterKind kind;\n};\n\n")
    out.write("/// Ascending. What comes before the first is narrow.\n")
    out.write("inline constexpr WidthRange width_ranges[] = {\n    // clang-format off\n")
    line = "   "
    for first, name in ranges():
        entry = f" {{0x{first:X}, CharacterKind::{name}}},"
        if len(line) + len(entry) > 120:
            out.write(line + "\n")
            line = "   "
        line += entry
    out.write(line + "\n    // clang-format on\n};\n\n} // namespace kern\n")


if __name__ == "__main__":
    main()
