// Mutated and random policies: whatever the text, parsing ends with a policy or with an error that has a place.
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "tests/unit/partitioner/testing.hpp"

namespace divisi::partitioner {
namespace {

// One thread: the thread sanitizer has nothing to find here, and makes it many times slower.
#ifdef __SANITIZE_THREAD__
constexpr int kRounds = 200;
#else
constexpr int kRounds = 4000;
#endif

constexpr std::string_view kSeed = R"(# a policy that uses every key
apiVersion: divisi/v1
name: quad32
machine: {cores: "0-3,^1", smt: avoid, fold: true}
nodes:
  count: 4
  memory: 64MiB
mode: message-passing
shared: {memory: 1GiB}
interconnect:
  shape: list
  links: [[0, 1], [1, 2], [2, 3]]
  link: {latency: 2us, bandwidth: 10Gbit/s}
placement:
  explicit:
    - {nodes: "0-1", core: 0}
    - {nodes: 2-3, pu: 2}
backend: auto
)";

constexpr std::array<std::string_view, 34> kPieces{
    "{",       "}",     "[",    "]",    ":",    ": ",       "- ",    "\n",   "  ", "\t",   "\"",
    "'",       "#",     "&a ",  "*a",   "!!x ", "---\n",    "...",   "? ",   "| ", "> ",   "%YAML 9",
    "-1",      "1e999", "0x7f", "\xff", "\0 ",  "\xc3\xa4", "64MiB", "null", "~",  "true", "99999999999999999999",
    "count: 1"};

class Mutator {
public:
    explicit Mutator(unsigned seed) : random_(seed) {}

    std::string mutate(std::string text) {
        for (std::size_t i = 0, times = 1 + below(4); i < times; ++i) change(text);
        return text;
    }

    std::string garbage() {
        std::string text;
        for (std::size_t i = 0, length = below(200); i < length; ++i)
            text += below(3) == 0 ? std::string(1, static_cast<char>(below(256)))
                                  : std::string(kPieces.at(below(kPieces.size())));
        return text;
    }

private:
    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

    void change(std::string& text) {
        if (text.empty()) return;
        const std::size_t at = below(text.size());
        switch (below(5)) {
            case 0: text.erase(at, 1 + below(8)); break;
            case 1: text.insert(at, kPieces.at(below(kPieces.size()))); break;
            case 2: text[at] = static_cast<char>(below(256)); break;
            case 3: text.insert(at, text.substr(below(text.size()), below(40))); break;
            default: text.resize(at); break;
        }
    }

    std::mt19937 random_;
};

void parse_and_plan(const std::string& text, const Machine& machine) {
    const auto result = parse_policy(text, "fuzz.yaml");
    if (!result) {
        ASSERT_TRUE(result.error().is(Errc::kInvalidPolicy));
        ASSERT_EQ(result.error().message().rfind("fuzz.yaml", 0), 0U) << result.error().message();
        return;
    }
    const auto plan = make_plan(*result, machine);
    if (plan) {
        ASSERT_FALSE(plan->nodes.empty());
    }
}

TEST(PolicyFuzz, MutatedPoliciesEndInAPolicyOrAnError) {
    Mutator mutator(20240917);
    const Machine four = machine("synthetic:core:4 pu:2");
    const std::string seed(kSeed);
    ASSERT_TRUE(parse_policy(seed, "seed.yaml"));
    for (int i = 0; i < kRounds; ++i) {
        const std::string text = mutator.mutate(seed);
        SCOPED_TRACE(text);
        parse_and_plan(text, four);
    }
}

TEST(PolicyFuzz, GarbageEndsInAnError) {
    Mutator mutator(7);
    const Machine four = machine("synthetic:core:4 pu:2");
    for (int i = 0; i < kRounds; ++i) {
        const std::string text = mutator.garbage();
        SCOPED_TRACE(text);
        parse_and_plan(text, four);
    }
}

}  // namespace
}  // namespace divisi::partitioner
