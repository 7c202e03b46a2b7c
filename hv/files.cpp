#include "hv/files.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace divisi::hv {

std::int64_t OpenFolder::read(std::span<std::byte> buffer) {
    // struct linux_dirent64: inode, next offset, record length, type, name.
    constexpr std::size_t kNameAt = 19;
    const std::lock_guard lock(mutex_);
    std::size_t used = 0;
    for (; next_ < entries_.size(); ++next_) {
        const VirtualEntry& entry = entries_[next_];
        const std::size_t length = (kNameAt + entry.name.size() + 1 + 7) / 8 * 8;
        if (length > buffer.size() - used) return used == 0 ? -EINVAL : static_cast<std::int64_t>(used);
        std::byte* record = buffer.data() + used;
        const auto next = static_cast<std::int64_t>(next_ + 1);
        const auto record_bytes = static_cast<std::uint16_t>(length);
        std::memset(record, 0, length);
        std::memcpy(record, &entry.inode, sizeof entry.inode);
        std::memcpy(record + 8, &next, sizeof next);
        std::memcpy(record + 16, &record_bytes, sizeof record_bytes);
        record[18] = std::byte{entry.type};
        std::memcpy(record + kNameAt, entry.name.data(), entry.name.size());
        used += length;
    }
    return static_cast<std::int64_t>(used);
}

std::int64_t OpenFolder::seek(std::int64_t offset, int whence) {
    const std::lock_guard lock(mutex_);
    if (whence == SEEK_CUR && offset == 0) return static_cast<std::int64_t>(next_);
    if (whence != SEEK_SET || offset < 0) return -EINVAL;
    next_ = static_cast<std::size_t>(offset);
    return offset;
}

void FileTable::limit(std::uint64_t limit) {
    limit_.store(static_cast<int>(std::min<std::uint64_t>(limit, kLimit)), std::memory_order_relaxed);
}

int FileTable::limit() const {
    return limit_.load(std::memory_order_relaxed);
}

// With the lock held: a file is counted once.
bool FileTable::count(OpenFile& file) {
    if (file.counted != nullptr) return true;
    if (open_->load() >= kMostFiles) return false;
    open_->fetch_add(1);
    file.counted = std::shared_ptr<void>(nullptr, [open = open_](void*) { open->fetch_sub(1); });
    return true;
}

int FileTable::add(std::shared_ptr<OpenFile> file, bool close_on_exec, int from) {
    const std::lock_guard lock(mutex_);
    for (int number = from; number < limit(); ++number) {
        const auto index = static_cast<std::size_t>(number);
        if (index >= slots_.size()) slots_.resize(index + 1);
        if (slots_[index].file) continue;
        if (!count(*file)) return -ENFILE;
        slots_[index] = {std::move(file), close_on_exec};
        return number;
    }
    return -EMFILE;
}

int FileTable::put(int number, std::shared_ptr<OpenFile> file, bool close_on_exec) {
    if (number < 0 || number >= limit()) return -EBADF;
    std::shared_ptr<OpenFile> old;  // closed after the lock is gone
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(number);
    if (index >= slots_.size()) slots_.resize(index + 1);
    old = std::move(slots_[index].file);
    slots_[index] = {std::move(file), close_on_exec};
    return number;
}

std::shared_ptr<OpenFile> FileTable::get(int number) const {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(number);
    return number < 0 || index >= slots_.size() ? nullptr : slots_[index].file;
}

int FileTable::close(int number) {
    std::shared_ptr<OpenFile> old;
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(number);
    if (number < 0 || index >= slots_.size() || !slots_[index].file) return -EBADF;
    old = std::move(slots_[index].file);
    slots_[index] = {};
    return 0;
}

void FileTable::close_all() {
    const std::lock_guard lock(mutex_);
    slots_.clear();
}

int FileTable::descriptor_flags(int number) const {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(number);
    if (number < 0 || index >= slots_.size() || !slots_[index].file) return -1;
    return slots_[index].close_on_exec ? 1 : 0;
}

void FileTable::set_descriptor_flags(int number, bool close_on_exec) {
    const std::lock_guard lock(mutex_);
    const auto index = static_cast<std::size_t>(number);
    if (number >= 0 && index < slots_.size() && slots_[index].file) slots_[index].close_on_exec = close_on_exec;
}

std::vector<int> FileTable::numbers() const {
    const std::lock_guard lock(mutex_);
    std::vector<int> result;
    for (std::size_t index = 0; index < slots_.size(); ++index) {
        if (slots_[index].file) result.push_back(static_cast<int>(index));
    }
    return result;
}

}  // namespace divisi::hv
