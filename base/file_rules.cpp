#include "base/file_rules.hpp"

#include <climits>

namespace divisi {
namespace {

// The next component of a path, without slashes.
std::string_view take_component(std::string_view& path) {
    while (path.starts_with('/')) path.remove_prefix(1);
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(component.size());
    return component;
}

json::array to_array(const std::vector<std::string>& paths) {
    return json::array(paths.begin(), paths.end());
}

Result<std::vector<std::string>> paths_field(const json::object& object, std::string_view name) {
    DIVISI_TRY_ASSIGN(const json::array* array, array_field(object, name));
    std::vector<std::string> paths;
    for (const json::value& value : *array) {
        const json::string* text = value.if_string();
        const auto fault =
            text == nullptr ? FileRuleFault{"no text", {}} : check_file_rule({text->data(), text->size()});
        if (fault) return make_error(Errc::kProtocol, "a path in '" + std::string(name) + "' is " + fault->problem);
        paths.push_back(plain_path({text->data(), text->size()}));
    }
    if (paths.size() > kMaxFileRules)
        return make_error(Errc::kProtocol, "'" + std::string(name) + "' names too many paths");
    return paths;
}

}  // namespace

std::optional<FileRuleFault> check_file_rule(std::string_view path) {
    constexpr std::string_view kForm = "write a whole path such as /data, or one below the working folder such as out";
    if (path.empty()) return FileRuleFault{"empty", std::string(kForm)};
    if (path.front() == '~')
        return FileRuleFault{"not spelled out: nothing stands for a home here", std::string(kForm)};
    if (path.size() >= PATH_MAX) return FileRuleFault{"longer than a path can be", {}};
    if (path.find('\0') != std::string_view::npos) return FileRuleFault{"with a zero byte in it", {}};
    const std::string plain = plain_path(path);
    for (const std::string_view made_up : {"/proc", "/sys", "/dev"})
        if ((plain == made_up || plain.starts_with(std::string(made_up) + "/")) && plain != "/dev/shm")
            return FileRuleFault{"one that each node makes up for itself", "leave it out"};
    while (!path.empty()) {
        const std::string_view component = take_component(path);
        if (component == "..") return FileRuleFault{"one that leads up again", std::string(kForm)};
        if (component.size() > NAME_MAX) return FileRuleFault{"with a name longer than a name can be", {}};
    }
    return std::nullopt;
}

std::string plain_path(std::string_view path) {
    const bool absolute = path.starts_with('/');
    std::string plain;
    while (!path.empty()) {
        const std::string_view component = take_component(path);
        if (component.empty() || component == ".") continue;
        if (absolute || !plain.empty()) plain += '/';
        plain += component;
    }
    if (plain.empty()) return absolute ? "/" : ".";
    return plain;
}

json::object to_json(const FileRules& rules) {
    return {{"hidden", to_array(rules.hidden)},
            {"readable", to_array(rules.readable)},
            {"writable", to_array(rules.writable)}};
}

Result<FileRules> file_rules_from_json(const json::object& object) {
    FileRules rules;
    DIVISI_TRY_ASSIGN(rules.hidden, paths_field(object, "hidden"));
    DIVISI_TRY_ASSIGN(rules.readable, paths_field(object, "readable"));
    DIVISI_TRY_ASSIGN(rules.writable, paths_field(object, "writable"));
    return rules;
}

}  // namespace divisi
