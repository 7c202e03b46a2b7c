#include "hv/direct/stub_space.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace divisi::hv {
namespace {

// How far a fill looks to both sides of a fault.
constexpr Gva kReach = 512 * kPageBytes;
// Below the kernel's usual limit of 65530 mappings a process.
constexpr std::size_t kMostRanges = 60000;

// The memory files that the stub is to have, each once.
std::vector<int> files_of(const Ram& ram, const PageTables& tables) {
    std::vector<int> fds{ram.fd()};
    const auto add = [&fds](int fd) {
        if (std::find(fds.begin(), fds.end(), fd) == fds.end()) fds.push_back(fd);
    };
    for (const WindowPiece& piece : tables.windows()) add(piece.fd);
    if (tables.views().page_count() != 0) add(tables.fd());
    for (const int fd : tables.view_files()) add(fd);
    return fds;
}

int protection(Pte pte) {
    return PROT_READ | (pte.writable() ? PROT_WRITE : 0) | (pte.executable() ? PROT_EXEC : 0);
}

}  // namespace

StubSpace::StubSpace(std::unique_ptr<StubProcess> process, const Ram& ram, const PageTables& tables,
                     std::vector<int> files)
    : process_(std::move(process)),
      ram_(ram),
      tables_(tables),
      generation_(tables.generation()),
      files_(std::move(files)),
      slots_(DIVISI_STUB_TASKS, false) {
    slots_[0] = true;  // the keeper's
    tables_.attach(*this);
}

StubSpace::~StubSpace() {
    tables_.detach(*this);
}

Result<std::shared_ptr<StubSpace>> StubSpace::create(Midwife& midwife, int image, const Ram& ram,
                                                     const PageTables& tables) {
    std::vector<int> files = files_of(ram, tables);
    DIVISI_TRY_ASSIGN(auto process, StubProcess::create(midwife, image, files));
    return std::shared_ptr<StubSpace>(new StubSpace(std::move(process), ram, tables, std::move(files)));
}

bool StubSpace::serves(const Ram& ram, const PageTables& tables) const {
    return &ram == &ram_ && &tables == &tables_ && tables.generation() == generation_ && alive();
}

Result<unsigned> StubSpace::take_slot() {
    const std::lock_guard lock(mutex_);
    const auto free = std::find(slots_.begin(), slots_.end(), false);
    if (free == slots_.end())
        return make_error(Errc::kInsufficient, "a program cannot have that many nodes", "direct", "use fewer");
    *free = true;
    return static_cast<unsigned>(free - slots_.begin());
}

void StubSpace::give_slot(unsigned slot) {
    const std::lock_guard lock(mutex_);
    slots_[slot] = false;
}

void StubSpace::forget_free_slots() {
    const std::lock_guard lock(mutex_);
    for (auto first = slots_.begin(); first != slots_.end();) {
        first = std::find(first, slots_.end(), false);
        const auto end = std::find(first, slots_.end(), true);
        if (first == end) break;
        process_->forget_frames(static_cast<unsigned>(first - slots_.begin()), static_cast<unsigned>(end - first));
        first = end;
    }
}

bool StubSpace::extends(Gva page, Gva at, Pte pte) const {
    const Pte here = tables_.peek(at);
    // Differences wrap: entries below the page's have smaller addresses.
    if (here.bits - pte.bits != at - page) return false;
    return mapped_.entry(at) != here.bits;
}

int StubSpace::fd_of(int file) const {
    return StubProcess::memory_fd(
        static_cast<std::size_t>(std::find(files_.begin(), files_.end(), file) - files_.begin()));
}

StubSpace::Run StubSpace::run_around(Gva page, Pte pte) const {
    Run run{page, page + kPageBytes, pte};
    Gva lowest = page > kReach ? page - kReach : 0;
    Gva highest = std::min(page + kReach, kUserBytes);
    if (pte.in_ram()) {
        run.fd = fd_of(ram_.fd());
    } else if (const auto view_page = tables_.view_page(pte.gpa())) {
        const ViewWindow::Piece piece = tables_.views().piece_at(*view_page);
        const std::size_t before = *view_page - piece.first;
        run.fd = piece.fd < 0 ? -1 : fd_of(piece.fd);
        run.offset = piece.offset + before * kPageBytes;
        lowest = page - before * kPageBytes;
        highest = lowest + piece.pages * kPageBytes;
    } else if (pte.gpa() < PageTables::window_gpa(0)) {
        run.fd = fd_of(tables_.fd());
        run.offset = pte.gpa() - kProgramGpa;
        lowest = page;
        highest = page + kPageBytes;
    } else {
        std::uint64_t offset = pte.gpa() - PageTables::window_gpa(0);
        for (const WindowPiece& piece : tables_.windows()) {
            if (offset >= piece.size_bytes) {
                offset -= piece.size_bytes;
                continue;
            }
            run.fd = fd_of(piece.fd);
            run.offset = piece.offset + offset;
            lowest = page - offset;
            highest = page + (piece.size_bytes - offset);
            break;
        }
    }
    while (run.end < highest && extends(page, run.end, pte)) run.end += kPageBytes;
    while (run.begin > lowest && extends(page, run.begin - kPageBytes, pte)) run.begin -= kPageBytes;
    run.first.bits = pte.bits - (page - run.begin);
    if (pte.in_ram()) {
        run.offset = std::uint64_t{run.first.frame()} * kPageBytes;
    } else {
        run.offset -= page - run.begin;
    }
    return run;
}

Result<void> StubSpace::flush() {
    mapped_.clear();
    Batch batch = process_->batch();
    batch.add(SYS_munmap, {0, kUserBytes});
    return process_->run(batch);
}

Result<void> StubSpace::map(const Run& run) {
    Batch batch = process_->batch();
    batch.add(SYS_mmap, {run.begin, run.end - run.begin, static_cast<std::uint64_t>(protection(run.first)),
                         MAP_FIXED | static_cast<std::uint64_t>(run.fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED),
                         static_cast<std::uint64_t>(run.fd), run.offset});
    DIVISI_TRY(process_->run(batch));
    mapped_.insert(run.begin, run.end, run.first.bits);
    return {};
}

Result<StubSpace::Filled> StubSpace::fill(Gva address, bool write, bool execute) {
    if (address >= kUserBytes) return Filled::kRefused;
    const Gva page = page_floor(address);
    const std::lock_guard lock(mutex_);
    // ORDER: the entry is read under the lock that `revoke` takes after the entry was changed: a page that is revoked
    // is either not mapped here any more, or mapped before it and unmapped by it.
    const Pte pte = tables_.peek(page);
    if (!pte.present() || (write && !pte.writable()) || (execute && !pte.executable())) return Filled::kRefused;
    if (mapped_.entry(page) == pte.bits) return Filled::kAlready;
    if (mapped_.count() >= kMostRanges) DIVISI_TRY(flush());
    const Run run = run_around(page, pte);
    Result<void> mapped = map(run);
    if (!mapped && mapped.error().cause.value() == ENOMEM) {
        DIVISI_TRY(flush());
        mapped = map(run);
    }
    if (!mapped) return std::move(mapped).error();
    return Filled::kNow;
}

void StubSpace::revoke(Gva begin, Gva end) noexcept {
    const std::lock_guard lock(mutex_);
    if (!mapped_.intersects(begin, end)) return;
    mapped_.erase(begin, end);
    Batch batch = process_->batch();
    batch.add(SYS_munmap, {begin, end - begin});
    // A process that cannot be told any more must not see the pages either.
    if (!process_->run(batch)) process_->end();
}

}  // namespace divisi::hv
