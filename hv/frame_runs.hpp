// Collects neighbouring frames into runs, and hands each run on.
#pragma once

#include "hv/ram.hpp"

namespace divisi::hv {

template <typename Sink>
class RunCollector {
public:
    explicit RunCollector(Sink sink) : sink_(sink) {}
    RunCollector(const RunCollector&) = delete;
    RunCollector& operator=(const RunCollector&) = delete;
    ~RunCollector() { flush(); }

    void add(Frame frame) {
        if (run_.count != 0 && run_.first + run_.count == frame) {
            ++run_.count;
            return;
        }
        flush();
        run_ = {frame, 1};
    }
    void flush() {
        if (run_.count != 0) sink_(run_);
        run_ = {};
    }

private:
    Sink sink_;
    FrameRun run_;
};

}  // namespace divisi::hv
