// Any file as a session: read, or refused by kern::Error. What is read can be written, and read again as the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/session_text.h"
#include "cli/turn_text.h"
#include "model/error.h"
#include "tests/fuzz/check_text.h"

using kern::fuzz::expect;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const kern::SessionText session = kern::parse_session(text, "session");
    expect(session.whole_bytes <= size);
    std::string written;
    for (const kern::SessionMessage& message : session.messages) written += kern::session_line(message);
    const kern::SessionText again = kern::parse_session(written, "session");
    expect(again.whole_bytes == written.size() && again.messages.size() == session.messages.size());
    for (std::size_t i = 0; i < again.messages.size(); ++i) {
      expect(again.messages[i].role == session.messages[i].role);
      expect(again.messages[i].content == session.messages[i].content);
      expect(again.messages[i].end == session.messages[i].end);
    }
    // Without the torn line, or whatever stands behind the last whole one, the rest is the same.
    expect(kern::parse_session(text.substr(0, session.whole_bytes), "session").messages.size() ==
           session.messages.size());
  } catch (const kern::Error& error) {
    expect(std::string_view(error.what()).starts_with("session: "));
  }
  const kern::Turn turn = kern::read_turn(text);
  expect(turn.text.size() <= size && !(turn.is_command && !text.starts_with('/')));
  return 0;
}
