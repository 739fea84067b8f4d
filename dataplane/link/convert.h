// Between the schema's structs and ours. Internal to this folder.
#pragma once

#include <cstddef>
#include <string_view>

#include "dataplane/link/interfaces.h"
#include "schemas/link_generated.h"

namespace slipway::link {

[[nodiscard]] inline schema::LinkGeneration ToSchema(const config::Generation& generation) {
  return {generation.epoch, generation.number};
}

[[nodiscard]] inline schema::LinkHash ToSchema(const config::ContentHash& hash) {
  return {hash.low, hash.high};
}

// Absent: (0,0).
[[nodiscard]] inline config::Generation FromSchema(const schema::LinkGeneration* generation) {
  return generation == nullptr
             ? config::Generation{}
             : config::Generation{.epoch = generation->epoch(), .number = generation->number()};
}

[[nodiscard]] inline config::ContentHash FromSchema(const schema::LinkHash* hash) {
  return hash == nullptr ? config::ContentHash{}
                         : config::ContentHash{.low = hash->low(), .high = hash->high()};
}

[[nodiscard]] inline GenerationState FromSchema(const schema::LinkGeneration* generation,
                                                const schema::LinkHash* hash) {
  return {.generation = FromSchema(generation), .hash = FromSchema(hash)};
}

// Absent: empty.
[[nodiscard]] inline std::string_view View(const flatbuffers::String* text) {
  return text == nullptr ? std::string_view{} : std::string_view(text->data(), text->size());
}

[[nodiscard]] inline ByteSpan Bytes(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes == nullptr
             ? ByteSpan{}
             : ByteSpan(reinterpret_cast<const std::byte*>(bytes->data()), bytes->size());
}

[[nodiscard]] inline flatbuffers::Offset<flatbuffers::Vector<std::uint8_t>> AddBytes(
    flatbuffers::FlatBufferBuilder& builder, ByteSpan bytes) {
  // Bodies are flatbuffers themselves: aligned, so that a reader need not copy them.
  builder.ForceVectorAlignment(bytes.size(), 1, sizeof(std::uint64_t));
  return builder.CreateVector(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

// Cut to what the peer accepts.
[[nodiscard]] inline flatbuffers::Offset<flatbuffers::String> AddText(
    flatbuffers::FlatBufferBuilder& builder, std::string_view text, std::size_t bytes_max) {
  const std::string_view cut = text.substr(0, bytes_max);
  return builder.CreateString(cut.data(), cut.size());
}

[[nodiscard]] inline std::size_t IndexOf(FactClass fact_class) {
  return static_cast<std::size_t>(fact_class) - 1;
}

}  // namespace slipway::link
