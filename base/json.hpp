// JSON with errors as values: parsing, and reading typed fields of an object that someone else wrote.
//
// Errors: kProtocol, naming the field and what was expected.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace divisi {

namespace json = boost::json;

// Parses a whole document whose root is an object. Nesting is limited to 32. Strings may hold any bytes, as a program's
// arguments, variables and paths may: who hands them on to others makes text of them (as_utf8 in base/printable.hpp).
Result<json::object> parse_object(std::string_view text);

// Required fields.
Result<std::string> string_field(const json::object& object, std::string_view name);
Result<std::uint64_t> uint_field(const json::object& object, std::string_view name);
Result<const json::array*> array_field(const json::object& object, std::string_view name);
Result<const json::object*> object_field(const json::object& object, std::string_view name);

// Optional fields: `fallback` where the field is absent or null; still an error where it has another type.
Result<std::string> string_field_or(const json::object& object, std::string_view name, std::string fallback);
Result<std::uint64_t> uint_field_or(const json::object& object, std::string_view name, std::uint64_t fallback);
Result<bool> bool_field_or(const json::object& object, std::string_view name, bool fallback);

// How errors travel between processes: {"message", "exit", "kind"}.
json::object to_json(const Error& error);
Error error_from_json(const json::object& object);

}  // namespace divisi
