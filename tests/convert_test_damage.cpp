// Folders with a damaged file are refused in one line, or converted.
#include <doctest/doctest.h>

#include <cstring>

#include "model/error.h"
#include "tests/convert_fixture.h"
#include "tests/damage.h"

namespace kern {

namespace {

/// Converts a folder of which one file was damaged; true where it is refused.
bool refuses_damaged(const test::FolderCopy& copy) {
  try {
    test::converted(FolderModel::open(copy.path(), {}), "F16");
  } catch (const Error& error) {
    const std::string line = error.what();
    CAPTURE(line);
    CHECK(error.code() == ExitCode::model);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(line.starts_with(copy.path().string()));
    CHECK(line.size() > copy.path().string().size() + 10);
    return true;
  }
  return false;
}

} // namespace

TEST_CASE("folders with a file that is cut, flipped or stretched are refused in one line or converted") {
  int refused = 0;
  int accepted = 0;
  test::RandomBits random(11);
  for (const std::string& name : test::convert_fixtures) {
    CAPTURE(name);
    const test::FolderCopy copy(name);
    for (const auto& entry : std::filesystem::directory_iterator(copy.path())) {
      const std::string file = entry.path().filename().string();
      CAPTURE(file);
      const std::string whole = copy.read(file);
      std::vector<std::byte> bytes(whole.size());
      std::memcpy(bytes.data(), whole.data(), whole.size());
      const std::size_t header = std::min<std::size_t>(bytes.size(), 3000);
      for (int i = 0; i < 12; ++i) {
        const auto damaged = test::damage(bytes, header, test::all_damages[random() % 3], random);
        copy.write(file, {reinterpret_cast<const char*>(damaged.data()), damaged.size()});
        (refuses_damaged(copy) ? refused : accepted) += 1;
      }
      copy.write(file, whole);
    }
    CHECK_FALSE(refuses_damaged(copy));
  }
  MESSAGE("damaged folders: ", refused, " refused, ", accepted, " converted");
  CHECK(refused > accepted);
}

} // namespace kern
