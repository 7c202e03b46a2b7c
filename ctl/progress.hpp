// A line on the terminal while something takes long: "carving quad512 … 2s". Nothing where standard error is no
// terminal, and nothing in the first moments: what is quick needs no line.
//
// Owns: a thread, and the line; both gone when it is destroyed.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace divisi::ctl {

class Progress {
public:
    explicit Progress(std::string text);
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress();

private:
    void show();

    std::string text_;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool done_ = false;
    std::thread thread_;
};

}  // namespace divisi::ctl
