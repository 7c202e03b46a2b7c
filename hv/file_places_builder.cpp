// How the table of places is made, before a program runs: with the host's names, which no program can change yet.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "hv/file_places.hpp"

namespace divisi::hv {
namespace {

constexpr int kMaxLinks = 40;
constexpr int kFileFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
constexpr int kFolderFlags = kFileFlags | O_DIRECTORY;

// A scratch folder: its path, and its name in the folder that the job has for them.
struct ScratchName {
    const char* path;
    const char* name;
};
constexpr std::array<ScratchName, 3> kScratch = {{{"/tmp", "tmp"}, {"/var/tmp", "var-tmp"}, {"/dev/shm", "shm"}}};

std::shared_ptr<const Fd> share(Fd fd) {
    return std::make_shared<const Fd>(std::move(fd));
}

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> parts;
    while (!path.empty()) {
        const std::string_view part = path.substr(0, path.find('/'));
        path.remove_prefix(std::min(part.size() + 1, path.size()));
        if (!part.empty() && part != ".") parts.emplace_back(part);
    }
    return parts;
}

// The host's name of an open file; empty where it has none.
std::string host_name_of(const Fd& fd) {
    std::array<char, PATH_MAX> name{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
    const ssize_t length = ::readlink(link.c_str(), name.data(), name.size());
    return length > 0 && name[0] == '/' ? std::string(name.data(), static_cast<std::size_t>(length)) : std::string();
}

Result<struct stat> look_at(const Fd& fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return system_error(errno, "cannot look at it", path);
    return status;
}

}  // namespace

class FilePlaces::Builder {
public:
    explicit Builder(FilePlacesSpec spec) : spec_(std::move(spec)) {}

    Result<FilePlaces> build() {
        DIVISI_TRY(open_root());
        settle_working_path();
        for (const std::string& path : spec_.rules.hidden) DIVISI_TRY(hide(path));
        for (const std::string& path : spec_.rules.readable) DIVISI_TRY(show(path, FileAccess::kReadable));
        for (const std::string& path : spec_.rules.writable) DIVISI_TRY(show(path, FileAccess::kWritable));
        if (spec_.scratch)
            for (const ScratchName& name : kScratch) DIVISI_TRY(add_scratch(name));
        DIVISI_TRY(show_program());
        DIVISI_TRY(bring_in_all());
        for (const Root& root : roots_) mark_outer(root.parent);
        for (const Scratch& scratch : scratch_) mark_outer(scratch.parent);
        for (const Fd& folder : hiding_) mark_outer(folder);
        // What something that can be seen lies in must be walked through: its region alone hides it.
        for (auto& [identity, place] : places_.places_)
            for (const std::string& name : place.ways) place.hidden.erase(name);
        finish_scratch();
        DIVISI_TRY(settle_working_folder());
        return std::move(places_);
    }

private:
    // Where a path leads by the host's names.
    struct Traced {
        Fd fd;  // not valid where something is missing
        struct stat status {};
        Fd parent;         // the folder that has it, or would have the first name that is missing
        std::string name;  // there
    };
    struct Root {
        std::shared_ptr<const Fd> fd;
        Fd parent;  // not valid where the root has been brought into a scratch folder
        std::string path;
        bool folder = false;
    };
    struct Scratch {
        std::string made_at;    // the path of the rules
        std::string host_path;  // without links
        std::shared_ptr<const Fd> fd;
        Fd parent;  // of the host's folder
        FilePlace* place = nullptr;
        FileRegion* region = nullptr;
    };

    Result<void> open_root() {
        DIVISI_TRY_ASSIGN(Fd root, open_file("/", O_PATH | O_DIRECTORY));
        DIVISI_TRY_ASSIGN(const struct stat status, look_at(root, "/"));
        places_.root_ = share(std::move(root));
        places_.root_identity_ = Identity::of(status);
        DIVISI_TRY_ASSIGN(const struct stat working, look_at(*spec_.working_folder, spec_.working_path));
        const auto names_root = [&](const std::vector<std::string>& rules) {
            return std::any_of(rules.begin(), rules.end(), [&](const std::string& rule) {
                return rule == "/" || (rule == "." && places_.is_root(working));
            });
        };
        const bool shown = names_root(spec_.rules.readable) || names_root(spec_.rules.writable);
        places_.root_region_ = add_region(status, shown ? FileAccess::kWritable : FileAccess::kHidden);
        return {};
    }

