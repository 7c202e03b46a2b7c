#include "hv/file_places.hpp"

#include <fcntl.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>

#include "hv/virtual_files.hpp"

namespace divisi::hv {

bool reveals_host(const Fd& folder) {
    constexpr std::array<std::uint32_t, 18> kKernelFileSystems = {
        0x9fa0,      // proc
        0x62656572,  // sysfs
        0x1cd1,      // devpts
        0x27e0eb,    // cgroup
        0x63677270,  // cgroup2
        0x64626720,  // debugfs
        0x74726163,  // tracefs
        0x73636673,  // securityfs
        0xcafe4a11,  // bpf
        0x62656570,  // configfs
        0xde5e81e4,  // efivarfs
        0x6165676c,  // pstore
        0x42494e4d,  // binfmt_misc
        0x6e736673,  // nsfs
        0xf97cff8c,  // selinux
        0x43415d53,  // smack
        0x19800202,  // mqueue
        0x65735543,  // fusectl
    };
    struct statfs status {};
    if (::fstatfs(folder.get(), &status) != 0) return true;
    const auto type = static_cast<std::uint32_t>(status.f_type);
    return std::find(kKernelFileSystems.begin(), kKernelFileSystems.end(), type) != kKernelFileSystems.end();
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

bool is_made_up(std::string_view path) {
    constexpr std::string_view kShared = "/dev/shm";
    const bool shared = path.starts_with(kShared) && (path.size() == kShared.size() || path[kShared.size()] == '/');
    return is_virtual(path) && !shared;
}

const FilePlace* FilePlaces::find(const struct stat& status) const {
    const auto found = places_.find(Identity::of(status));
    return found == places_.end() ? nullptr : &found->second;
}

// A program can move folders only within regions that are writable, and none that leads to a root. So whatever it does
// meanwhile, the way up ends at a root that the folder was below.
const FileRegion* FilePlaces::region_of(const Fd& folder) const {
    Fd above;
    for (int here = folder.get();;) {
        struct stat status {};
        if (::fstat(here, &status) != 0) return nullptr;
        const FilePlace* const place = find(status);
        if (place != nullptr && place->region != nullptr) return place->region;
        if (place != nullptr && place->above) return place->above->region;
        if (is_root(status)) return root_region_;
        Fd next(::openat(here, "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!next.valid()) return nullptr;
        above = std::move(next);
        here = above.get();
    }
}

}  // namespace divisi::hv
