#include "partitioner/policy.hpp"

#include <gmock/gmock.h>

#include <string>

#include "base/fd.hpp"
#include "tests/unit/partitioner/testing.hpp"

namespace divisi::partitioner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string errors_of(std::string_view text) {
    const auto result = parse_policy(text, "p.yaml");
    if (result) return "no error";
    EXPECT_TRUE(result.error().is(Errc::kInvalidPolicy));
    EXPECT_EQ(result.error().exit_code(), 3);
    return result.error().message();
}

TEST(Policy, ReadsEveryKey) {
    const auto result = parse_policy(R"(
apiVersion: divisi/v1
name: my-Policy_2
machine:
  cores: "0-5,^1,^3-4,8"
  smt: pair
  fold: true
nodes:
  count: 6
  memory: 128MiB
mode: shared-memory
shared:
  memory: 2 GiB
  threads: compact
memory:
  pages: 2MiB
  prefault: true
interconnect:
  shape: torus
  dimensions: [2, 3]
  link: {latency: 1.5us, bandwidth: 10Gbit/s}
placement: scatter
backend: direct
files:
  hidden: [/home, secret]
  readable: [/usr/, /etc]
  writable: [., /data//out]
)",
                                     "p.yaml");
    ASSERT_TRUE(result) << result.error().message();
    EXPECT_EQ(result->source, "p.yaml");
    EXPECT_EQ(result->name, "my-Policy_2");
    EXPECT_THAT(result->cores.list, ElementsAre(0, 2, 5, 8));
    EXPECT_EQ(result->smt, Smt::kPair);
    EXPECT_TRUE(result->fold);
    EXPECT_EQ(result->node_count, 6U);
    EXPECT_EQ(result->nodes_per_core, std::nullopt);
    EXPECT_EQ(result->node_memory, 128U << 20U);
    EXPECT_EQ(result->mode, Mode::kSharedMemory);
    EXPECT_EQ(result->shared_memory, 2ULL << 30U);
    EXPECT_EQ(result->threads, Threads::kCompact);
    EXPECT_EQ(result->pages, Pages::kHuge);
    EXPECT_TRUE(result->prefault);
    EXPECT_EQ(result->interconnect.shape, Shape::kTorus);
    EXPECT_THAT(result->interconnect.dimensions, ElementsAre(2, 3));
    EXPECT_EQ(result->interconnect.link.latency, std::chrono::nanoseconds(1500));
    EXPECT_EQ(result->interconnect.link.bandwidth, 10'000'000'000U);
    EXPECT_EQ(result->placement, PlacementKind::kScatter);
    EXPECT_EQ(result->backend, Backend::kDirect);
    EXPECT_EQ(result->files, (FileRules{{"/home", "secret"}, {"/usr", "/etc"}, {".", "/data/out"}}));
}

TEST(Policy, HasDefaults) {
    const Policy least = policy("nodes: {per-core: 2}\n");
    EXPECT_EQ(least.cores.named(), 0U);
    EXPECT_EQ(least.smt, Smt::kAvoid);
    EXPECT_FALSE(least.fold);
    EXPECT_EQ(least.node_memory, 64U << 20U);
    EXPECT_EQ(least.mode, Mode::kMessagePassing);
    EXPECT_EQ(least.shared_memory, 1U << 30U);
    EXPECT_EQ(least.threads, Threads::kScatter);
    EXPECT_EQ(least.pages, Pages::kSmall);
    EXPECT_FALSE(least.prefault);
    EXPECT_EQ(least.interconnect.shape, Shape::kFull);
    EXPECT_EQ(least.interconnect.link, LinkModel{});
    EXPECT_EQ(least.placement, PlacementKind::kCompact);
    EXPECT_EQ(least.backend, Backend::kAuto);
    EXPECT_EQ(least.files, (FileRules{{}, {"/"}, {"."}}));
    EXPECT_EQ(policy("nodes: {count: 1}\nfiles: {writable: []}\n").files, (FileRules{{}, {"/"}, {}}));
}

TEST(Policy, ReadsACountOrAListOfCores) {
    EXPECT_EQ(policy("machine: {cores: 4}\nnodes: {count: 1}\n").cores.count, 4U);
    EXPECT_THAT(policy("machine: {cores: 2-2}\nnodes: {count: 1}\n").cores.list, ElementsAre(2));
    EXPECT_THAT(policy("machine: {cores: \"3,1, 1\"}\nnodes: {count: 1}\n").cores.list, ElementsAre(1, 3));
}

TEST(Policy, ReadsListedLinksInEitherOrder) {
    const Policy listed = policy("nodes: {count: 3}\ninterconnect: {shape: list, links: [[1, 0], [1, 2]]}\n");
    EXPECT_THAT(listed.interconnect.links, ElementsAre(Link{{0}, {1}}, Link{{1}, {2}}));
}

TEST(Policy, ReadsExplicitPlaces) {
    const Policy places =
        policy("nodes: {count: 3}\nplacement: {explicit: [{nodes: \"0-1\", core: 3}, {nodes: 2, pu: 5}]}\n");
    EXPECT_EQ(places.placement, PlacementKind::kExplicit);
    ASSERT_EQ(places.pins.size(), 2U);
    EXPECT_THAT(places.pins[0].nodes, ElementsAre(0, 1));
    EXPECT_EQ(places.pins[0].index, 3U);
    EXPECT_FALSE(places.pins[0].is_pu);
    EXPECT_TRUE(places.pins[1].is_pu);
}

struct Bad {
    const char* name;
    const char* rest;     // what is added to apiVersion and name, from line 3 on
    const char* message;  // what the error must contain
};

class BadPolicy : public testing::TestWithParam<Bad> {};

TEST_P(BadPolicy, IsRefusedWithItsPlaceAndTheWayOut) {
    EXPECT_THAT(errors_of(policy_text(GetParam().rest)), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Policy, BadPolicy,
    testing::Values(
        Bad{"UnknownKey", "nodes: {count: 1}\nmachin: {}\n",
            "p.yaml:4:1: unknown key 'machin' in the policy (did you mean 'machine'?)"},
        Bad{"UnknownKeyUnlikeAny", "nodes: {count: 1}\nxyzzy: 1\n",
            "unknown key 'xyzzy' in the policy (one of: apiVersion,"},
        Bad{"UnknownNestedKey", "nodes: {count: 1, memroy: 64MiB}\n",
            "p.yaml:3:19: unknown key 'memroy' in nodes (did you mean 'memory'?)"},
        Bad{"UnknownKeyOfFiles", "nodes: {count: 1}\nfiles: {hiden: [/a]}\n",
            "p.yaml:4:9: unknown key 'hiden' in files (did you mean 'hidden'?)"},
        Bad{"OnePathForFiles", "nodes: {count: 1}\nfiles: {readable: /usr}\n",
            "p.yaml:4:19: readable must be a list, not '/usr' (for example [/usr, /data])"},
        Bad{"PathThatLeadsUp", "nodes: {count: 1}\nfiles: {writable: [., ../x]}\n",
            "p.yaml:4:23: writable path '../x' is one that leads up again (write a whole path such as /data"},
        Bad{"PathOfAHome", "nodes: {count: 1}\nfiles: {hidden: [~/.ssh]}\n",
            "p.yaml:4:18: hidden path '~/.ssh' is not spelled out"},
        Bad{"PathOfADevice", "nodes: {count: 1}\nfiles: {readable: [/dev/kvm]}\n",
            "p.yaml:4:20: readable path '/dev/kvm' is one that each node makes up for itself (leave it out)"},
        Bad{"PathTwice", "nodes: {count: 1}\nfiles: {hidden: [/a], writable: [/a/]}\n",
            "p.yaml:4:34: '/a/' is hidden already (name each path once)"},
        Bad{"RepeatedKey", "nodes: {count: 1}\nmode: shared-memory\nmode: message-passing\n",
            "p.yaml:5:1: 'mode' is set twice (it is set in line 4 already; keep one)"},
        Bad{"RepeatedNestedKey", "nodes: {count: 1, count: 2}\n", "p.yaml:3:19: 'count' is set twice"},
        Bad{"BareSize", "nodes: {count: 1, memory: 64}\n",
            "p.yaml:3:27: memory: '64': a number without its unit (write it as 64MiB"},
        Bad{"BareLatency", "nodes: {count: 1}\ninterconnect: {link: {latency: 2}}\n",
            "p.yaml:4:32: latency: '2': a number without its unit (write it as 2us"},
        Bad{"BareBandwidth", "nodes: {count: 1}\ninterconnect: {link: {bandwidth: 10}}\n",
            "p.yaml:4:34: bandwidth: '10'"},
        Bad{"UnknownUnit", "nodes: {count: 1, memory: 64MIB}\n", "unknown unit 'MIB'"},
        Bad{"SizeTooSmall", "nodes: {count: 1, memory: 1MiB}\n", "memory is '1MiB': out of range (4MiB to 64GiB)"},
        Bad{"SizeTooLarge", "nodes: {count: 1, memory: 2TiB}\n", "out of range"},
        Bad{"SizeOfHalfAPage", "nodes: {count: 1, memory: 5000kB}\n",
            "memory is '5000kB': not a whole number of 4KiB pages (4880KiB is)"},
        Bad{"SizeNegative", "nodes: {count: 1, memory: -64MiB}\n", "not a quantity"},
        Bad{"SizeHuge", "nodes: {count: 1, memory: 99999999999999999999TiB}\n", "too large"},
        Bad{"SizeNotANumber", "nodes: {count: 1, memory: .inf}\n", "not a quantity"},
        Bad{"SharedTooSmall", "nodes: {count: 1}\nshared: {memory: 1MiB}\n", "out of range (16MiB to 64GiB)"},
        Bad{"LatencyTooLong", "nodes: {count: 1}\ninterconnect: {link: {latency: 11s}}\n", "out of range (0us to 10s)"},
        Bad{"BandwidthZero", "nodes: {count: 1}\ninterconnect: {link: {bandwidth: 0bit/s}}\n", "out of range"},
        Bad{"NoNodes", "mode: shared-memory\n", "p.yaml:1:1: nodes is missing"},
        Bad{"NoNumberOfNodes", "nodes: {memory: 64MiB}\n", "p.yaml:3:8: nodes does not say how many"},
        Bad{"BothNumbersOfNodes", "nodes: {count: 32, per-core: 8}\n", "both per-core and count"},
        Bad{"NoNodesAtAll", "nodes: {count: 0}\n",
            "p.yaml:3:16: count is '0': out of range (a whole number, 1 to 1024)"},
        Bad{"TooManyNodes", "nodes: {count: 1025}\n", "out of range"},
        Bad{"TooManyNodesByCores", "machine: {cores: 1000}\nnodes: {per-core: 1000}\n", "more than 1024 nodes"},
        Bad{"NegativeCount", "nodes: {count: -3}\n", "count is '-3': out of range"},
        Bad{"FractionalCount", "nodes: {count: 3.5}\n", "count is '3.5': out of range"},
        Bad{"HugeCount", "nodes: {count: 99999999999999999999}\n", "out of range"},
        Bad{"WordForACount", "nodes: {count: many}\n", "count must be a whole number, not 'many'"},
        Bad{"QuotedCount", "nodes: {count: \"3\"}\n", "count must be a whole number, not '3' in quotes"},
        Bad{"ListForACount", "nodes: {count: [3]}\n", "count must be a whole number, not a list"},
        Bad{"NothingForACount", "nodes: {count: }\n", "count must be a whole number, not nothing"},
        Bad{"WordForAMap", "nodes: 32\n",
            "p.yaml:3:8: nodes must be a map of keys, not '32' (its keys: per-core, count"},
        Bad{"NothingForAMap", "nodes:\n", "nodes must be a map of keys, not nothing"},
        Bad{"ListForAWord", "nodes: {count: 1}\nmode: [a]\n", "mode must be a word, not a list"},
        Bad{"BadMode", "nodes: {count: 1}\nmode: shared-memroy\n",
            "p.yaml:4:7: no such mode: 'shared-memroy' (did you mean 'shared-memory'?)"},
        Bad{"BadBackend", "nodes: {count: 1}\nbackend: xen\n", "no such backend: 'xen' (one of: auto, kvm, direct)"},
        Bad{"BadSmt", "nodes: {count: 1}\nmachine: {smt: yes}\n", "no such smt: 'yes' (one of: avoid, pair, allow)"},
        Bad{"BadFold", "nodes: {count: 1}\nmachine: {fold: yes}\n", "fold must be true or false, not 'yes'"},
        Bad{"BadCores", "nodes: {count: 1}\nmachine: {cores: all}\n", "cores must be a whole number, not 'all'"},
        Bad{"NoCores", "nodes: {count: 1}\nmachine: {cores: 0}\n", "out of range"},
        Bad{"AmbiguousCores", "nodes: {count: 1}\nmachine: {cores: \"4\"}\n",
            "cores is '4' in quotes: a count or a core's number? (4 for a count of cores, \"4-4\" for core 4 alone)"},
        Bad{"BackwardRange", "nodes: {count: 1}\nmachine: {cores: 3-1}\n", "'3-1' in '3-1' is no number or range"},
        Bad{"EmptyRangePart", "nodes: {count: 1}\nmachine: {cores: \"1,,2\"}\n", "'' in '1,,2' is no number or range"},
        Bad{"NothingLeftOfCores", "nodes: {count: 1}\nmachine: {cores: \"1-1,^1\"}\n", "'1-1,^1' leaves nothing"},
        Bad{"CoresBeyondAnyMachine", "nodes: {count: 1}\nmachine: {cores: \"0-4000000000\"}\n", "numbers 0 to 65535"},
        Bad{"CoresAsSequence", "nodes: {count: 1}\nmachine: {cores: [0, 1]}\n", "cores is a list"},
        Bad{"BadShape", "nodes: {count: 1}\ninterconnect: {shape: rong}\n",
            "no such shape: 'rong' (did you mean 'ring'?)"},
        Bad{"WrongProduct", "nodes: {count: 32}\ninterconnect: {shape: mesh, dimensions: [4, 7]}\n",
            "p.yaml:4:41: 4 x 7 is not 32 nodes (their product must be the number of nodes; for example [4, 8])"},
        Bad{"WrongProductPerCore",
            "machine: {cores: 4}\nnodes: {per-core: 8}\ninterconnect: {shape: torus, dimensions: [3, 3]}\n",
            "p.yaml:5:42: 3 x 3 is not 32"},
        Bad{"NoDimensions", "nodes: {count: 1}\ninterconnect: {shape: mesh, dimensions: []}\n", "0 dimensions"},
        Bad{"ZeroDimension", "nodes: {count: 1}\ninterconnect: {shape: mesh, dimensions: [0]}\n", "out of range"},
        Bad{"DimensionsNoList", "nodes: {count: 4}\ninterconnect: {shape: mesh, dimensions: 2x2}\n",
            "dimensions must be a list, not '2x2' (for example [4, 8])"},
        Bad{"DimensionsOfARing", "nodes: {count: 4}\ninterconnect: {shape: ring, dimensions: [2, 2]}\n",
            "a ring has no dimensions"},
        Bad{"HypercubeOf24", "nodes: {count: 24}\ninterconnect: {shape: hypercube}\n",
            "p.yaml:4:23: a hypercube of 24 nodes does not exist"},
        Bad{"LinksOfARing", "nodes: {count: 3}\ninterconnect: {shape: ring, links: [[0, 1]]}\n",
            "links are listed, and the shape is not list"},
        Bad{"ListWithoutLinks", "nodes: {count: 3}\ninterconnect: {shape: list}\n", "shape list without its links"},
        Bad{"RepeatedLink", "nodes: {count: 2}\ninterconnect: {shape: list, links: [[0, 1], [1, 0]]}\n",
            "p.yaml:4:45: link [0, 1]: this link is there already"},
        Bad{"SelfLink", "nodes: {count: 2}\ninterconnect: {shape: list, links: [[1, 1]]}\n",
            "p.yaml:4:37: link [1, 1]: a node is not linked to itself"},
        Bad{"LinkOutOfRange", "nodes: {count: 2}\ninterconnect: {shape: list, links: [[0, 2]]}\n",
            "there is no node 2"},
        Bad{"LinkWithThreeEnds", "nodes: {count: 4}\ninterconnect: {shape: list, links: [[0, 1, 2]]}\n",
            "a link has two ends, not 3"},
        Bad{"LinkThatIsAWord", "nodes: {count: 4}\ninterconnect: {shape: list, links: [0-1]}\n",
            "a link must be a list, not '0-1'"},
        Bad{"Unconnected", "nodes: {count: 4}\ninterconnect: {shape: list, links: [[0, 1], [2, 3]]}\n",
            "no way leads from node 0 to node 2"},
        Bad{"BadPlacement", "nodes: {count: 1}\nplacement: spread\n",
            "no such placement: 'spread' (one of: compact, scatter, linked, explicit)"},
        Bad{"ExplicitWithoutList", "nodes: {count: 1}\nplacement: explicit\n", "explicit placement without its list"},
        Bad{"ExplicitEmpty", "nodes: {count: 1}\nplacement: {explicit: []}\n", "p.yaml:4:12: node 0 has no place"},
        Bad{"PlacedTwice", "nodes: {count: 2}\nplacement: {explicit: [{nodes: 0-1, core: 0}, {nodes: 1, core: 1}]}\n",
            "p.yaml:4:47: node 1 has a place already"},
        Bad{"PlacedNowhere", "nodes: {count: 2}\nplacement: {explicit: [{nodes: 0, core: 0}]}\n",
            "node 1 has no place"},
        Bad{"PlacedOutOfRange", "nodes: {count: 2}\nplacement: {explicit: [{nodes: 0-7, core: 0}]}\n",
            "there is no node 2"},
        Bad{"PlacedOnNothing", "nodes: {count: 1}\nplacement: {explicit: [{nodes: 0}]}\n",
            "a place needs either core or pu"},
        Bad{"PlacedOnBoth", "nodes: {count: 1}\nplacement: {explicit: [{nodes: 0, core: 0, pu: 0}]}\n",
            "a place needs either core or pu"},
        Bad{"PlaceWithoutNodes", "nodes: {count: 1}\nplacement: {explicit: [{core: 0}]}\n",
            "a place without its nodes"}),
    [](const auto& each) { return each.param.name; });

TEST(Policy, ReportsAllProblemsInTheOrderOfTheText) {
    const std::string errors = errors_of("apiVersion: v2\nname: -x\nnodes: {count: 0, memory: 1}\nmode: fast\n");
    EXPECT_THAT(errors, HasSubstr("p.yaml:1:13: apiVersion is 'v2' (this divisi reads divisi/v1)\np.yaml:2:7: name is "
                                  "'-x': not a topology's name"));
    EXPECT_THAT(errors, HasSubstr("p.yaml:3:16: count"));
    EXPECT_THAT(errors, HasSubstr("p.yaml:3:27: memory"));
    EXPECT_THAT(errors, HasSubstr("p.yaml:4:7: no such mode"));
}

TEST(Policy, ReportsAtMostTwentyProblems) {
    std::string text = policy_text("nodes: {count: 1}\n");
    for (int i = 0; i < 40; ++i) text += "key" + std::to_string(i) + ": 1\n";
    EXPECT_THAT(errors_of(text), HasSubstr("p.yaml: and 20 problems more"));
}

TEST(Policy, RefusesNamesThatCouldNotBeFolders) {
    for (const char* name :
         {"", ".", "..", "a/b", "a b", "-a", "a.b", "ä", "a\n", "a123456789012345678901234567890123456789012345678"})
        EXPECT_FALSE(check_name(name)) << name;
    for (const char* name : {"a", "0", "quad32", "My_Topology-2"}) EXPECT_TRUE(check_name(name)) << name;
}

TEST(PolicyText, MustBeThere) {
    EXPECT_THAT(errors_of(""), HasSubstr("p.yaml"));
    EXPECT_THAT(errors_of("# nothing\n"), HasSubstr("the policy must be a map of keys, not nothing"));
    EXPECT_THAT(errors_of("- a\n- b\n"), HasSubstr("p.yaml:1:1: the policy must be a map of keys, not a list"));
    EXPECT_THAT(errors_of("quad32"), HasSubstr("not 'quad32'"));
}

TEST(PolicyText, MustBeYaml) {
    EXPECT_THAT(errors_of("name: [1, 2\nnodes: {\n"), HasSubstr("not YAML"));
    EXPECT_THAT(errors_of("machine:\n  \tcores: 4\n"),
                HasSubstr("p.yaml:2:3: a tab in the indentation (indent with spaces)"));
}

TEST(PolicyText, MustBeUtf8) {
    EXPECT_THAT(errors_of("name: \xff\n"), HasSubstr("p.yaml:1:7: not UTF-8 text"));
    EXPECT_THAT(errors_of("a: b\nname: \xc0\xaf\n"), HasSubstr("p.yaml:2:7: not UTF-8"));
    EXPECT_THAT(errors_of("name: \xed\xa0\x80\n"), HasSubstr("not UTF-8"));
    EXPECT_THAT(errors_of("name: \xf4\x90\x80\x80\n"), HasSubstr("not UTF-8"));
    EXPECT_THAT(errors_of(std::string("name: a\0b\n", 10)), HasSubstr("p.yaml:1:8: a control character"));
    EXPECT_THAT(errors_of("name: \x1b[31m\n"), HasSubstr("a control character"));
    EXPECT_TRUE(parse_policy(policy_text("nodes: {count: 1}  # größer, 大きい, 🎻\n"), "p"));
    EXPECT_TRUE(parse_policy("\xef\xbb\xbf" + policy_text("nodes: {count: 1}\n"), "p"))
        << "a byte order mark is harmless";
}

TEST(PolicyText, MayHaveWindowsLineEnds) {
    EXPECT_TRUE(parse_policy("apiVersion: divisi/v1\r\nname: x\r\nnodes: {count: 1}\r\n", "p"));
}

TEST(PolicyText, MayNotBeABomb) {
    EXPECT_THAT(errors_of("a: &a [x, x]\nb: &b [*a, *a]\n"), HasSubstr("p.yaml:1:4: an anchor (&name) in a policy"));
    EXPECT_THAT(errors_of("a: &a [x, x]\nb: &b [*a, *a]\n"), HasSubstr("p.yaml:2:8: an alias (*name) in a policy"));
    EXPECT_THAT(errors_of(std::string(100, '[') + std::string(100, ']')), HasSubstr("nested more than 16 deep"));
    EXPECT_THAT(errors_of(std::string(100000, '[')), HasSubstr("p.yaml:1:"));
    EXPECT_THAT(errors_of(std::string(100000, '{')), HasSubstr("p.yaml:1:"));
    EXPECT_THAT(errors_of(std::string((1U << 20U) + 1, ' ')), HasSubstr("larger than 1MiB"));
    std::string many = "a: [";
    for (int i = 0; i < 200000; ++i) many += "1,";
    EXPECT_THAT(errors_of(many + "]"), HasSubstr("more than 100000 values"));
    std::string keys;
    for (int i = 0; i < 50000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
    EXPECT_THAT(errors_of(keys), HasSubstr("more than 64 keys"));
}

TEST(PolicyText, MayNotUseWhatAPolicyDoesNotNeed) {
    EXPECT_THAT(errors_of("name: !!python/object x\n"), HasSubstr("p.yaml:1:7: a tag (!name) in a policy"));
    EXPECT_THAT(errors_of("a: b\n---\nc: d\n"), HasSubstr("a second document"));
    EXPECT_THAT(errors_of("<<: {a: b}\n"), HasSubstr("unknown key '<<'"));
    EXPECT_THAT(errors_of("? [a, b]\n: c\n"), HasSubstr("p.yaml:1:3: a key must be a word"));
}

TEST(PolicyText, IsQuotedShortAndOnOneLine) {
    const std::string errors =
        errors_of(policy_text("nodes: {count: 1}\nmode: \"a\\n" + std::string(500, 'x') + "\"\n"));
    EXPECT_LT(errors.size(), 200U);
    EXPECT_THAT(errors, Not(HasSubstr("\n")));
    EXPECT_THAT(errors_of(policy_text("nodes: {count: 1}\nmode: \"\\e[31mred\"\n")), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace divisi::partitioner
