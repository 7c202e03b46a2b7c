#include "hv/vmm/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <latch>
#include <set>

#include "hv/vmm/fabric_spec.hpp"
#include "shm/tsc.hpp"

namespace divisi::hv::vmm {
namespace {

// A stub process is given a descriptor of each, with others, of which there may be 253 in all.
constexpr std::size_t kMostViewFiles = 128;

std::vector<WindowPiece> to_pieces(const std::vector<shm::WindowPiece>& pieces) {
    std::vector<WindowPiece> result;
    result.reserve(pieces.size());
    for (const shm::WindowPiece& piece : pieces)
        result.push_back({piece.fd, piece.offset, piece.size_bytes, piece.writable, false});
    return result;
}

}  // namespace

Topology::Topology(Config config, Scratch scratch, ChosenBackend backend)
    : config_(std::move(config)), scratch_(std::move(scratch)), backend_(std::move(backend)), mode_(config_.mode) {
    // A stub process maps memory page by page, which files of huge pages do not allow.
    if (config_.ram.pages == RamKind::Pages::kHuge && backend_.backend->name() != "kvm")
        config_.ram.pages = RamKind::Pages::kTransparent;
}

Topology::~Topology() {
    // Nodes first: their processors must let go of the memory before it goes.
    nodes_.clear();
}

Result<std::unique_ptr<Topology>> Topology::carve(Config config, Scratch scratch) {
    DIVISI_TRY_ASSIGN(ChosenBackend backend, choose_backend(config.backend));
    std::unique_ptr<Topology> topology(new Topology(std::move(config), std::move(scratch), std::move(backend)));
    DIVISI_TRY(topology->start_nodes());
    DIVISI_TRY(topology->create_fabric());
    DIVISI_TRY_ASSIGN(topology->clock_, GuestClock::create());
    DIVISI_TRY_ASSIGN(topology->memory_, topology->make_memory(topology->mode_));
    DIVISI_TRY(topology->bind_all(*topology->memory_));
    return topology;
}

Result<void> Topology::start_nodes() {
    const auto count = static_cast<std::uint32_t>(config_.nodes.size());
    for (const NodeConfig& node : config_.nodes)
        nodes_.push_back(std::make_unique<Node>(node, *backend_.backend, count));
    Result<void> first;
    for (const auto& node : nodes_) {
        Result<void> ready = node->ready();
        if (!ready && first) {
            Error error = std::move(ready).error();
            if (error.object.empty()) error.object = fmt::format("node {}", node->config().id.value);
            first = Result<void>(std::move(error));
        }
    }
    if (!first) nodes_.clear();
    return first;
}

Result<void> Topology::create_fabric() {
    DIVISI_TRY_ASSIGN(fabric_, shm::Fabric::create(fabric_spec(config_)));
    return {};
}

RankNodes Topology::default_layout(Mode mode) const {
    RankNodes layout;
    if (mode == Mode::kSharedMemory) layout.resize(1);
    for (std::uint32_t node = 0; node < config_.nodes.size(); ++node) {
        if (mode == Mode::kSharedMemory) {
            layout[0].push_back(node);
        } else {
            layout.push_back({node});
        }
    }
    return layout;
}

Result<std::unique_ptr<Topology::Memory>> Topology::make_memory(Mode mode) const {
    auto memory = std::make_unique<Memory>();
    if (mode == Mode::kSharedMemory) {
        DIVISI_TRY_ASSIGN(auto ram, Ram::create("divisi-" + config_.name, config_.shared_memory, -1, config_.ram));
        memory->rams.push_back(std::move(ram));
    } else {
        for (const NodeConfig& node : config_.nodes) {
            DIVISI_TRY_ASSIGN(auto ram, Ram::create(fmt::format("divisi-{}-{}", config_.name, node.id.value),
                                                    node.memory, node.numa, config_.ram));
            memory->rams.push_back(std::move(ram));
        }
    }
    memory->layout = default_layout(mode);
    DIVISI_TRY_ASSIGN(memory->tables, make_tables(memory->rams, mode, memory->layout));
    return memory;
}

Result<Topology::Tables> Topology::make_tables(const Rams& rams, Mode mode, const RankNodes& layout) const {
    Tables all;
    std::vector<int> files;
    files.reserve(rams.size());
    for (const auto& ram : rams) files.push_back(ram->fd());
    const bool views = layout.size() > 1 && files.size() <= kMostViewFiles;
    for (const auto& nodes : layout) {
        const NodeId first{nodes.front()};
        DIVISI_TRY_ASSIGN(auto tables,
                          PageTables::create(page_ceil(fabric_->window_bytes(first, mode)) + GuestClock::window_bytes(),
                                             views ? kViewBytes : 0));
        std::vector<WindowPiece> pieces = to_pieces(fabric_->window(first, mode));
        for (const WindowPiece& piece : clock_->window()) pieces.push_back(piece);
        DIVISI_TRY(tables->set_windows(pieces));
        if (views) tables->set_view_files(files);
        all.push_back(std::move(tables));
    }
    return all;
}

Result<void> Topology::on_all_nodes(const std::function<Result<void>(std::size_t, Vcpu&)>& task) {
    std::latch done(static_cast<std::ptrdiff_t>(nodes_.size()));
    std::vector<Result<void>> results(nodes_.size());
    for (std::size_t index = 0; index < nodes_.size(); ++index) {
        nodes_[index]->post([&, index](Vcpu& vcpu) {
            results[index] = task(index, vcpu);
            done.count_down();
        });
    }
    done.wait();
    for (Result<void>& result : results) {
        if (!result) return std::move(result);
    }
    return {};
}

Result<void> Topology::bind_all(const Memory& memory) {
    std::vector<std::size_t> rank_of(nodes_.size(), memory.layout.size());
    for (std::size_t rank = 0; rank < memory.layout.size(); ++rank) {
        for (const std::uint32_t node : memory.layout[rank]) rank_of[node] = rank;
    }
    const bool shared = memory.rams.size() == 1;
    return on_all_nodes([&](std::size_t index, Vcpu& vcpu) -> Result<void> {
        if (rank_of[index] == memory.layout.size()) return vcpu.unbind();
        return vcpu.bind(*memory.rams[shared ? 0 : index], *memory.tables[rank_of[index]]);
    });
}

bool Topology::shares_pus() const {
    std::set<int> pus;
    return std::any_of(config_.nodes.begin(), config_.nodes.end(),
                       [&pus](const NodeConfig& node) { return !pus.insert(node.os_pu).second; });
}

Result<void> Topology::switch_to(Mode mode) {
    if (mode == mode_) return {};
    // All that can fail for want of memory happens before a node is touched.
    DIVISI_TRY_ASSIGN(std::unique_ptr<Memory> fresh, make_memory(mode));
    if (Result<void> bound = bind_all(*fresh); !bound) {
        if (auto back = bind_all(*memory_); !back)
            return make_error(Errc::kFailed, "the switch failed and could not be undone: " + bound.error().message() +
                                                 "; then: " + back.error().message());
        return bound;
    }
    memory_ = std::move(fresh);
    mode_ = mode;
    return {};
}

Result<void> Topology::prepare_job(const RankNodes& ranks, const std::vector<std::uint32_t>& host_ranks) {
    // A prefix of the present layout needs nothing new; another layout replaces it for good.
    const bool fits = ranks.size() <= memory_->layout.size() &&
                      std::equal(ranks.begin(), ranks.end(), memory_->layout.begin(), [](const auto& a, const auto& b) {
                          return a.front() == b.front() && a.size() <= b.size();
                      });
    if (!fits) {
        DIVISI_TRY_ASSIGN(Tables changed, make_tables(memory_->rams, mode_, ranks));
        // The nodes let go of the old tables before those are destroyed.
        DIVISI_TRY(on_all_nodes([](std::size_t, Vcpu& vcpu) { return vcpu.unbind(); }));
        memory_->tables = std::move(changed);
        memory_->layout = ranks;
        DIVISI_TRY(bind_all(*memory_));
    }
    DIVISI_TRY_ASSIGN(scratch_folders_, scratch_.make_folders());
    shm::JobSpec job;
    job.mode = mode_;
    job.backend = backend_name() == "kvm" ? shm::Backend::kKvm : shm::Backend::kDirect;
    for (const auto& nodes : ranks) {
        job.rank_nodes.push_back(NodeId{nodes.front()});
        job.own_nodes.push_back(static_cast<std::uint32_t>(nodes.size()));
    }
    job.host_ranks = host_ranks;
    job.call_address = backend_.backend->call_address();
    const std::lock_guard lock(traffic_mutex_);
    job_runs_ = true;
    return fabric_->begin_job(job);
}

std::string Topology::memory_note() const {
    for (const auto& ram : memory_->rams)
        if (!ram->note().empty()) return ram->note();
    return {};
}

Ram& Topology::ram(std::uint32_t node) const {
    return *memory_->rams[mode_ == Mode::kSharedMemory ? 0 : node];
}

Result<void> Topology::finish_job() {
    const std::lock_guard lock(traffic_mutex_);
    if (job_runs_) last_traffic_ = fabric_->traffic();
    job_runs_ = false;
    scratch_folders_.reset();
    DIVISI_TRY(scratch_.clear());
    return fabric_->reset();
}

shm::Traffic Topology::traffic() const {
    const std::lock_guard lock(traffic_mutex_);
    return job_runs_ ? fabric_->traffic() : last_traffic_;
}

}  // namespace divisi::hv::vmm
