// YAML text as a small tree of places and texts: the part of YAML that a policy needs, and nothing that can bite.
// Private to this folder, and the only user of yaml-cpp.
//
// Refused, each with its place: aliases, anchors, tags, several documents, repeated keys, keys that are not plain text,
// nesting beyond kMaxDepth, more than kMaxValues values, more than kMaxBytes bytes, and bytes that are not UTF-8.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "partitioner/policy.hpp"

namespace divisi::partitioner {

struct YamlEntry;

struct YamlValue {
    enum class Kind : std::uint8_t { kNull, kScalar, kSequence, kMap };

    Kind kind = Kind::kNull;
    Place place;
    bool quoted = false;  // a scalar in quotes is text even where it looks like a number
    std::string text;     // of a scalar
    std::vector<YamlValue> items;
    std::vector<YamlEntry> entries;
};

struct YamlEntry {
    YamlValue key;
    YamlValue value;
};

// `root` is meaningful where `problems` is empty, and a best effort otherwise (repeated keys keep the first value).
struct YamlTree {
    static constexpr std::size_t kMaxBytes = 1U << 20U;
    static constexpr std::size_t kMaxValues = 100000;
    static constexpr std::size_t kMaxDepth = 16;

    YamlValue root;
    std::vector<Problem> problems;
    bool broken = false;  // the text is not YAML we take: `root` means nothing
};

YamlTree parse_yaml(std::string_view text);

}  // namespace divisi::partitioner
