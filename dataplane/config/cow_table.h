// A hash table whose copies share all pages, for the snapshot: a change copies the page it touches
// and one directory node, nothing else.
//
//   nodes_  -> [Node: 256 page pointers] -> [Page: header | tags | entries]
//
// Extendible hashing: the top `depth` bits of a key's hash choose the directory slot; a page of
// local depth l is named by 2^(depth - l) slots in a row and splits in two when it is full. The low
// eight bits are the entry's tag in the page.
//
// Ownership: nodes and pages count references atomically, so that snapshots which share them may be
// freed on any thread. A page is written only by the builder whose edit number it carries: edit
// numbers grow along a line of snapshots, so a published page is never written again, and readers
// touch neither counts nor edit numbers.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>
#include <vector>

#include "dataplane/base/check.h"
#include "dataplane/base/result.h"
#include "dataplane/config/limits.h"

namespace slipway::config {

// Entry: trivially copyable; `Key key() const`; `static std::uint64_t Hash(const Key&)`.
template <typename Entry, std::size_t kPageBytes = 4096>
class CowTable {
 public:
  using Key = std::decay_t<decltype(std::declval<const Entry&>().key())>;
  static_assert(std::is_trivially_copyable_v<Entry>);
  static constexpr std::size_t kHeaderBytes = 32;
  static constexpr std::size_t kPageEntries = (kPageBytes - kHeaderBytes) / (sizeof(Entry) + 1);
  static_assert(kPageEntries >= 8 && kPageEntries < 65536);

  CowTable() = default;

  // Shares everything: a reference per directory node.
  CowTable(const CowTable& other) noexcept
      : nodes_(other.nodes_), depth_(other.depth_), pages_(other.pages_), size_(other.size_) {
    for (Node* const node : nodes_) {
      node->refs.fetch_add(1, std::memory_order_relaxed);
    }
  }

  CowTable(CowTable&& other) noexcept
      : nodes_(std::move(other.nodes_)),
        depth_(std::exchange(other.depth_, std::uint8_t{0})),
        pages_(std::exchange(other.pages_, 0U)),
        size_(std::exchange(other.size_, 0U)) {
    other.nodes_.clear();
  }

  CowTable& operator=(CowTable other) noexcept {
    std::swap(nodes_, other.nodes_);
    std::swap(depth_, other.depth_);
    std::swap(pages_, other.pages_);
    std::swap(size_, other.size_);
    return *this;
  }

  ~CowTable() {
    for (Node* const node : nodes_) {
      Release(node);
    }
  }

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }

  // Pages and directory nodes, shared ones included.
  [[nodiscard]] std::uint64_t memory_bytes() const noexcept {
    return pages_ * sizeof(Page) + nodes_.size() * (sizeof(Node) + sizeof(Node*));
  }

  // Lives as long as this table. Any thread, while no builder writes this very copy.
  [[nodiscard]] const Entry* Find(const Key& key) const noexcept {
    if (nodes_.empty()) {
      return nullptr;
    }
    const std::uint64_t hash = Entry::Hash(key);
    const Page* const page = PageAt(SlotOf(hash));
    const std::size_t at = page->Find(key, TagOf(hash));
    return at < page->count ? &page->entries[at] : nullptr;
  }

  // Puts or replaces. kFull if the directory would grow beyond kTableDepthMax; nothing is changed
  // then. REQUIRES: `edit` is above that of every table this one was copied from.
  [[nodiscard]] Result<void> Put(const Entry& entry, std::uint64_t edit) {
    if (nodes_.empty()) {
      Start(edit);
    }
    const std::uint64_t hash = Entry::Hash(entry.key());
    while (true) {
      const std::size_t slot = SlotOf(hash);
      Page* const page = PageAt(slot);
      const std::size_t at = page->Find(entry.key(), TagOf(hash));
      if (at < page->count) {
        Writable(slot, edit)->entries[at] = entry;
        return {};
      }
      if (page->count < kPageEntries) {
        Writable(slot, edit)->Append(entry, TagOf(hash));
        ++size_;
        return {};
      }
      if (!Split(slot, edit)) {
        return Fail(ErrorCode::kFull, depth_);
      }
    }
  }

