#include "hv/vmm/node.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <time.h>

#include <cerrno>

namespace divisi::hv::vmm {
namespace {

// Deep enough for a system call's service; an idle node's stack costs only what it touched.
constexpr std::size_t kStackBytes = 512U << 10U;

Result<void> pin(int os_pu) {
    cpu_set_t* set = CPU_ALLOC(static_cast<std::size_t>(os_pu) + 1);
    const std::size_t bytes = CPU_ALLOC_SIZE(static_cast<std::size_t>(os_pu) + 1);
    CPU_ZERO_S(bytes, set);
    CPU_SET_S(static_cast<std::size_t>(os_pu), bytes, set);
    const int error = ::pthread_setaffinity_np(::pthread_self(), bytes, set);
    CPU_FREE(set);
    if (error != 0)
        return system_error(error, "cannot pin a node's thread", fmt::format("PU P#{}", os_pu),
                            "the cpuset of this process excludes it; see divisi doctor");
    return {};
}

}  // namespace

Node::Node(NodeConfig config, Backend& backend, std::uint32_t count)
    : config_(config), backend_(backend), count_(count) {
    pthread_attr_t attributes;
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, kStackBytes);
    const int error = ::pthread_create(&thread_, &attributes, enter, this);
    ::pthread_attr_destroy(&attributes);
    started_ = error == 0;
    if (!started_) ready_.set_value(Result<void>(system_error(error, "cannot start a node's thread")));
}

Node::~Node() {
    if (!started_) return;
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    posted_.notify_all();
    ::pthread_join(thread_, nullptr);
}

void* Node::enter(void* self) {
    static_cast<Node*>(self)->live();
    return nullptr;
}

Result<void> Node::set_up() {
    DIVISI_TRY(pin(config_.os_pu));
    DIVISI_TRY_ASSIGN(vcpu_, backend_.create_vcpu(config_.id, count_));
    return {};
}

void Node::live() {
    ::pthread_setname_np(::pthread_self(), fmt::format("node {}", config_.id.value).c_str());
    Result<void> result = set_up();
    const bool usable = result.has_value();
    ready_.set_value(std::move(result));
    std::unique_lock lock(mutex_);
    while (usable) {
        posted_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
        if (tasks_.empty()) break;
        const auto task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task(*vcpu_);
        lock.lock();
    }
    lock.unlock();
    vcpu_.reset();
}

Result<void> Node::ready() {
    return ready_.get_future().get();
}

void Node::post(std::function<void(Vcpu&)> task) {
    {
        const std::lock_guard lock(mutex_);
        tasks_.push_back(std::move(task));
    }
    posted_.notify_one();
}

void Node::kick() noexcept {
    if (vcpu_) vcpu_->kick();
}

std::chrono::nanoseconds Node::cpu_time() const {
    clockid_t clock{};
    timespec time{};
    if (!started_ || ::pthread_getcpuclockid(thread_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return {};
    const std::chrono::nanoseconds elsewhere = vcpu_ ? vcpu_->time_elsewhere() : std::chrono::nanoseconds(0);
    return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec) + elsewhere;
}

}  // namespace divisi::hv::vmm
