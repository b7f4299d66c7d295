#include "convert/sentencepiece_model.h"

#include <cmath>

#include <fmt/format.h>

#include "model/cursor.h"

namespace kern {

namespace {

constexpr std::size_t max_pieces = 1u << 22;

/// What begins every field of a message.
struct FieldTag {
  std::uint64_t number;
  unsigned wire; // 0 varint, 1 eight bytes, 2 bytes with a length, 5 four bytes
};

std::uint64_t read_varint(Cursor& cursor) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto byte = cursor.read<std::uint8_t>("a number");
    value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
    if (!(byte & 0x80u)) return value;
  }
  cursor.fail("found a number of more than 10 bytes; this is no sentencepiece model, or it is damaged");
}

FieldTag read_tag(Cursor& cursor) {
  const std::uint64_t tag = read_varint(cursor);
  return {tag >> 3, static_cast<unsigned>(tag & 7u)};
}

void skip_field(Cursor& cursor, unsigned wire) {
  switch (wire) {
  case 0: read_varint(cursor); return;
  case 1: cursor.take(8, "a field"); return;
  case 2: cursor.take(read_varint(cursor), "a field"); return;
  case 5: cursor.take(4, "a field"); return;
  default:
    cursor.fail(fmt::format("found wire type {}, expected 0, 1, 2 or 5; this is no sentencepiece model, or it is "
                            "damaged",
                            wire));
  }
}

/// Calls visit(cursor, tag) for each field; what it doesn't read (returns false) is skipped.
template <class Visit> void each_field(std::span<const std::byte> bytes, const std::string& name, Visit&& visit) {
  Cursor cursor(bytes, name);
  while (cursor.left() > 0) {
    const FieldTag tag = read_tag(cursor);
    if (!visit(cursor, tag)) skip_field(cursor, tag.wire);
  }
}

SentencePiece read_piece(std::span<const std::byte> bytes, const std::string& name) {
  SentencePiece piece;
  each_field(bytes, name, [&](Cursor& cursor, FieldTag tag) {
    if (tag.number == 1 && tag.wire == 2) {
      const auto text = cursor.take(read_varint(cursor), "a piece's text");
      piece.text.assign(reinterpret_cast<const char*>(text.data()), text.size());
    } else if (tag.number == 2 && tag.wire == 5) {
      piece.score = cursor.read<float>("a piece's score");
      if (!std::isfinite(piece.score)) cursor.fail("found a score that is no finite number; the file is damaged");
    } else if (tag.number == 3 && tag.wire == 0) {
      const std::uint64_t type = read_varint(cursor);
      if (type < 1 || type > 6) cursor.fail(fmt::format("found a piece of type {}, expected 1..6", type));
      piece.type = static_cast<std::int32_t>(type);
    } else {
      return false;
    }
    return true;
  });
  return piece;
}

} // namespace

SentencePieceModel parse_sentencepiece(std::span<const std::byte> bytes, const std::string& name) {
  SentencePieceModel model;
  std::uint64_t kind = 1;
  const auto message = [](Cursor& cursor) { return cursor.take(read_varint(cursor), "a message"); };
  each_field(bytes, name, [&](Cursor& cursor, FieldTag tag) {
    if (tag.wire != 2 || tag.number < 1 || tag.number > 3) return false;
    if (tag.number == 1) {
      if (model.pieces.size() == max_pieces)
        cursor.fail(fmt::format("found more than {} pieces; the file is damaged", max_pieces));
      model.pieces.push_back(read_piece(message(cursor), name));
    } else if (tag.number == 2) {
      each_field(message(cursor), name, [&](Cursor& inner, FieldTag field) {
        if (field.number != 3 || field.wire != 0) return false;
        kind = read_varint(inner);
        return true;
      });
    } else {
      each_field(message(cursor), name, [&](Cursor& inner, FieldTag field) {
        if (field.number == 2 && field.wire == 2)
          model.has_normalization = !inner.take(read_varint(inner), "a table of characters").empty();
        else if (field.number == 3 && field.wire == 0) model.add_dummy_prefix = read_varint(inner) != 0;
        else return false;
        return true;
      });
    }
    return true;
  });
  if (model.pieces.empty())
    Cursor(bytes, name).fail("found no pieces; this is no sentencepiece model, or it is damaged");
  model.bpe = kind == 2;
  return model;
}

} // namespace kern
