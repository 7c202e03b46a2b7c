#include "partitioner/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "base/printable.hpp"

namespace divisi::partitioner {
namespace {

Place place_of(const YAML::Mark& mark) {
    if (mark.is_null()) return {};
    return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// Builds the tree from yaml-cpp's events. Its own tree would follow aliases, and forget about repeated keys.
class TreeBuilder final : public YAML::EventHandler {
public:
    explicit TreeBuilder(YamlTree& tree) : tree_(tree) {}

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        add(value(YamlValue::Kind::kNull, mark));
    }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        problem(mark, "an alias (*name) in a policy", "write the value out");
        add(value(YamlValue::Kind::kNull, mark));
    }
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& text) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        YamlValue scalar = value(YamlValue::Kind::kScalar, mark);
        scalar.text = text;
        scalar.quoted = tag == "!";  // yaml-cpp's mark of quotes; plain text has "?"
        add(std::move(scalar));
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlValue::Kind::kSequence);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlValue::Kind::kMap);
    }
    void OnMapEnd() override { close(); }

private:
    struct Level {
        YamlValue value;
        std::optional<YamlValue> key;  // of a map: read, and its value is awaited
    };

    static YamlValue value(YamlValue::Kind kind, const YAML::Mark& mark) {
        YamlValue result;
        result.kind = kind;
        result.place = place_of(mark);
        return result;
    }

    void problem(const YAML::Mark& mark, std::string what, std::string way_out) {
        problem_at(place_of(mark), std::move(what), std::move(way_out));
    }
    void problem_at(const Place& place, std::string what, std::string way_out) {
        tree_.problems.push_back({place, std::move(what), std::move(way_out)});
    }
    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != YAML::NullAnchor)
            problem(mark, "an anchor (&name) in a policy", "write values out where they are used");
    }
    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") problem(mark, "a tag (!name) in a policy", "remove it");
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlValue::Kind kind) {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (levels_.size() == YamlTree::kMaxDepth && !tree_.broken) {
            problem(mark, "nested more than " + std::to_string(YamlTree::kMaxDepth) + " deep", {});
            tree_.broken = true;
        }
        if (tree_.broken) {
            ++skipped_;
            return;
        }
        levels_.push_back({value(kind, mark), std::nullopt});
    }

    void close() {
        if (skipped_ > 0) {
            --skipped_;
            return;
        }
        if (levels_.empty()) return;
        YamlValue done = std::move(levels_.back().value);
        levels_.pop_back();
        add(std::move(done));
    }

    void add(YamlValue item) {
        if (!tree_.broken && ++count_ > YamlTree::kMaxValues) {
            problem_at(item.place, "more than " + std::to_string(YamlTree::kMaxValues) + " values", {});
            tree_.broken = true;
        }
        if (tree_.broken) return;
        if (levels_.empty()) {
            tree_.root = std::move(item);
            return;
        }
        Level& level = levels_.back();
        if (level.value.kind == YamlValue::Kind::kSequence)
            level.value.items.push_back(std::move(item));
        else if (!level.key)
            level.key = std::move(item);
        else
            add_entry(level, std::move(item));
    }

    void add_entry(Level& level, YamlValue item) {
        YamlValue key = std::move(*level.key);
        level.key.reset();
        if (key.kind != YamlValue::Kind::kScalar) {
            problem_at(key.place, "a key must be a word", {});
            return;
        }
        auto& entries = level.value.entries;
        const auto same = std::find_if(entries.begin(), entries.end(),
                                       [&key](const auto& entry) { return entry.key.text == key.text; });
        if (same != entries.end()) {
            problem_at(key.place, "'" + key.text + "' is set twice",
                       "it is set in line " + std::to_string(same->key.place.line) + " already; keep one");
            return;
        }
        // Maps of a policy have a dozen keys: more is an attack on the search above.
        if (entries.size() >= 64) {
            problem_at(key.place, "more than 64 keys in one place", {});
            tree_.broken = true;
            return;
        }
        entries.push_back({std::move(key), std::move(item)});
    }

    YamlTree& tree_;
    std::vector<Level> levels_;
    std::size_t count_ = 0;
    std::size_t skipped_ = 0;
};

std::optional<Problem> check_bytes(std::string_view text) {
    if (text.size() > YamlTree::kMaxBytes)
        return Problem{
            {}, "larger than " + std::to_string(YamlTree::kMaxBytes >> 20U) + "MiB, which no policy needs", {}};
    Place place{1, 1};
    bool in_indent = true;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto first = static_cast<unsigned char>(text.front());
        if (length == 0) return Problem{place, "not UTF-8 text", "save the file as UTF-8"};
        if ((first < 0x20 && first != '\n' && first != '\r' && first != '\t') || first == 0x7F)
            return Problem{place, "a control character", "remove it"};
        // yaml-cpp reports these far from where they stand.
        if (first == '\t' && in_indent) return Problem{place, "a tab in the indentation", "indent with spaces"};
        in_indent = first == '\n' || (in_indent && first == ' ');
        place.column += 1;
        if (first == '\n') place = {place.line + 1, 1};
        text.remove_prefix(length);
    }
    return std::nullopt;
}

void parse_events(std::string_view text, YamlTree& tree) {
    TreeBuilder builder(tree);
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return;
    if (tree.broken) return;
    YamlTree second;
    TreeBuilder ignored(second);
    if (parser.HandleNextDocument(ignored)) {
        tree.problems.push_back({second.root.place, "a second document (---) in one file", "one policy a file"});
        tree.broken = true;
    }
}

}  // namespace

YamlTree parse_yaml(std::string_view text) {
    YamlTree tree;
    if (auto problem = check_bytes(text)) {
        tree.problems.push_back(std::move(*problem));
        tree.broken = true;
        return tree;
    }
    try {
        parse_events(text, tree);
    } catch (const YAML::Exception& error) {  // the boundary: yaml-cpp reports by exceptions
        tree.problems.push_back({place_of(error.mark), "not YAML: " + error.msg, {}});
        tree.broken = true;
    }
    return tree;
}

}  // namespace divisi::partitioner
