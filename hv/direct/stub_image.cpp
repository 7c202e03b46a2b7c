#include "hv/direct/stub_image.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

namespace divisi::hv {

Result<Fd> create_stub_image() {
    constexpr const char* kName = "divisi-stub";
    Fd fd(::memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC));
    if (!fd.valid()) fd = Fd(::memfd_create(kName, MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!fd.valid()) return system_error(errno, "cannot create a memory file", kName);
    const std::string_view bytes(reinterpret_cast<const char*>(divisi_stub_begin),
                                 static_cast<std::size_t>(divisi_stub_end - divisi_stub_begin));
    DIVISI_TRY(write_all(fd.get(), bytes, kName));
    if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
        return system_error(errno, "cannot seal a memory file", kName);
    return fd;
}

}  // namespace divisi::hv
