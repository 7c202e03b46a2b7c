#include "ctl/output.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/fd.hpp"
#include "base/printable.hpp"

namespace divisi::ctl {
namespace {

// Characters, not bytes: names and notes may hold UTF-8.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool is_plain(const json::value& value) {
    return !value.is_object() && !value.is_array();
}

bool fits_one_line(const json::value& value) {
    if (const auto* object = value.if_object())
        return std::all_of(object->begin(), object->end(), [](const auto& pair) { return is_plain(pair.value()); });
    if (const auto* array = value.if_array()) return std::all_of(array->begin(), array->end(), is_plain);
    return true;
}

void append(std::string& out, const json::value& value, std::size_t indent, bool one_line);

// `one_line` separates by ", "; otherwise each item stands on a line of its own.
void append_break(std::string& out, std::size_t indent, bool one_line, bool first) {
    if (!first) out += ',';
    if (one_line) {
        if (!first) out += ' ';
        return;
    }
    out += '\n';
    out.append(indent, ' ');
}

void append_object(std::string& out, const json::object& object, std::size_t indent, bool one_line) {
    out += '{';
    bool first = true;
    for (const auto& pair : object) {
        append_break(out, indent + 2, one_line, first);
        out += json::serialize(json::value(pair.key()));
        out += ": ";
        append(out, pair.value(), indent + 2, one_line);
        first = false;
    }
    if (!one_line) append_break(out, indent, false, true);
    out += '}';
}

void append_array(std::string& out, const json::array& array, std::size_t indent, bool one_line) {
    out += '[';
    bool first = true;
    for (const json::value& item : array) {
        append_break(out, indent + 2, one_line, first);
        append(out, item, indent + 2, one_line);
        first = false;
    }
    if (!one_line) append_break(out, indent, false, true);
    out += ']';
}

void append(std::string& out, const json::value& value, std::size_t indent, bool one_line) {
    one_line = one_line || (indent > 0 && fits_one_line(value));
    if (const auto* object = value.if_object())
        append_object(out, *object, indent, one_line || object->empty());
    else if (const auto* array = value.if_array())
        append_array(out, *array, indent, one_line || array->empty());
    else
        out += json::serialize(value);
}

}  // namespace

void add_output_option(CLI::App& verb, Format& format) {
    verb.add_option_function<std::string>(
            "-o,--output",
            [&format](const std::string& word) { format = word == "json" ? Format::kJson : Format::kTable; },
            "table (for people) or json (for programs)")
        ->check([](const std::string& word) {
            return word == "json" || word == "table" ? "" : "no such format: '" + word + "': use table or json";
        })
        ->option_text("table|json");
}

std::string Table::text() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (const auto& row : rows_)
        for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i)
            widths[i] = std::max(widths[i], width(row[i]));
    std::string out;
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < std::min(row.size(), widths.size()); ++i) {
            line += row[i];
            line.append(widths[i] - width(row[i]) + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + '\n';
    }
    return out;
}

std::string pretty(const json::value& value) {
    std::string out;
    append(out, value, 0, false);
    return as_utf8(out);
}

Result<void> print(std::string_view text) {
    return write_all(STDOUT_FILENO, text, "standard output");
}

Result<void> print_json(const json::value& value) {
    return print(pretty(value) + '\n');
}

}  // namespace divisi::ctl
