#include "daemon/router.hpp"

#include <gmock/gmock.h>

namespace divisi::daemon {
namespace {

using testing::Contains;
using testing::Pair;

api::Request request(const std::string& method, const std::string& target) {
    return {method, *api::parse_target(target), "", nullptr, -1};
}

class RouterTest : public testing::Test {
protected:
    RouterTest() {
        for (const char* method : {"GET", "DELETE"})
            router.add({method, "v1/things/*", {"force"}, [method](const auto&, const Arguments& arguments) {
                            return api::json_response(200, {{"method", method}, {"name", arguments.at(0)}});
                        }});
        router.add(
            {"POST", "v1/things/*/turn", {}, [](const auto&, const auto&) { return api::json_response(201, {}); }});
    }
    int status(const std::string& method, const std::string& target) {
        return router.serve(request(method, target)).status;
    }
    Router router;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
    EXPECT_EQ(router.serve(request("GET", "/v1/things/x")).body, "{\"method\":\"GET\",\"name\":\"x\"}\n");
    EXPECT_EQ(router.serve(request("DELETE", "/v1/things/y")).body, "{\"method\":\"DELETE\",\"name\":\"y\"}\n");
    EXPECT_EQ(status("POST", "/v1/things/x/turn"), 201);
}

TEST_F(RouterTest, Answers404ForUnknownPaths) {
    for (const char* path : {"/", "/v1", "/v1/things", "/v1/things/", "/v1/things/x/", "/v1/things/x/turn/y",
                             "/v2/things/x", "/v1//x", "/v1/things/x/*"})
        EXPECT_EQ(status("GET", path), 404) << path;
}

TEST_F(RouterTest, Answers405WithTheMethodsThereAre) {
    const api::Response response = router.serve(request("PUT", "/v1/things/x"));
    EXPECT_EQ(response.status, 405);
    EXPECT_THAT(response.headers, Contains(Pair("Allow", "GET, DELETE")));
}

TEST_F(RouterTest, RefusesUnknownParameters) {
    EXPECT_EQ(status("GET", "/v1/things/x?force=1"), 200);
    EXPECT_EQ(status("GET", "/v1/things/x?forse=1"), 400);
}

}  // namespace
}  // namespace divisi::daemon
