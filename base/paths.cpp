#include "base/paths.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

namespace divisi {
namespace {

std::string wanted_state_dir() {
    if (const char* own = std::getenv("DIVISI_STATE_DIR"); own != nullptr && *own != '\0') return own;
    if (const char* xdg = std::getenv("XDG_RUNTIME_DIR"); xdg != nullptr && *xdg != '\0')
        return std::string(xdg) + "/divisi";
    if (::geteuid() == 0) return "/run/divisi";
    return "/tmp/divisi-" + std::to_string(::geteuid());
}

}  // namespace

Result<std::string> state_dir() {
    std::error_code error;
    std::string path = std::filesystem::absolute(wanted_state_dir(), error).string();
    if (error) return Error{error, "cannot tell where the state folder is", wanted_state_dir(), {}};
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
        return system_error(errno, "cannot make the state folder", path, "set DIVISI_STATE_DIR to one you may write");
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) return system_error(errno, "cannot use the state folder", path);
    if (!S_ISDIR(status.st_mode))
        return make_error(Errc::kFailed, "the state folder is no folder", path,
                          "set DIVISI_STATE_DIR to one of your own");
    if (status.st_uid != ::geteuid())
        return make_error(Errc::kFailed, "the state folder belongs to someone else", path,
                          "set DIVISI_STATE_DIR to one of your own");
    return path;
}

std::string daemon_socket(const std::string& state) {
    return state + "/divisid.sock";
}
std::string topologies_dir(const std::string& state) {
    return state + "/topologies";
}
std::string topology_dir(const std::string& state, const std::string& name) {
    return topologies_dir(state) + "/" + name;
}
std::string vmm_socket(const std::string& topology_dir) {
    return topology_dir + "/vmm.sock";
}

Result<std::string> own_bin_dir() {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return Error{error, "cannot find the program's own folder", "/proc/self/exe", {}};
    return self.parent_path().string();
}

}  // namespace divisi
