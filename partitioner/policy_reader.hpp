// Typed reading of a YAML tree, every disagreement collected with its place. Private to this folder.
#pragma once

#include <array>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "partitioner/yaml_tree.hpp"

namespace divisi::partitioner {

class PolicyReader {
public:
    struct Key {
        std::string_view name;
        std::function<void(const YamlValue&)> read;
    };

    explicit PolicyReader(std::vector<Problem>& problems) : problems_(problems) {}

    void problem(const Place& place, std::string what, std::string way_out = {});

    // A map of known keys; `what` names it in messages ("machine"). Null counts as an empty map.
    void map(const YamlValue& value, std::string_view what, std::initializer_list<Key> keys);
    // The items of a sequence; empty, with a problem, where it is none.
    std::span<const YamlValue> sequence(const YamlValue& value, std::string_view what, std::string_view example);

    std::optional<std::uint32_t> integer(const YamlValue& value, std::string_view what, std::uint32_t least,
                                         std::uint32_t most);
    std::optional<bool> boolean(const YamlValue& value, std::string_view what);
    std::optional<std::string> text(const YamlValue& value, std::string_view what, std::string_view example);
    // A whole number of pages within [least, most].
    std::optional<std::uint64_t> size(const YamlValue& value, std::string_view what, std::uint64_t least,
                                      std::uint64_t most);
    // A list like "0-3,^1" of numbers up to `most`: sorted, each once.
    std::optional<std::vector<std::uint32_t>> index_list(const YamlValue& value, std::string_view what,
                                                         std::uint32_t most);

    // One of a set of words, each with its value.
    template <typename T, std::size_t N>
    std::optional<T> choice(const YamlValue& value, std::string_view what,
                            const std::array<std::pair<T, std::string_view>, N>& choices) {
        std::array<std::string_view, N> words;
        for (std::size_t i = 0; i < N; ++i) words[i] = choices[i].second;
        const std::optional<std::size_t> at = word(value, what, words);
        if (!at) return std::nullopt;
        return choices[*at].first;
    }

    // A scalar's quantity by one of the parsers of base/quantity.hpp, its complaint given a place.
    template <typename T>
    std::optional<T> quantity(const YamlValue& value, std::string_view what, Result<T> (*parse)(std::string_view),
                              std::string_view example) {
        const auto written = text(value, what, example);
        if (!written) return std::nullopt;
        Result<T> result = parse(*written);
        if (result) return std::move(*result);
        refuse_quantity(value.place, what, result.error());
        return std::nullopt;
    }

private:
    std::optional<std::size_t> word(const YamlValue& value, std::string_view what,
                                    std::span<const std::string_view> words);
    void refuse_quantity(const Place& place, std::string_view what, const Error& error);

    std::vector<Problem>& problems_;
};

// What a value is, for messages: "a list", "'text'" (shortened), "nothing".
std::string describe(const YamlValue& value);

}  // namespace divisi::partitioner
