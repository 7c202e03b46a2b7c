#include "hv/view_window.hpp"

#include <sys/mman.h>

#include <exception>

namespace divisi::hv {

ViewWindow::ViewWindow(Mapping& region, std::size_t size_bytes)
    : region_(region), at_(region.size() - size_bytes), size_bytes_(size_bytes) {}

Result<void> ViewWindow::show(std::size_t page, const Ram& ram, std::span<const FrameRun> runs) {
    const std::lock_guard lock(mutex_);
    std::size_t end = page;
    Result<void> shown;
    for (const FrameRun& run : runs) {
        const Piece piece{end, run.count, ram.fd(), std::uint64_t{run.first} * kPageBytes};
        const std::size_t at = at_ + end * kPageBytes;
        shown = region_.overlay(at, piece.fd, piece.offset, piece.pages * kPageBytes, PROT_READ);
        if (!shown) break;
        // The neighbours of a page that a node touches are mapped with it only where the host has them.
        ::madvise(region_.data() + at, piece.pages * kPageBytes, MADV_POPULATE_READ);
        pieces_.emplace(end, piece);
        end += piece.pages;
    }
    if (!shown && end != page) show_zeros(page, end - page);
    return shown;
}

void ViewWindow::hide(std::size_t page, std::size_t pages) noexcept {
    const std::lock_guard lock(mutex_);
    show_zeros(page, pages);
}

void ViewWindow::show_zeros(std::size_t page, std::size_t pages) noexcept {
    pieces_.erase(pieces_.lower_bound(page), pieces_.lower_bound(page + pages));
    // It takes whole mappings' place, so the host needs nothing for it. If it cannot all the same, better no VMM than
    // one that shows a program what is another's.
    if (!region_.overlay_zeros(at_ + page * kPageBytes, pages * kPageBytes)) std::terminate();
}

ViewWindow::Piece ViewWindow::piece_at(std::size_t page) const {
    const std::lock_guard lock(mutex_);
    if (const auto next = pieces_.upper_bound(page); next != pieces_.begin()) {
        const Piece& piece = std::prev(next)->second;
        if (page < piece.first + piece.pages) return piece;
    }
    return {page, 1, -1, 0};
}

}  // namespace divisi::hv
