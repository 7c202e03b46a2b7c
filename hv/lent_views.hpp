// Which pages of which programs' memories others of the job look at, so that a page that is no longer what it was can
// be taken away from all who see it.
//
// A view is made with the owner's map held, and taken back while that is changed, before the frames behind it belong to
// anyone else. Who sees it learns that from the count of changes of its views (page_tables.hpp), and asks anew.
//
// Threads: all members may be called from several threads; every space and all tables that are named live until
// `forget` of the tables, and until all pages of the space have changed.
#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "hv/layout.hpp"
#include "hv/page_tables.hpp"
#include "hv/ram.hpp"

namespace divisi::hv {

class AddressSpace;

class LentViews {
public:
    // Shows [begin, end) of the owner's memory, which is these frames, from `page` of the viewer's window on, in place
    // of all views that reach into that part of it. Errors: kInsufficient: more pieces of memory would be shown than is
    // good for the host; what the host met.
    Result<void> show(const AddressSpace& owner, Gva begin, Gva end, const Ram& ram, std::span<const FrameRun> runs,
                      PageTables& viewer, std::size_t page);
    // Pages of [begin, end) are no longer what they were: nobody sees them any more.
    void changed(const AddressSpace& owner, Gva begin, Gva end) noexcept;
    // The program of these tables ends.
    void forget(PageTables& viewer) noexcept;

private:
    struct View {
        const AddressSpace* owner = nullptr;
        Gva begin = 0, end = 0;
        PageTables* viewer = nullptr;
        std::size_t page = 0;
        std::size_t pieces = 0;

        [[nodiscard]] std::size_t pages() const { return (end - begin) / kPageBytes; }
    };
    // Hides and drops those for which `gone` is true.
    template <typename Gone>
    void drop(Gone gone) noexcept;

    std::mutex mutex_;
    std::vector<View> views_;
    std::size_t pieces_ = 0;              // of all views
    std::atomic<std::size_t> count_ = 0;  // of views
};

}  // namespace divisi::hv
