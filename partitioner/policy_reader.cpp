#include "partitioner/policy_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "base/nearest.hpp"
#include "base/printable.hpp"
#include "base/quantity.hpp"

namespace divisi::partitioner {
namespace {

constexpr std::uint64_t kPage = 4096;

// What the user wrote, made fit to stand in a one-line message.
std::string quote(std::string_view text) {
    constexpr std::size_t kShown = 40;
    std::size_t end = 0;
    while (end < std::min(text.size(), kShown)) end += std::max<std::size_t>(utf8_length(text.substr(end)), 1);
    const std::string shown = printable(text.substr(0, end)) + (end < text.size() ? "…" : "");
    return "'" + shown + "'";
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [rest, status] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (status != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
    return number;
}

bool looks_like_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("+-0123456789.eE_x") == std::string_view::npos &&
           text.find_first_of("0123456789") != std::string_view::npos;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
    const std::string_view close = nearest(word, known);
    if (!close.empty()) return fmt::format("did you mean '{}'?", close);
    return fmt::format("one of: {}", fmt::join(known, ", "));
}

// One element of an index list: "3", "0-3", "^1", "^4-5".
struct IndexRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    bool exclude = false;
};

std::optional<IndexRange> parse_range(std::string_view text) {
    IndexRange range;
    if (text.starts_with('^')) {
        range.exclude = true;
        text.remove_prefix(1);
    }
    const std::size_t dash = text.find('-');
    const auto first = whole_number(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : whole_number(text.substr(dash + 1));
    if (!first || !last || *first > *last || *last > UINT32_MAX) return std::nullopt;
    range.first = static_cast<std::uint32_t>(*first);
    range.last = static_cast<std::uint32_t>(*last);
    return range;
}

std::string_view trim(std::string_view text) {
    const std::size_t start = text.find_first_not_of(' ');
    if (start == std::string_view::npos) return {};
    return text.substr(start, text.find_last_not_of(' ') - start + 1);
}

std::vector<std::string_view> split_commas(std::string_view text) {
    std::vector<std::string_view> parts;
    for (;;) {
        const std::size_t comma = text.find(',');
        parts.push_back(trim(text.substr(0, comma)));
        if (comma == std::string_view::npos) return parts;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace

std::string describe(const YamlValue& value) {
    switch (value.kind) {
        case YamlValue::Kind::kNull: return "nothing";
        case YamlValue::Kind::kSequence: return "a list";
        case YamlValue::Kind::kMap: return "a map of keys";
        case YamlValue::Kind::kScalar: return quote(value.text);
    }
    return "?";
}

void PolicyReader::problem(const Place& place, std::string what, std::string way_out) {
    problems_.push_back({place, std::move(what), std::move(way_out)});
}

void PolicyReader::map(const YamlValue& value, std::string_view what, std::initializer_list<Key> keys) {
    std::vector<std::string_view> names;
    for (const Key& key : keys) names.push_back(key.name);
    if (value.kind != YamlValue::Kind::kMap) {
        problem(value.place, fmt::format("{} must be a map of keys, not {}", what, describe(value)),
                fmt::format("its keys: {}", fmt::join(names, ", ")));
        return;
    }
    for (const YamlEntry& entry : value.entries) {
        const std::string& name = entry.key.text;
        const Key* const known =
            std::find_if(keys.begin(), keys.end(), [&](const Key& key) { return key.name == name; });
        if (known != keys.end())
            known->read(entry.value);
        else
            problem(entry.key.place, fmt::format("unknown key {} in {}", quote(name), what), did_you_mean(name, names));
    }
}

std::span<const YamlValue> PolicyReader::sequence(const YamlValue& value, std::string_view what,
                                                  std::string_view example) {
    if (value.kind == YamlValue::Kind::kSequence) return value.items;
    problem(value.place, fmt::format("{} must be a list, not {}", what, describe(value)),
            fmt::format("for example {}", example));
    return {};
}

std::optional<std::uint32_t> PolicyReader::integer(const YamlValue& value, std::string_view what, std::uint32_t least,
                                                   std::uint32_t most) {
    const bool plain = value.kind == YamlValue::Kind::kScalar && !value.quoted;
    const std::optional<std::uint64_t> number = plain ? whole_number(value.text) : std::nullopt;
    if (number && *number >= least && *number <= most) return static_cast<std::uint32_t>(*number);
    const std::string range = fmt::format("{} to {}", least, most);
    if (number || (plain && looks_like_number(value.text)))
        problem(value.place, fmt::format("{} is {}: out of range", what, quote(value.text)),
                "a whole number, " + range);
    else
        problem(value.place,
                fmt::format("{} must be a whole number, not {}", what,
                            value.quoted ? describe(value) + " in quotes" : describe(value)),
                range);
    return std::nullopt;
}

std::optional<bool> PolicyReader::boolean(const YamlValue& value, std::string_view what) {
    if (value.kind == YamlValue::Kind::kScalar && !value.quoted) {
        if (value.text == "true") return true;
        if (value.text == "false") return false;
    }
    problem(value.place, fmt::format("{} must be true or false, not {}", what, describe(value)));
    return std::nullopt;
}

std::optional<std::string> PolicyReader::text(const YamlValue& value, std::string_view what, std::string_view example) {
    if (value.kind == YamlValue::Kind::kScalar) return value.text;
    problem(value.place, fmt::format("{} is {}", what, describe(value)), fmt::format("write for example {}", example));
    return std::nullopt;
}

std::optional<std::uint64_t> PolicyReader::size(const YamlValue& value, std::string_view what, std::uint64_t least,
                                                std::uint64_t most) {
    const auto bytes = quantity<std::uint64_t>(value, what, parse_size, "64MiB");
    if (!bytes) return std::nullopt;
    if (*bytes < least || *bytes > most) {
        problem(value.place, fmt::format("{} is {}: out of range", what, quote(value.text)),
                fmt::format("{} to {}", format_size(least), format_size(most)));
        return std::nullopt;
    }
    if (*bytes % kPage != 0) {
        problem(value.place, fmt::format("{} is {}: not a whole number of 4KiB pages", what, quote(value.text)),
                fmt::format("{} is", format_size(*bytes - *bytes % kPage)));
        return std::nullopt;
    }
    return bytes;
}

std::optional<std::vector<std::uint32_t>> PolicyReader::index_list(const YamlValue& value, std::string_view what,
                                                                   std::uint32_t most) {
    const auto written = text(value, what, "\"0-3,^1\"");
    if (!written) return std::nullopt;
    std::vector<bool> chosen(most + 1U);
    // A list that begins with an exclusion would exclude from nothing.
    for (const std::string_view part : split_commas(*written)) {
        const auto range = parse_range(part);
        if (!range || range->last > most) {
            problem(value.place, fmt::format("{}: {} in {} is no number or range", what, quote(part), quote(*written)),
                    fmt::format("a list like \"0-3,^1\": numbers 0 to {}, ranges, and ^ for all but", most));
            return std::nullopt;
        }
        for (std::uint32_t i = range->first; i <= range->last; ++i) chosen[i] = !range->exclude;
    }
    std::vector<std::uint32_t> indexes;
    for (std::uint32_t i = 0; i <= most; ++i)
        if (chosen[i]) indexes.push_back(i);
    if (!indexes.empty()) return indexes;
    problem(value.place, fmt::format("{}: {} leaves nothing", what, quote(*written)),
            "name what to include before what to exclude: \"0-3,^1\"");
    return std::nullopt;
}

std::optional<std::size_t> PolicyReader::word(const YamlValue& value, std::string_view what,
                                              std::span<const std::string_view> words) {
    if (value.kind == YamlValue::Kind::kScalar) {
        const auto found = std::find(words.begin(), words.end(), value.text);
        if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
        problem(value.place, fmt::format("no such {}: {}", what, quote(value.text)), did_you_mean(value.text, words));
    } else {
        problem(value.place, fmt::format("{} must be a word, not {}", what, describe(value)),
                fmt::format("one of: {}", fmt::join(words, ", ")));
    }
    return std::nullopt;
}

void PolicyReader::refuse_quantity(const Place& place, std::string_view what, const Error& error) {
    problem(place, fmt::format("{}: {}: {}", what, error.object, error.operation), error.hint);
}

}  // namespace divisi::partitioner