    void settle_working_path() {
        ViewFolder& working = places_.working_;
        working.path = host_name_of(*spec_.working_folder);
        if (working.path.empty()) working.path = spec_.working_path;
        // Nobody works in the host's /proc or /dev, even who started there.
        works_in_host_ = !is_made_up(working.path) && !reveals_host(*spec_.working_folder);
    }

    // Nothing for a path below a working folder that is none.
    [[nodiscard]] std::optional<std::string> absolute(const std::string& path) const {
        if (path.starts_with('/')) return path;
        if (!works_in_host_) return std::nullopt;
        return path == "." ? places_.working_.path : places_.working_.path + "/" + path;
    }

    // The region of a root; of rules that mean the same place, the stricter counts.
    FileRegion* add_region(const struct stat& status, FileAccess access) {
        FilePlace& place = places_.places_[Identity::of(status)];
        if (place.region == nullptr) {
            places_.regions_.push_back(std::make_unique<FileRegion>(FileRegion{access, false}));
            place.region = places_.regions_.back().get();
        }
        FileRegion& region = region_at(status);
        region.access = std::min(region.access, access);
        return &region;
    }

    FileRegion& region_at(const struct stat& status) {
        const FileRegion* const known = places_.places_[Identity::of(status)].region;
        const auto owner = std::find_if(places_.regions_.begin(), places_.regions_.end(),
                                        [known](const auto& region) { return region.get() == known; });
        return **owner;
    }

    Result<void> hide(const std::string& rule) {
        const auto path = absolute(rule);
        if (!path) return {};
        DIVISI_TRY_ASSIGN(Traced traced, trace(*path, false));
        if (!traced.name.empty()) {
            // By its name, too: it may not be there yet.
            DIVISI_TRY_ASSIGN(const struct stat parent, look_at(traced.parent, *path));
            places_.places_[Identity::of(parent)].hidden.insert(traced.name);
        }
        hiding_.push_back(std::move(traced.parent));
        if (!traced.fd.valid()) return {};
        add_region(traced.status, FileAccess::kHidden);
        places_.held_.push_back(share(std::move(traced.fd)));
        return {};
    }

    Result<void> show(const std::string& rule, FileAccess access) {
        const auto path = absolute(rule);
        if (!path) return {};
        if (rule == ".") return show_working_folder(access);
        DIVISI_TRY_ASSIGN(Traced traced, trace(*path, true));
        if (traced.fd.valid()) {
            add_region(traced.status, access);
            add_root(traced, host_name_of(traced.fd));
        } else if (access == FileAccess::kWritable) {
            return make_error(Errc::kUsage, "the topology's policy lets programs write here, and it is not there",
                              *path, "make it, or take it out of files.writable");
        }
        return {};
    }

    Result<void> show_working_folder(FileAccess access) {
        const std::string& path = places_.working_.path;
        DIVISI_TRY_ASSIGN(const struct stat status, look_at(*spec_.working_folder, path));
        if (!S_ISDIR(status.st_mode)) return system_error(ENOTDIR, "the working folder is none", path);
        // Its name may have gone to another; then it is known by itself alone.
        const auto named = trace(path, false);
        if (named && named->fd.valid() && Identity::of(named->status) == Identity::of(status)) (void)trace(path, true);
        add_region(status, access);
        Traced traced;
        DIVISI_TRY_ASSIGN(traced.fd, spec_.working_folder->duplicate());
        traced.status = status;
        traced.parent = Fd(::openat(traced.fd.get(), "..", kFolderFlags));
        add_root(traced, path);
        return {};
    }

    void add_root(Traced& traced, std::string path) {
        const bool folder = S_ISDIR(traced.status.st_mode);
        roots_.push_back({share(std::move(traced.fd)), std::move(traced.parent), std::move(path), folder});
        places_.held_.push_back(roots_.back().fd);
    }

    // The program's own file, where it would not be seen: in a hidden region, or under a scratch folder of the host's.
    Result<void> show_program() {
        if (spec_.program_path.empty()) return {};
        DIVISI_TRY_ASSIGN(const Traced traced, trace(spec_.program_path, false));
        if (!traced.fd.valid() || !S_ISREG(traced.status.st_mode)) return {};
        const std::string path = host_name_of(traced.fd);
        const auto lies_in = [](const std::string& what, const std::string& folder) {
            return what.starts_with(folder + "/");
        };
        const bool covered = std::any_of(scratch_.begin(), scratch_.end(), [&](const Scratch& scratch) {
            return lies_in(path, scratch.host_path) &&
                   std::none_of(roots_.begin(), roots_.end(), [&](const Root& root) {
                       return lies_in(root.path, scratch.host_path) && lies_in(path, root.path);
                   });
        });
        const FileRegion* const region = places_.region_of(traced.parent);
        const bool hidden = region == nullptr || region->access == FileAccess::kHidden;
        return covered || hidden ? show(spec_.program_path, FileAccess::kReadable) : Result<void>();
    }

