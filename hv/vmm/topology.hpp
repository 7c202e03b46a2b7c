// A carved topology: its nodes, its memory in the present mode, its interconnect.
//
// Threads: one at a time, but for the const members and `node`.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hv/backend.hpp"
#include "hv/guest_clock.hpp"
#include "hv/page_tables.hpp"
#include "hv/ram.hpp"
#include "hv/vmm/config.hpp"
#include "hv/vmm/node.hpp"
#include "hv/vmm/scratch.hpp"
#include "shm/fabric.hpp"

namespace divisi::hv::vmm {

// How a job lies on the nodes: the nodes of each rank.
using RankNodes = std::vector<std::vector<std::uint32_t>>;

class Topology {
public:
    // Carves. Errors: kUnreachable: no backend; kInsufficient: no memory; what a node met. Nothing is left then.
    static Result<std::unique_ptr<Topology>> carve(Config config, Scratch scratch);
    Topology(const Topology&) = delete;
    Topology& operator=(const Topology&) = delete;
    ~Topology();

    [[nodiscard]] const Config& config() const { return config_; }
    [[nodiscard]] Mode mode() const { return mode_; }
    [[nodiscard]] std::string_view backend_name() const { return backend_.backend->name(); }
    [[nodiscard]] const std::string& backend_reason() const { return backend_.reason; }
    [[nodiscard]] std::size_t node_count() const { return nodes_.size(); }
    [[nodiscard]] Node& node(std::size_t index) const { return *nodes_[index]; }
    // Whether two of these nodes have to share a PU.
    [[nodiscard]] bool shares_pus() const;

    // Gives every node the other kind of memory. No job may be running. Errors: the first node's; all nodes have the
    // old mode's memory again then.
    Result<void> switch_to(Mode mode);

    // Makes memory and tables ready for ranks that lie so, and the node pages that tell them who they are.
    // `host_ranks` run outside of it.
    Result<void> prepare_job(const RankNodes& ranks, const std::vector<std::uint32_t>& host_ranks);
    // The window of a rank that a host process is to be, by places in one memory file, whose descriptor is lent.
    [[nodiscard]] std::vector<shm::WindowPiece> host_window(std::uint32_t node) const {
        return fabric_->window(NodeId{node}, mode_);
    }
    [[nodiscard]] Ram& ram(std::uint32_t node) const;
    // What of the memory's kind could not be had; empty where all could. With no switch under way.
    [[nodiscard]] std::string memory_note() const;
    [[nodiscard]] GuestClock& clock() const { return *clock_; }
    [[nodiscard]] PageTables& tables(std::size_t rank) const { return *memory_->tables[rank]; }
    // The prepared job's own /tmp, /var/tmp and /dev/shm.
    [[nodiscard]] const std::shared_ptr<const Fd>& scratch_folders() const { return scratch_folders_; }
    // Tells the peers of a rank that it has ended.
    void rank_ended(std::uint32_t node) const { fabric_->mark_gone(NodeId{node}); }
    // Gives everything back that the job used.
    Result<void> finish_job();
    // What the ranks of the present job have sent to each other, or those of the last one. Any thread.
    [[nodiscard]] shm::Traffic traffic() const;
    // What a rank of the running job says that it waits for.
    [[nodiscard]] shm::Wait wait_of(std::uint32_t rank) const { return fabric_->wait_of(rank); }
    // What a rank of the running job has lent to another.
    [[nodiscard]] std::optional<shm::Borrowed> borrow(std::uint32_t owner, std::uint32_t loan,
                                                      std::uint32_t borrower) const {
        return fabric_->borrow(owner, loan, borrower);
    }

private:
    using Rams = std::vector<std::unique_ptr<Ram>>;
    using Tables = std::vector<std::unique_ptr<PageTables>>;
    // What stands in the nodes' guest-physical memory in one mode.
    struct Memory {
        Rams rams;
        Tables tables;     // by rank
        RankNodes layout;  // of the tables
    };

    Topology(Config config, Scratch scratch, ChosenBackend backend);
    Result<void> start_nodes();
    Result<void> create_fabric();
    [[nodiscard]] RankNodes default_layout(Mode mode) const;
    Result<std::unique_ptr<Memory>> make_memory(Mode mode) const;
    // With room for views, where there are ranks to be seen and not too many memories.
    Result<Tables> make_tables(const Rams& rams, Mode mode, const RankNodes& layout) const;
    // Runs `task` on every node at the same time; the first error.
    Result<void> on_all_nodes(const std::function<Result<void>(std::size_t, Vcpu&)>& task);
    Result<void> bind_all(const Memory& memory);

    Config config_;
    Scratch scratch_;
    std::shared_ptr<const Fd> scratch_folders_;
    ChosenBackend backend_;
    Mode mode_;
    std::optional<shm::Fabric> fabric_;
    std::unique_ptr<GuestClock> clock_;
    std::unique_ptr<Memory> memory_;
    std::vector<std::unique_ptr<Node>> nodes_;
    mutable std::mutex traffic_mutex_;  // also keeps the fabric's job as it is while it is looked at
    bool job_runs_ = false;
    shm::Traffic last_traffic_;
};

}  // namespace divisi::hv::vmm
