#include "dataplane/main/pair_store.h"

#include <array>
#include <utility>

#include "dataplane/base/random.h"

namespace slipway::rack {
namespace {

constexpr std::string_view kFile = "pair";
constexpr std::string_view kTemporary = "pair.new";

// Little-endian words: magic and version, store, pair, partner's store, then the stamp (boot id,
// boottime, realtime, trusted), then a mix of them all.
enum Word : std::size_t {
  kMagic,
  kStore,
  kPair,
  kPartnerStore,
  kBootId,
  kBoottime,
  kRealtime,
  kTrusted,
  kCheck,
  kWords,
};

constexpr std::uint64_t kMagicV1 = 0x0001'5249'4150'4C53;  // "SLPAIR", 1

std::uint64_t Mix(const std::array<std::uint64_t, kWords>& words) {
  std::uint64_t check = 0;
  for (std::size_t i = 0; i < kCheck; ++i) {
    check = Mix64(check ^ words[i]);
  }
  return check;
}

}  // namespace

service::PairMemory PairStore::Load(bool journal_is_new) {
  if (journal_is_new || !Read(memory_)) {
    memory_ = {.store = random_->U64() | 1};
    dirty_ = true;
    dirty_ = !Write();
  }
  return memory_;
}

bool PairStore::Read(service::PairMemory& memory) {
  const Result<FileId> file = disk_->Open(kFile, OpenMode::kRead);
  if (!file) {
    return false;
  }
  std::array<std::byte, 8 * kWords> bytes{};
  const Result<std::size_t> got = disk_->ReadAt(*file, 0, bytes);
  disk_->Close(*file);
  std::array<std::uint64_t, kWords> words{};
  for (std::size_t i = 0; i < kWords; ++i) {
    words[i] = LoadLittle<std::uint64_t>(bytes.data() + 8 * i);
  }
  if (!got || *got != bytes.size() || words[kMagic] != kMagicV1 || words[kStore] == 0 ||
      words[kCheck] != Mix(words)) {
    return false;
  }
  memory = {.store = words[kStore],
            .pair = words[kPair],
            .partner_store = words[kPartnerStore],
            .right = {.boot_id = words[kBootId],
                      .boottime = {static_cast<std::int64_t>(words[kBoottime])},
                      .realtime = {static_cast<std::int64_t>(words[kRealtime])},
                      .realtime_trusted = words[kTrusted] != 0}};
  return true;
}

bool PairStore::Write() {
  std::array<std::uint64_t, kWords> words{kMagicV1,
                                          memory_.store,
                                          memory_.pair,
                                          memory_.partner_store,
                                          memory_.right.boot_id,
                                          static_cast<std::uint64_t>(memory_.right.boottime.ns),
                                          static_cast<std::uint64_t>(memory_.right.realtime.ns),
                                          memory_.right.realtime_trusted ? 1U : 0U,
                                          0};
  words[kCheck] = Mix(words);
  std::array<std::byte, 8 * kWords> bytes{};
  for (std::size_t i = 0; i < kWords; ++i) {
    StoreLittle(bytes.data() + 8 * i, words[i]);
  }
  const Result<FileId> file = disk_->Open(kTemporary, OpenMode::kCreate);
  if (!file) {
    write_failures_.Add();
    return false;
  }
  const bool written = disk_->WriteAt(*file, 0, bytes) && disk_->Sync(*file);
  disk_->Close(*file);
  if (!written || !disk_->Rename(kTemporary, kFile)) {
    write_failures_.Add();
    return false;
  }
  return true;
}

void PairStore::Take(const service::PairWord& word) {
  if (word.pair != memory_.pair) {
    memory_ = {.store = memory_.store, .pair = word.pair};
    owed_ = 0;
  }
  if (word.kind == service::PairWord::Kind::kRemember) {
    memory_.partner_store = word.store;
    owed_ = word.store;
  } else {
    // The shard says when it was; the other clock is read now, and what went by in between is taken
    // off.
    const Duration ago = clock_->Now() - word.at;
    memory_.right = {.boot_id = clock_->BootId(),
                     .boottime = word.at,
                     .realtime = {clock_->WallNow().ns - ago.ns},
                     .realtime_trusted = clock_->WallIsSynchronised()};
  }
  dirty_ = true;
}

void PairStore::Serve(service::PairBox& box) {
  (void)box.to_control->Drain(service::kPairWordsMax,
                              [this](const service::PairWord& word) { Take(word); });
  if (dirty_) {
    dirty_ = !Write();
  }
  if (owed_ == 0 || dirty_) {
    return;
  }
  if (box.from_control->Push(service::PairWord{
          .kind = service::PairWord::Kind::kRemember, .pair = memory_.pair, .store = owed_})) {
    owed_ = 0;
  }
  box.from_control->Notify();
}

}  // namespace slipway::rack
