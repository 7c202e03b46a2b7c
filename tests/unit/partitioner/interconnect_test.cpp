#include "partitioner/interconnect.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace divisi::partitioner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Interconnect shape(Shape shape, std::vector<std::uint32_t> dimensions = {}) {
    return {shape, std::move(dimensions), {}, {}};
}

Interconnect listed(std::vector<Link> links) {
    return {Shape::kList, {}, std::move(links), {}};
}

Metrics measured(const Interconnect& interconnect, std::uint32_t nodes) {
    return measure(make_links(interconnect, nodes), nodes);
}

struct Known {
    const char* name;
    Interconnect interconnect;
    std::uint32_t nodes;
    std::uint32_t links;
    std::uint32_t diameter;
};

class KnownShape : public testing::TestWithParam<Known> {};

TEST_P(KnownShape, HasItsLinksAndDiameter) {
    const Known& known = GetParam();
    ASSERT_FALSE(check(known.interconnect, known.nodes));
    const Metrics metrics = measured(known.interconnect, known.nodes);
    EXPECT_EQ(metrics.links, known.links);
    EXPECT_EQ(metrics.diameter, known.diameter);
}

INSTANTIATE_TEST_SUITE_P(
    Interconnect, KnownShape,
    testing::Values(
        Known{"Ring32", shape(Shape::kRing), 32, 32, 16}, Known{"Ring31", shape(Shape::kRing), 31, 31, 15},
        Known{"Ring2", shape(Shape::kRing), 2, 1, 1}, Known{"Ring1", shape(Shape::kRing), 1, 0, 0},
        Known{"Ring1024", shape(Shape::kRing), 1024, 1024, 512},
        Known{"Mesh4x8", shape(Shape::kMesh, {4, 8}), 32, 52, 10},
        Known{"MeshByDefaultNearSquare", shape(Shape::kMesh), 32, 52, 10},
        Known{"MeshPrime", shape(Shape::kMesh), 7, 6, 6}, Known{"Mesh3D", shape(Shape::kMesh, {2, 4, 4}), 32, 64, 7},
        Known{"Torus4x8", shape(Shape::kTorus, {4, 8}), 32, 64, 6},
        Known{"Torus2x16", shape(Shape::kTorus, {2, 16}), 32, 48, 9},
        Known{"Torus2x2", shape(Shape::kTorus, {2, 2}), 4, 4, 2},
        Known{"Torus1x5IsARing", shape(Shape::kTorus, {1, 5}), 5, 5, 2},
        Known{"Torus3D", shape(Shape::kTorus, {4, 4, 4}), 64, 192, 6},
        Known{"Hypercube32", shape(Shape::kHypercube), 32, 80, 5},
        Known{"Hypercube1", shape(Shape::kHypercube), 1, 0, 0}, Known{"Star32", shape(Shape::kStar), 32, 31, 2},
        Known{"Tree32", shape(Shape::kTree), 32, 31, 9}, Known{"Full32", shape(Shape::kFull), 32, 496, 1},
        Known{"Full1024", shape(Shape::kFull), 1024, 523776, 1}, Known{"Full1", shape(Shape::kFull), 1, 0, 0},
        Known{"List", listed({{{0}, {1}}, {{1}, {2}}}), 3, 2, 2}),
    [](const auto& each) { return each.param.name; });

TEST(Interconnect, ListsLinksSortedAndOnce) {
    const auto links = make_links(shape(Shape::kTorus, {2, 3}), 6);
    EXPECT_TRUE(std::is_sorted(links.begin(), links.end()));
    EXPECT_EQ(std::adjacent_find(links.begin(), links.end()), links.end());
    for (const Link& link : links) EXPECT_LT(link.a, link.b);
}

