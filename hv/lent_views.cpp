#include "hv/lent_views.hpp"

#include <algorithm>

namespace divisi::hv {
namespace {

// Each piece is a mapping of this process's, of which the kernel allows some 65,000; each view is looked at when its
// owner's memory changes.
constexpr std::size_t kMostPieces = 8192;
constexpr std::size_t kMostViews = 2048;

}  // namespace

template <typename Gone>
void LentViews::drop(Gone gone) noexcept {
    const auto first = std::partition(views_.begin(), views_.end(), [&gone](const View& view) { return !gone(view); });
    for (auto view = first; view != views_.end(); ++view) {
        view->viewer->hide(view->page, view->pages());
        pieces_ -= view->pieces;
    }
    views_.erase(first, views_.end());
    count_.store(views_.size());
}

Result<void> LentViews::show(const AddressSpace& owner, Gva begin, Gva end, const Ram& ram,
                             std::span<const FrameRun> runs, PageTables& viewer, std::size_t page) {
    const View made{&owner, begin, end, &viewer, page, runs.size()};
    const std::lock_guard lock(mutex_);
    drop([&made](const View& view) {
        return view.viewer == made.viewer && view.page < made.page + made.pages() &&
               made.page < view.page + view.pages();
    });
    if (views_.size() >= kMostViews || runs.size() > kMostPieces - pieces_)
        return make_error(Errc::kInsufficient, "too much memory is lent in too small pieces");
    DIVISI_TRY(viewer.show(page, ram, runs));
    views_.push_back(made);
    pieces_ += made.pieces;
    count_.store(views_.size());
    return {};
}

void LentViews::changed(const AddressSpace& owner, Gva begin, Gva end) noexcept {
    // ORDER: whoever shows a page of the owner's holds its map, which the caller changes: no view of it can come up
    // now.
    if (count_.load() == 0) return;
    const std::lock_guard lock(mutex_);
    drop([&](const View& view) {
        if (view.owner != &owner || view.begin >= end || begin >= view.end) return false;
        // ORDER: before it is hidden: who reads something else there finds the count changed afterwards.
        view.viewer->count_view_change();
        return true;
    });
}

void LentViews::forget(PageTables& viewer) noexcept {
    if (count_.load() == 0) return;
    const std::lock_guard lock(mutex_);
    drop([&viewer](const View& view) { return view.viewer == &viewer; });
}

}  // namespace divisi::hv
