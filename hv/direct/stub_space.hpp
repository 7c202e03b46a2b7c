// The stub process of one program's page tables: in message-passing mode a node's own, in shared-memory mode that of
// all its nodes, whose tasks then share one address space as the program's threads do.
//
// Its mappings are a cache of the page tables' entries, filled when guest code faults and emptied when entries are
// taken back: `revoke` returns when no task can reach the pages any more, running or not.
//
// Threads: all members may be called from several threads.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/result.hpp"
#include "hv/direct/mapped_ranges.hpp"
#include "hv/direct/stub_process.hpp"
#include "hv/page_tables.hpp"
#include "hv/ram.hpp"

namespace divisi::hv {

class StubSpace final : public TranslationCache {
public:
    // `ram` and `tables` are lent for its lifetime.
    static Result<std::shared_ptr<StubSpace>> create(Midwife& midwife, int image, const Ram& ram,
                                                     const PageTables& tables);
    StubSpace(const StubSpace&) = delete;
    StubSpace& operator=(const StubSpace&) = delete;
    ~StubSpace() override;

    enum class Filled : std::uint8_t {
        kNow,      // the page and its neighbours are mapped as the page tables say
        kAlready,  // they were: another node came first
        kRefused,  // the page tables hold nothing there, or do not allow `write` or `execute`
    };
    // Errors: the stub process is dead or the host has no memory for it.
    Result<Filled> fill(Gva address, bool write, bool execute);
    void revoke(Gva begin, Gva end) noexcept override;

    [[nodiscard]] bool serves(const Ram& ram, const PageTables& tables) const;
    [[nodiscard]] bool alive() const { return process_->alive(); }

    // For the tasks that run guest code: a number, with which go a control page and frames.
    Result<unsigned> take_slot();
    void give_slot(unsigned slot);
    // Gives back what the program has written to the frames of slots that nobody has.
    void forget_free_slots();
    Batch batch_of(unsigned slot) { return process_->batch_of(slot); }
    [[nodiscard]] std::byte* frames(unsigned slot) const { return process_->frames(slot); }
    template <typename Act>
    auto with_process(Act act) {
        const std::lock_guard lock(mutex_);
        return act(*process_);
    }

private:
    // Pages that follow each other in the page tables and in one memory file.
    struct Run {
        Gva begin = 0, end = 0;
        Pte first;
        int fd = -1;  // the stub's; -1: zeros
        std::uint64_t offset = 0;
    };

    StubSpace(std::unique_ptr<StubProcess> process, const Ram& ram, const PageTables& tables, std::vector<int> files);
    [[nodiscard]] Run run_around(Gva page, Pte pte) const;
    // How the stub calls one of `files_`.
    [[nodiscard]] int fd_of(int file) const;
    [[nodiscard]] bool extends(Gva page, Gva at, Pte pte) const;
    Result<void> map(const Run& run);
    Result<void> flush();

    std::mutex mutex_;
    std::unique_ptr<StubProcess> process_;
    const Ram& ram_;
    const PageTables& tables_;
    std::uint64_t generation_;
    std::vector<int> files_;  // distinct, in the order in which the stub has them
    MappedRanges mapped_;
    std::vector<bool> slots_;
};

}  // namespace divisi::hv