TEST(Interconnect, NumbersAMeshRowByRow) {
    const std::vector<Link> expected{{{0}, {1}}, {{0}, {3}}, {{1}, {2}}, {{1}, {4}},
                                     {{2}, {5}}, {{3}, {4}}, {{4}, {5}}};
    EXPECT_EQ(make_links(shape(Shape::kMesh, {2, 3}), 6), expected);
}

TEST(Interconnect, TellsDegrees) {
    const Metrics star = measured(shape(Shape::kStar), 8);
    EXPECT_EQ(star.min_degree, 1U);
    EXPECT_EQ(star.max_degree, 7U);
}

TEST(Interconnect, HasNoDiameterWhereNodesAreApart) {
    EXPECT_EQ(measure({{{0}, {1}}}, 3).diameter, std::nullopt);
}

TEST(Interconnect, ChoosesNearSquareSides) {
    EXPECT_THAT(dimensions_of(shape(Shape::kTorus), 36), ElementsAre(6, 6));
    EXPECT_THAT(dimensions_of(shape(Shape::kTorus), 32), ElementsAre(4, 8));
    EXPECT_THAT(dimensions_of(shape(Shape::kMesh), 1), ElementsAre(1, 1));
    EXPECT_THAT(dimensions_of(shape(Shape::kRing), 32), IsEmpty());
}

TEST(Interconnect, RefusesSidesThatDoNotMultiplyToTheNodes) {
    const auto fault = check(shape(Shape::kMesh, {4, 7}), 32);
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->key, "dimensions");
    EXPECT_THAT(fault->problem, HasSubstr("4 x 7 is not 32"));
    EXPECT_THAT(fault->way_out, HasSubstr("[4, 8]"));
}

TEST(Interconnect, RefusesSidesWhoseProductOverflows) {
    EXPECT_TRUE(check(shape(Shape::kMesh, {1024, 1024, 1024, 1024, 1024, 1024, 1024, 1024}), 32));
}

TEST(Interconnect, RefusesDimensionsOfAShapeThatHasNone) {
    EXPECT_TRUE(check(shape(Shape::kRing, {4, 8}), 32));
}

TEST(Interconnect, RefusesAHypercubeThatIsNoPowerOfTwo) {
    const auto fault = check(shape(Shape::kHypercube), 24);
    ASSERT_TRUE(fault);
    EXPECT_THAT(fault->way_out, HasSubstr("16 or 32"));
}

TEST(Interconnect, RefusesBadLists) {
    EXPECT_THAT(check(listed({{{0}, {3}}}), 3)->problem, HasSubstr("no node 3"));
    EXPECT_THAT(check(listed({{{1}, {1}}}), 3)->problem, HasSubstr("not linked to itself"));
    const auto twice = check(listed({{{0}, {1}}, {{1}, {2}}, {{0}, {1}}}), 3);
    ASSERT_TRUE(twice);
    EXPECT_THAT(twice->problem, HasSubstr("there already"));
    EXPECT_EQ(twice->link, 2U);
    EXPECT_THAT(check(listed({{{0}, {1}}}), 3)->problem, HasSubstr("from node 0 to node 2"));
}

TEST(Interconnect, IsRecognizedFromItsLinks) {
    for (const Shape each : {Shape::kFull, Shape::kRing, Shape::kStar, Shape::kTree, Shape::kHypercube}) {
        const auto links = make_links(shape(each), 32);
        EXPECT_EQ(recognize(links, 32).shape, each) << to_string(each);
    }
    const Interconnect torus = recognize(make_links(shape(Shape::kTorus, {4, 8}), 32), 32);
    EXPECT_EQ(torus.shape, Shape::kTorus);
    EXPECT_THAT(torus.dimensions, ElementsAre(4, 8));
    const std::vector<Link> odd{{{0}, {1}}, {{0}, {3}}, {{1}, {2}}, {{1}, {3}}};
    EXPECT_EQ(recognize(odd, 4).shape, Shape::kList);
    EXPECT_EQ(recognize(odd, 4).links, odd);
}

}  // namespace
}  // namespace divisi::partitioner
