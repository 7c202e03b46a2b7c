// What ranks have lent to each other: copies of it, and views.
#include <cerrno>

#include "hv/vmm/job.hpp"

namespace divisi::hv::vmm {

// SAFETY: what is lent is the owner's to say, and every byte on either side is reached only as that side's program
// could reach it itself; so neither end can make it touch what is not its own or was not given to it. Called on a node
// of rank `index`: as long as it runs, no rank's program is taken down.
SysResult Job::copy_lent(std::size_t index, const LentCopy& copy) const {
    if (copy.owner >= ranks_.size() || copy.owner == index) return -EINVAL;
    const Rank& owner = *ranks_[copy.owner];
    if (owner.on_host) return -EOPNOTSUPP;
    const auto lent = topology_.borrow(copy.owner, copy.loan, static_cast<std::uint32_t>(index));
    if (!lent) return -EACCES;
    if (!lent->holds(copy.offset, copy.bytes)) return -EINVAL;
    AddressSpace& own = ranks_[index]->program->memory();
    AddressSpace& theirs = owner.program->memory();
    const Gva there = lent->address() + copy.offset;
    using Copied = AddressSpace::Copied;
    const Copied copied = lent->writable() ? AddressSpace::copy_between(own, copy.address, theirs, there, copy.bytes)
                                           : AddressSpace::copy_between(theirs, there, own, copy.address, copy.bytes);
    if (copied == Copied::kAll) return 0;
    return (copied == Copied::kSourceFault) == lent->writable() ? -EFAULT : -ENXIO;
}

// SAFETY: as above; to be seen, whole pages are the owner's to lend, for as long as they are mapped as they are now.
SysResult Job::view_lent(std::size_t index, const LentView& view) const {
    if (view.owner >= ranks_.size() || view.owner == index || view.bytes == 0) return -EINVAL;
    const Rank& owner = *ranks_[view.owner];
    PageTables& viewer = topology_.tables(index);
    const std::size_t room = viewer.views().page_count();
    if (owner.on_host || room == 0) return -EOPNOTSUPP;
    const auto lent = topology_.borrow(view.owner, view.loan, static_cast<std::uint32_t>(index));
    if (!lent || lent->writable()) return -EACCES;
    if (!lent->holds(view.offset, view.bytes) || view.bytes > kViewBytes) return -EINVAL;
    const Gva first = lent->address() + view.offset;
    if (first >= kWindowGva) return -ENXIO;
    const Gva begin = page_floor(first);
    const Gva end = page_ceil(first + view.bytes);
    const std::uint64_t pages = (end - begin) / kPageBytes;
    if (pages > room || view.page > room - pages) return -EINVAL;
    const SysResult shown = owner.program->memory().show(begin, end, viewer, view.page);
    return shown != 0 ? shown : static_cast<SysResult>(kViewsGva + view.page * kPageBytes + (first - begin));
}

}  // namespace divisi::hv::vmm