    Result<void> add_scratch(const ScratchName& name) {
        DIVISI_TRY_ASSIGN(Traced traced, trace(name.path, false));
        if (!traced.fd.valid() || !S_ISDIR(traced.status.st_mode)) return {};
        FilePlace& host = places_.places_[Identity::of(traced.status)];
        if (host.region != nullptr || host.replacement) return {};
        DIVISI_TRY(trace(name.path, true));
        Fd own(::openat(spec_.scratch->get(), name.name, kFolderFlags));
        if (!own.valid()) return system_error(errno, "cannot open the job's folder for", name.path);
        DIVISI_TRY_ASSIGN(const struct stat status, look_at(own, name.path));
        Scratch scratch{name.path,
                        host_name_of(traced.fd),
                        share(std::move(own)),
                        std::move(traced.parent),
                        nullptr,
                        add_region(status, FileAccess::kWritable)};
        scratch.place = &places_.places_[Identity::of(status)];
        host.replacement = scratch.fd;
        places_.held_.push_back(scratch.fd);
        places_.held_.push_back(share(std::move(traced.fd)));
        scratch_.push_back(std::move(scratch));
        return {};
    }

    // Only when all regions are known.
    void finish_scratch() {
        for (Scratch& scratch : scratch_) {
            const std::string above = folder_of(scratch.made_at);
            if (is_made_up(above)) {
                scratch.place->above = ViewFolder{nullptr, above, nullptr};
            } else {
                const FileRegion* const region = places_.region_of(scratch.parent);
                scratch.place->above = ViewFolder{share(std::move(scratch.parent)), above, region};
            }
        }
    }

    // The outermost first: what lies in a root that has been brought in came with it.
    Result<void> bring_in_all() {
        std::sort(roots_.begin(), roots_.end(),
                  [](const Root& a, const Root& b) { return a.path.size() < b.path.size(); });
        std::vector<std::string> brought;
        for (Root& root : roots_) {
            const auto inside = [&root](const std::string& folder) { return root.path.starts_with(folder + "/"); };
            const auto scratch = std::find_if(scratch_.begin(), scratch_.end(),
                                              [&](const Scratch& item) { return inside(item.host_path); });
            if (scratch == scratch_.end() || std::any_of(brought.begin(), brought.end(), inside)) continue;
            DIVISI_TRY(bring_in(*scratch, root));
            brought.push_back(root.path);
        }
        return {};
    }

    // Makes the way to a root in a job's scratch folder, and has the root stand at its end.
    Result<void> bring_in(Scratch& scratch, Root& root) {
        std::vector<std::string> names = split(root.path.substr(scratch.host_path.size()));
        const std::string last = std::move(names.back());
        names.pop_back();
        std::shared_ptr<const Fd> here = scratch.fd;
        for (const std::string& name : names) {
            DIVISI_TRY_ASSIGN(here, make_place(here, name, true));
        }
        ViewFolder above{here, folder_of(root.path), scratch.region};
        DIVISI_TRY_ASSIGN(here, make_place(here, last, root.folder));
        DIVISI_TRY_ASSIGN(const struct stat made, look_at(*here, root.path));
        DIVISI_TRY_ASSIGN(const struct stat status, look_at(*root.fd, root.path));
        places_.places_[Identity::of(made)].replacement = root.fd;
        places_.places_[Identity::of(status)].above = std::move(above);
        scratch.region->has_inner = true;
        root.parent.reset();
        return {};
    }

