// Prints README's table of tensor formats.
#include <cstdio>

#include "tests/format_table.h"

int main() { return std::fputs(kern::test::format_table().c_str(), stdout) < 0 ? 1 : 0; }
