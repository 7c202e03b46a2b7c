#include "shm/waits.hpp"

#include <algorithm>
#include <string_view>

#include "base/printable.hpp"
#include "shm/abi/node_page.h"

namespace divisi::shm {
namespace {

std::string_view text_in(const char* field, std::size_t bytes) {
    return {field, static_cast<std::size_t>(std::find(field, field + bytes, '\0') - field)};
}

bool is_name(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    });
}

Wait::Kind to_kind(std::uint32_t kind) {
    switch (kind) {
        case DIVISI_WAIT_MESSAGE: return Wait::Kind::kMessage;
        case DIVISI_WAIT_RECEIVER: return Wait::Kind::kReceiver;
        case DIVISI_WAIT_ALL: return Wait::Kind::kAll;
        default: return Wait::Kind::kNothing;
    }
}

std::string peer_text(const Wait& wait) {
    if (!wait.peer) return wait.kind == Wait::Kind::kAll ? "the others" : "any rank";
    std::string text = "rank " + std::to_string(*wait.peer);
    if (wait.job_peer && *wait.job_peer != *wait.peer) text += " (" + std::to_string(*wait.job_peer) + " of the job)";
    return text;
}

}  // namespace

Wait read_wait(const divisi_wait& record, std::uint32_t ranks) {
    Wait wait;
    wait.kind = to_kind(record.kind);
    if (wait.kind == Wait::Kind::kNothing) return wait;
    if (record.peer < ranks) wait.peer = record.peer;
    if (record.job_peer < ranks) wait.job_peer = record.job_peer;
    if (record.tag >= 0) wait.tag = static_cast<std::uint32_t>(record.tag);
    wait.any_tag = record.tag == DIVISI_WAIT_ANY_TAG;
    wait.others = record.others;
    const std::string_view call = text_in(static_cast<const char*>(record.call), sizeof record.call);
    if (is_name(call)) wait.call = call;
    wait.communicator = printable(text_in(static_cast<const char*>(record.communicator), sizeof record.communicator));
    return wait;
}

std::string to_string(const Wait& wait) {
    if (wait.kind == Wait::Kind::kNothing) return "waits, and does not say for what";
    std::string text = wait.call.empty() ? "waits for " : "waits in " + wait.call + " for ";
    text += peer_text(wait);
    if (wait.kind == Wait::Kind::kReceiver) text += " to receive";
    if (wait.tag) text += ", tag " + std::to_string(*wait.tag);
    if (wait.any_tag) text += ", any tag";
    if (!wait.communicator.empty()) text += ", " + wait.communicator;
    if (wait.others != 0) text += " (and for " + std::to_string(wait.others) + " more)";
    return text;
}

}  // namespace divisi::shm