    Result<std::shared_ptr<const Fd>> make_place(const std::shared_ptr<const Fd>& folder, const std::string& name,
                                                 bool is_folder) {
        constexpr mode_t kFolderMode = 0755;
        const int made = is_folder ? ::mkdirat(folder->get(), name.c_str(), kFolderMode)
                                   : ::mknodat(folder->get(), name.c_str(), S_IFREG | 0600, 0);
        if (made != 0 && errno != EEXIST) return system_error(errno, "cannot make a place in the job's folder", name);
        Fd fd(::openat(folder->get(), name.c_str(), kFileFlags));
        if (!fd.valid()) return system_error(errno, "cannot open a place in the job's folder", name);
        DIVISI_TRY_ASSIGN(const struct stat status, look_at(fd, name));
        places_.places_[Identity::of(status)].on_the_way = true;
        places_.held_.push_back(share(std::move(fd)));
        return places_.held_.back();
    }

    // All that a root lies in, from the folder that has it.
    void mark_outer(const Fd& folder) {
        Fd above;
        for (int here = folder.get(); here >= 0; here = above.get()) {
            struct stat status {};
            if (::fstat(here, &status) != 0) return;
            FilePlace& place = places_.places_[Identity::of(status)];
            place.has_below = true;
            if (place.region != nullptr) region_at(status).has_inner = true;
            if (places_.is_root(status)) return;
            above = Fd(::openat(here, "..", kFolderFlags));
        }
    }

    Result<void> settle_working_folder() {
        ViewFolder& working = places_.working_;
        if (!works_in_host_) return {};
        working.region = places_.region_of(*spec_.working_folder);
        if (working.region == nullptr || working.region->access == FileAccess::kHidden)
            return make_error(Errc::kUsage, "the topology's policy hides the working folder", working.path,
                              "run from a folder that its files section shows");
        working.fd = spec_.working_folder;
        return {};
    }

    // `mark`: what is met is on the way to a root that can be seen.
    Result<Traced> trace(const std::string& path, bool mark) {
        Traced traced;
        std::vector<std::string> left = split(path);
        std::reverse(left.begin(), left.end());
        DIVISI_TRY_ASSIGN(Fd here, places_.root_->duplicate());
        for (int links = 0; !left.empty();) {
            const std::string name = std::move(left.back());
            left.pop_back();
            Fd fd(::openat(here.get(), name.c_str(), kFileFlags));
            if (!fd.valid()) {
                if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
                    return system_error(errno, "cannot look it up", path);
                traced.parent = std::move(here);
                traced.name = name;
                return traced;
            }
            DIVISI_TRY_ASSIGN(traced.status, look_at(fd, path));
            if (mark && name != "..") DIVISI_TRY(mark_way(here, name, traced.status));
            if (S_ISLNK(traced.status.st_mode)) {
                if (++links > kMaxLinks) return system_error(ELOOP, "cannot look it up", path);
                DIVISI_TRY(follow(fd, here, left));
            } else if (left.empty() && name != "..") {
                traced.fd = std::move(fd);
                traced.parent = std::move(here);
                traced.name = name;
                return traced;
            } else {
                here = std::move(fd);
            }
        }
        // The root, or a folder that a link leads to by "..": the host knows where it lies.
        traced.parent = Fd(::openat(here.get(), "..", kFolderFlags));
        DIVISI_TRY_ASSIGN(traced.status, look_at(here, path));
        traced.fd = std::move(here);
        return traced;
    }

    Result<void> mark_way(const Fd& folder, const std::string& name, const struct stat& status) {
        DIVISI_TRY_ASSIGN(const struct stat parent, look_at(folder, name));
        places_.places_[Identity::of(parent)].ways.insert(name);
        places_.places_[Identity::of(status)].on_the_way = true;
        return {};
    }

    // Puts what a link says before what is left of the path.
    Result<void> follow(const Fd& link, Fd& here, std::vector<std::string>& left) {
        std::array<char, PATH_MAX> target{};
        const ssize_t length = ::readlinkat(link.get(), "", target.data(), target.size());
        if (length <= 0) return system_error(errno, "cannot follow a link");
        const std::string_view text(target.data(), static_cast<std::size_t>(length));
        if (text.front() == '/') {
            DIVISI_TRY_ASSIGN(here, places_.root_->duplicate());
        }
        const std::vector<std::string> parts = split(text);
        left.insert(left.end(), parts.rbegin(), parts.rend());
        return {};
    }

    FilePlacesSpec spec_;
    FilePlaces places_;
    bool works_in_host_ = false;
    std::vector<Root> roots_;
    std::vector<Fd> hiding_;  // folders with something hidden
    std::vector<Scratch> scratch_;
};

Result<FilePlaces> FilePlaces::create(FilePlacesSpec spec) {
    return Builder(std::move(spec)).build();
}

}  // namespace divisi::hv
