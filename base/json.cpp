#include "base/json.hpp"

#include <utility>

namespace divisi {
namespace {

Error field_error(std::string_view name, std::string_view expected) {
    return make_error(Errc::kProtocol, "field '" + std::string(name) + "' must be " + std::string(expected));
}

const json::value* find(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
    return value != nullptr && value->is_null() ? nullptr : value;
}

std::string to_std(const json::string& text) {
    return {text.data(), text.size()};
}

}  // namespace

Result<json::object> parse_object(std::string_view text) {
    json::error_code error;
    json::parse_options options;
    options.max_depth = 32;
    options.allow_invalid_utf8 = true;
    json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
    if (error) return make_error(Errc::kProtocol, "not JSON: " + error.message());
    if (!value.is_object()) return make_error(Errc::kProtocol, "not a JSON object");
    return std::move(value.get_object());
}

Result<std::string> string_field(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (value == nullptr || !value->is_string()) return field_error(name, "a string");
    return to_std(value->get_string());
}

Result<std::uint64_t> uint_field(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (value == nullptr) return field_error(name, "a whole number");
    json::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    if (error) return field_error(name, "a whole number");
    return number;
}

Result<const json::array*> array_field(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (value == nullptr || !value->is_array()) return field_error(name, "an array");
    return &value->get_array();
}

Result<const json::object*> object_field(const json::object& object, std::string_view name) {
    const json::value* value = find(object, name);
    if (value == nullptr || !value->is_object()) return field_error(name, "an object");
    return &value->get_object();
}

Result<std::string> string_field_or(const json::object& object, std::string_view name, std::string fallback) {
    if (find(object, name) == nullptr) return fallback;
    return string_field(object, name);
}

Result<std::uint64_t> uint_field_or(const json::object& object, std::string_view name, std::uint64_t fallback) {
    if (find(object, name) == nullptr) return fallback;
    return uint_field(object, name);
}

Result<bool> bool_field_or(const json::object& object, std::string_view name, bool fallback) {
    const json::value* value = find(object, name);
    if (value == nullptr) return fallback;
    if (!value->is_bool()) return field_error(name, "true or false");
    return value->get_bool();
}

json::object to_json(const Error& error) {
    json::object object;
    object["message"] = error.message();
    object["exit"] = error.exit_code();
    if (error.cause.category() == divisi_category()) object["kind"] = error.cause.value();
    return object;
}

Error error_from_json(const json::object& object) {
    const auto message = string_field_or(object, "message", "unspecified error");
    const auto kind = uint_field_or(object, "kind", 0);
    const auto exit = uint_field_or(object, "exit", 1);
    auto value = static_cast<int>(Errc::kFailed);
    if (kind && *kind >= 1 && *kind <= static_cast<std::uint64_t>(Errc::kBadImage)) {
        value = static_cast<int>(*kind);
    } else if (exit && *exit >= 1 && *exit <= 5) {
        value = static_cast<int>(*exit);
    }
    return make_error(static_cast<Errc>(value), message ? *message : "unspecified error");
}

}  // namespace divisi
