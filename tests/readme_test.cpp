// README says what the code says.
#include <doctest/doctest.h>

#include "tests/fixtures.h"
#include "tests/format_table.h"

namespace kern {

TEST_CASE("README's table of tensor formats is the list's (kern_format_table prints it)") {
  const std::vector<char> file = test::read_file(KERN_README);
  const std::string readme(file.begin(), file.end());
  const std::string before = "<!-- formats -->\n", after = "<!-- /formats -->\n";
  const std::size_t begin = readme.find(before), end = readme.find(after);
  REQUIRE(begin != std::string::npos);
  REQUIRE(end != std::string::npos);
  CHECK(readme.substr(begin + before.size(), end - begin - before.size()) == "\n" + test::format_table() + "\n");
}

} // namespace kern
