// One HTTP request over a Unix socket, synchronous.
#pragma once

#include <string>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "daemon/api/http.hpp"
#include "daemon/api/launch.hpp"

namespace divisi::api {

// Sends the request and reads the response over a fresh connection, which it consumes.
// `cancel`: a descriptor that ends the wait when it becomes readable, or -1.
// Errors: kUnreachable when the peer ends early or the deadline passes; kProtocol for what is no HTTP; kFailed when
// cancelled. An HTTP status of any kind is a response, not an error.
Result<Response> exchange(Fd connection, const std::string& method, const std::string& target, const std::string& body,
                          Deadline deadline, int cancel = -1);

}  // namespace divisi::api
