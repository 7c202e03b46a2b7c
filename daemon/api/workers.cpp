#include "daemon/api/workers.hpp"

#include <system_error>
#include <utility>

namespace divisi::api {

Workers::~Workers() {
    for (Worker& worker : workers_) worker.thread.join();
}

bool Workers::start(std::function<void()> work) {
    reap();
    if (workers_.size() >= limit_) return false;
    Worker& worker = workers_.emplace_back();
    try {
        worker.thread = std::thread([&worker, work = std::move(work)] {
            work();
            worker.done = true;
        });
    } catch (const std::system_error&) {
        workers_.pop_back();
        return false;
    }
    return true;
}

void Workers::reap() {
    workers_.remove_if([](Worker& worker) {
        if (!worker.done) return false;
        worker.thread.join();
        return true;
    });
}

}  // namespace divisi::api
