// Copies between the memories of two ranks, of what one has lent to the other.
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
    if (copy.offset > lent->size_bytes() || copy.bytes > lent->size_bytes() - copy.offset) return -EINVAL;
    AddressSpace& own = ranks_[index]->program->memory();
    AddressSpace& theirs = owner.program->memory();
    const Gva there = lent->address() + copy.offset;
    using Copied = AddressSpace::Copied;
    const Copied copied = lent->writable() ? AddressSpace::copy_between(own, copy.address, theirs, there, copy.bytes)
                                           : AddressSpace::copy_between(theirs, there, own, copy.address, copy.bytes);
    if (copied == Copied::kAll) return 0;
    return (copied == Copied::kSourceFault) == lent->writable() ? -EFAULT : -ENXIO;
}

}  // namespace divisi::hv::vmm
