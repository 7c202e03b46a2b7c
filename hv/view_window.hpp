// The part of a program's guest-physical region in which it sees pages of other programs' memories, to read them.
//
// What is shown lies in *views*: neighbouring pages of the window, each of them with a piece of some memory file behind
// it. Pages of the window that show nothing, or nothing any more, read as zeros.
//
// Threads: all members may be called from several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>

#include "base/mapping.hpp"
#include "base/result.hpp"
#include "hv/ram.hpp"

namespace divisi::hv {

class ViewWindow {
public:
    // The last `size_bytes` of `region`, which is lent for its lifetime.
    ViewWindow(Mapping& region, std::size_t size_bytes);

    // Where it begins in the region.
    [[nodiscard]] std::size_t at() const { return at_; }
    [[nodiscard]] std::size_t page_count() const { return size_bytes_ / kPageBytes; }

    // Shows the runs of frames one after another from `page` on, where nothing may be shown. They must fit.
    // Errors: the host has no room for the mappings; nothing is shown then.
    Result<void> show(std::size_t page, const Ram& ram, std::span<const FrameRun> runs);
    // Shows zeros at these pages, which are a view of `show`'s, or all of its. When it returns, no processor that walks
    // the program's tables reaches what was there.
    void hide(std::size_t page, std::size_t pages) noexcept;

    // What is behind a page, and which neighbours continue it: file bytes, or zeros where `fd` is -1.
    struct Piece {
        std::size_t first = 0, pages = 1;
        int fd = -1;
        std::uint64_t offset = 0;  // of the first page
    };
    [[nodiscard]] Piece piece_at(std::size_t page) const;

private:
    // Does so, with the lock held.
    void show_zeros(std::size_t page, std::size_t pages) noexcept;

    Mapping& region_;
    std::size_t at_;
    std::size_t size_bytes_;
    mutable std::mutex mutex_;
    std::map<std::size_t, Piece> pieces_;  // by first page
};

}  // namespace divisi::hv