  // False if the key is not there. Pages do not merge: the memory of a table that shrank comes back
  // with the next whole snapshot. REQUIRES: as for Put.
  bool Remove(const Key& key, std::uint64_t edit) {
    if (nodes_.empty()) {
      return false;
    }
    const std::uint64_t hash = Entry::Hash(key);
    const std::size_t slot = SlotOf(hash);
    const Page* const page = PageAt(slot);
    const std::size_t at = page->Find(key, TagOf(hash));
    if (at >= page->count) {
      return false;
    }
    Writable(slot, edit)->SwapRemove(at);
    SLIP_CHECK(size_ > 0);
    --size_;
    return true;
  }

  // Calls `visit(const Entry&)` for each entry, in no particular order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    const Page* last = nullptr;
    for (std::size_t slot = 0; !nodes_.empty() && slot < slots(); ++slot) {
      const Page* const page = PageAt(slot);
      if (page != last) {
        std::for_each(page->entries.begin(),
                      page->entries.begin() + static_cast<std::ptrdiff_t>(page->count), visit);
      }
      last = page;
    }
  }

  // Pages of this table that `other` does not have: what a delta copied. Linear; for tests and
  // figures.
  [[nodiscard]] std::uint64_t PagesNotIn(const CowTable& other) const {
    std::vector<const Page*> theirs;
    for (std::size_t slot = 0; !other.nodes_.empty() && slot < other.slots(); ++slot) {
      theirs.push_back(other.PageAt(slot));
    }
    std::sort(theirs.begin(), theirs.end());
    std::uint64_t count = 0;
    const Page* last = nullptr;
    for (std::size_t slot = 0; !nodes_.empty() && slot < slots(); ++slot) {
      const Page* const page = PageAt(slot);
      if (page != last && !std::binary_search(theirs.begin(), theirs.end(), page)) {
        ++count;
      }
      last = page;
    }
    return count;
  }

 private:
  static constexpr std::size_t kNodeBits = 8;
  static constexpr std::size_t kNodeSlots = std::size_t{1} << kNodeBits;

  struct Page {
    std::atomic<std::uint32_t> refs{0};  // one per directory slot that names the page
    std::uint16_t count = 0;
    std::uint8_t depth = 0;
    std::uint64_t edit = 0;
    std::array<std::uint8_t, kPageEntries> tags;
    std::array<Entry, kPageEntries> entries;

    // The index of the key, or something not below count.
    [[nodiscard]] std::size_t Find(const Key& key, std::uint8_t tag) const noexcept {
      std::size_t at = 0;
      while (at < count) {
        const void* const hit = std::memchr(tags.data() + at, tag, count - at);
        if (hit == nullptr) {
          return kPageEntries;
        }
        at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(hit) - tags.data());
        if (entries[at].key() == key) {
          return at;
        }
        ++at;
      }
      return kPageEntries;
    }

    void Append(const Entry& entry, std::uint8_t tag) noexcept {
      SLIP_CHECK(count < kPageEntries);
      tags[count] = tag;
      entries[count] = entry;
      ++count;
    }

    void SwapRemove(std::size_t at) noexcept {
      SLIP_CHECK(at < count);
      --count;
      tags[at] = tags[count];
      entries[at] = entries[count];
    }
  };

  struct Node {
    std::atomic<std::uint32_t> refs{1};
    std::uint64_t edit = 0;
    std::array<Page*, kNodeSlots> pages{};  // null past the directory's end
  };

  [[nodiscard]] static std::uint8_t TagOf(std::uint64_t hash) noexcept {
    return static_cast<std::uint8_t>(hash & 0xFF);
  }

  [[nodiscard]] std::size_t slots() const noexcept { return std::size_t{1} << depth_; }

  [[nodiscard]] std::size_t SlotOf(std::uint64_t hash) const noexcept {
    return depth_ == 0 ? 0 : hash >> (64 - depth_);
  }

  [[nodiscard]] Page* PageAt(std::size_t slot) const noexcept {
    return nodes_[slot >> kNodeBits]->pages[slot & (kNodeSlots - 1)];
  }

  static void Release(Page* page) noexcept {
    if (page != nullptr && page->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      delete page;
    }
  }

  static void Release(Node* node) noexcept {
    if (node->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) {
      return;
    }
    for (Page* const page : node->pages) {
      Release(page);
    }
    delete node;
  }

  void Start(std::uint64_t edit) {
    Page* const page = new Page;
    page->refs.store(1, std::memory_order_relaxed);
    page->edit = edit;
    Node* const node = new Node;
    node->edit = edit;
    node->pages[0] = page;
    nodes_.push_back(node);
    depth_ = 0;
    pages_ = 1;
  }

  // The directory node of a slot, made this builder's own.
  [[nodiscard]] Node* WritableNode(std::size_t slot, std::uint64_t edit) {
    Node*& place = nodes_[slot >> kNodeBits];
    SLIP_CHECK(place->edit <= edit);
    if (place->edit != edit) {
      Node* const copy = new Node;
      copy->edit = edit;
      copy->pages = place->pages;
      for (Page* const page : copy->pages) {
        if (page != nullptr) {
          page->refs.fetch_add(1, std::memory_order_relaxed);
        }
      }
      Release(place);
      place = copy;
    }
    return place;
  }

  // Lets slots [first, first + count) name `page`; drops what they named.
  void Point(std::size_t first, std::size_t count, Page* page, std::uint64_t edit) {
    for (std::size_t slot = first; slot < first + count; ++slot) {
      Page*& place = WritableNode(slot, edit)->pages[slot & (kNodeSlots - 1)];
      page->refs.fetch_add(1, std::memory_order_relaxed);
      Release(std::exchange(place, page));
    }
  }

  // The slots that name the page of `slot`: first and count.
  [[nodiscard]] std::pair<std::size_t, std::size_t> RangeOf(std::size_t slot) const noexcept {
    const std::uint8_t depth = PageAt(slot)->depth;
    SLIP_CHECK(depth <= depth_);
    const std::size_t count = std::size_t{1} << (depth_ - depth);
    return {slot & ~(count - 1), count};
  }

  [[nodiscard]] Page* Writable(std::size_t slot, std::uint64_t edit) {
    Page* const page = PageAt(slot);
    SLIP_CHECK(page->edit <= edit);
    if (page->edit == edit) {
      return page;
    }
    Page* const copy = new Page;
    copy->edit = edit;
    copy->depth = page->depth;
    copy->count = page->count;
    std::copy_n(page->tags.begin(), page->count, copy->tags.begin());
    std::copy_n(page->entries.begin(), page->count, copy->entries.begin());
    const auto [first, count] = RangeOf(slot);
    Point(first, count, copy, edit);
    return copy;
  }

  // Splits the page of a slot; false at the greatest depth.
  [[nodiscard]] bool Split(std::size_t slot, std::uint64_t edit) {
    if (PageAt(slot)->depth == depth_) {
      if (depth_ == kTableDepthMax) {
        return false;
      }
      DoubleDirectory(edit);
      slot *= 2;
    }
    const Page* const page = PageAt(slot);
    const auto [first, count] = RangeOf(slot);
    Page* const low = new Page;
    Page* const high = new Page;
    low->edit = high->edit = edit;
    low->depth = high->depth = static_cast<std::uint8_t>(page->depth + 1);
    for (std::size_t i = 0; i < page->count; ++i) {
      const std::uint64_t hash = Entry::Hash(page->entries[i].key());
      const bool upper = ((hash >> (63 - page->depth)) & 1) != 0;
      (upper ? high : low)->Append(page->entries[i], page->tags[i]);
    }
    SLIP_CHECK(low->count + high->count == page->count);
    // `page` may be freed by the second call.
    Point(first, count / 2, low, edit);
    Point(first + count / 2, count / 2, high, edit);
    ++pages_;
    return true;
  }

  void DoubleDirectory(std::uint64_t edit) {
    const std::size_t old_slots = slots();
    std::vector<Node*> grown((2 * old_slots + kNodeSlots - 1) / kNodeSlots);
    for (Node*& node : grown) {
      node = new Node;
      node->edit = edit;
    }
    for (std::size_t slot = 0; slot < 2 * old_slots; ++slot) {
      Page* const page = PageAt(slot / 2);
      page->refs.fetch_add(1, std::memory_order_relaxed);
      grown[slot >> kNodeBits]->pages[slot & (kNodeSlots - 1)] = page;
    }
    std::swap(nodes_, grown);
    ++depth_;
    for (Node* const node : grown) {
      Release(node);
    }
  }

  std::vector<Node*> nodes_;
  std::uint8_t depth_ = 0;
  std::uint64_t pages_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace slipway::config
