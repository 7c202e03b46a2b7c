#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ctl/doctor/checks.hpp"

namespace divisi::ctl::doctor {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// A machine where everything is as it should be.
Facts healthy() {
    Facts facts;
    facts.machine = partitioner::describe_machine("synthetic:pack:2 [numa(memory=8589934592)] core:4 pu:2");
    facts.processor = {"CPU 3000", true, false, false};
    facts.kvm.exists = true;
    facts.kvm.group = "kvm";
    facts.kvm.group_may_open = facts.kvm.user_in_group = true;
    facts.probe = std::vector<BackendProbe>{{"kvm", true, {}, {}}, {"direct", true, {}, {}}};
    facts.open_files = {1024, 1048576};
    facts.processes = {30000, 30000};
    facts.locked_memory = {8U << 20U, 8U << 20U};
    facts.max_map_count = 65530;
    facts.huge_pages = "madvise";
    facts.shared_huge_pages = "advise";
    facts.state_dir = std::string("/run/user/1000/divisi");
    facts.bin_dir = "/opt/divisi/bin";
    facts.has_divisid = facts.has_vmm = true;
    facts.user = "ada";
    return facts;
}

Check check_of(const Facts& facts, std::string_view topic) {
    const std::vector<Check> checks = judge(facts);
    const auto found =
        std::find_if(checks.begin(), checks.end(), [topic](const auto& each) { return each.topic == topic; });
    EXPECT_NE(found, checks.end()) << topic;
    return found == checks.end() ? Check{} : *found;
}

TEST(Doctor, FindsNothingWrongWithAHealthyMachine) {
    for (const Check& check : judge(healthy())) {
        EXPECT_EQ(check.verdict, Verdict::kOk) << check.topic << ": " << check.text;
        EXPECT_FALSE(check.text.empty()) << check.topic;
    }
    EXPECT_THAT(check_of(healthy(), "kvm").text, HasSubstr("VT-x"));
    EXPECT_THAT(check_of(healthy(), "numa").text, HasSubstr("2 NUMA nodes: 0 (8GiB) 1 (8GiB)"));
    EXPECT_THAT(check_of(healthy(), "smt").text, HasSubstr("2 siblings"));
    EXPECT_THAT(check_of(healthy(), "backend").text, HasSubstr("auto takes kvm"));
}

TEST(Doctor, SaysWhyPusAreNotOurs) {
    Facts facts = healthy();
    facts.machine->exclusions.push_back({{2, 3}, "the cpuset leaves them out", "widen it"});
    const Check check = check_of(facts, "cores");
    EXPECT_EQ(check.verdict, Verdict::kOk);
    EXPECT_THAT(check.text, HasSubstr("OS PUs 2,3 are not: the cpuset leaves them out"));
    EXPECT_EQ(check.way_out, "widen it");
}

TEST(Doctor, NamesTheGroupAndTheCommandForKvm) {
    Facts facts = healthy();
    facts.kvm.open_error = EACCES;
    facts.kvm.user_in_group = false;
    EXPECT_EQ(judge_kvm(facts).verdict, Verdict::kWarning) << "there is the other backend";
    EXPECT_THAT(judge_kvm(facts).text, HasSubstr("/dev/kvm may not be opened by ada (group kvm)"));
    EXPECT_EQ(judge_kvm(facts).way_out, "sudo usermod -aG kvm ada, then log in again");
    facts.kvm.user_listed = true;
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("newgrp kvm"));
    facts.kvm.group_may_open = false;
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("setfacl -m u:ada:rw /dev/kvm"));
    facts.kvm.open_error = EPERM;
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("--device /dev/kvm"));
}

TEST(Doctor, SaysHowToGetKvmWhereThereIsNone) {
    Facts facts = healthy();
    facts.kvm = {};
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("modprobe kvm_intel"));
    facts.processor.vmx = false;
    facts.processor.svm = true;
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("modprobe kvm_amd"));
    facts.processor.svm = false;
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("firmware"));
    facts.processor.hypervisor = true;
    EXPECT_THAT(judge_kvm(facts).way_out, HasSubstr("nested virtualization"));
}

TEST(Doctor, MakesAProblemOfKvmOnlyWithoutAnotherBackend) {
    Facts facts = healthy();
    facts.kvm = {};
    EXPECT_EQ(judge_kvm(facts).verdict, Verdict::kWarning);
    EXPECT_THAT(judge_kvm(facts).text, HasSubstr("direct backend instead"));
    facts.probe.reset();
    EXPECT_EQ(judge_kvm(facts).verdict, Verdict::kProblem);
}

TEST(Doctor, TellsWhatStandsBehindKvm) {
    Facts facts = healthy();
    facts.processor.vmx = false;
    EXPECT_THAT(judge_kvm(facts).text, HasSubstr("neither VT-x nor AMD-V"));
    facts.processor.svm = facts.processor.hypervisor = true;
    EXPECT_THAT(judge_kvm(facts).text, HasSubstr("on AMD-V, in a virtual machine"));
}

TEST(Doctor, BelievesTheProbeMoreThanTheDevice) {
    Facts facts = healthy();
    facts.probe = std::vector<BackendProbe>{{"kvm", false, "KVM_CREATE_VM: busy", "stop the other hypervisor"},
                                            {"direct", true, {}, {}}};
    EXPECT_THAT(judge_kvm(facts).text, HasSubstr("no node starts on it: KVM_CREATE_VM: busy"));
    EXPECT_THAT(check_of(facts, "backend").text, HasSubstr("auto takes direct"));
}

TEST(Doctor, ReportsAProbeThatDidNotAnswer) {
    Facts facts = healthy();
    facts.probe = Result<std::vector<BackendProbe>>(make_error(Errc::kFailed, "was killed"));
    EXPECT_EQ(check_of(facts, "backend").verdict, Verdict::kProblem);
    EXPECT_THAT(check_of(facts, "backend").text, HasSubstr("was killed"));
    facts.probe = std::vector<BackendProbe>{{"kvm", false, "no", {}}};
    EXPECT_THAT(check_of(facts, "backend").text, HasSubstr("none works: kvm: no"));
}

TEST(Doctor, SaysWhichBackendTheEnvironmentAsksFor) {
    Facts facts = healthy();
    facts.probe = std::vector<BackendProbe>{{"kvm", true, {}, {}}, {"direct", true, {}, {}}};
    facts.wanted_backend = "direct";
    EXPECT_EQ(check_of(facts, "backend").verdict, Verdict::kOk);
    EXPECT_THAT(check_of(facts, "backend").text, HasSubstr("DIVISI_BACKEND takes direct"));
    facts.wanted_backend = "auto";
    EXPECT_THAT(check_of(facts, "backend").text, HasSubstr("auto takes kvm"));
    for (const char* bad : {"zen", "kvm"}) {
        facts.wanted_backend = bad;
        facts.probe = std::vector<BackendProbe>{{"kvm", false, "no device", {}}, {"direct", true, {}, {}}};
        EXPECT_EQ(check_of(facts, "backend").verdict, Verdict::kProblem);
        EXPECT_THAT(check_of(facts, "backend").way_out, HasSubstr("unset DIVISI_BACKEND"));
    }
}

TEST(Doctor, WarnsOfTightLimits) {
    Facts facts = healthy();
    facts.open_files = {256, 256};
    EXPECT_THAT(check_of(facts, "open files").text, HasSubstr("enough for about 16 nodes"));
    EXPECT_EQ(check_of(facts, "open files").verdict, Verdict::kWarning);
    facts.cgroup_pids = 32;
    EXPECT_EQ(check_of(facts, "processes").verdict, Verdict::kWarning);
    EXPECT_THAT(check_of(facts, "processes").text, HasSubstr("32 processes and threads (pids.max"));
    facts.max_map_count = 1000;
    EXPECT_THAT(check_of(facts, "mappings").way_out, HasSubstr("sysctl vm.max_map_count=65530"));
    facts.machine->memory->available = 512U << 20U;
    EXPECT_EQ(check_of(facts, "memory").verdict, Verdict::kWarning);
}

TEST(Doctor, ReportsWhatIsMissing) {
    Facts facts = healthy();
    facts.has_divisid = false;
    EXPECT_EQ(check_of(facts, "programs").verdict, Verdict::kProblem);
    EXPECT_THAT(check_of(facts, "programs").text, AllOf(HasSubstr("divisid not found"), Not(HasSubstr("divisi-vmm"))));
    facts.state_dir = make_error(Errc::kFailed, "belongs to someone else", "/run/divisi", "set DIVISI_STATE_DIR");
    EXPECT_EQ(check_of(facts, "state folder").verdict, Verdict::kProblem);
    EXPECT_EQ(check_of(facts, "state folder").way_out, "set DIVISI_STATE_DIR");
    facts.machine = make_error(Errc::kFailed, "no processing unit is usable");
    EXPECT_EQ(check_of(facts, "cores").verdict, Verdict::kProblem);
}

TEST(Probe, IsReadAsUntrustedInput) {
    const auto probes = parse_probe(R"({"backends": [{"name": "kvm", "ok": true, "reason": "", "detail": "API 12"}]})");
    ASSERT_TRUE(probes);
    EXPECT_TRUE(probes->at(0).ok);
    EXPECT_EQ(probes->at(0).detail, "API 12");
    EXPECT_EQ(parse_probe(R"({"backends": [{"name": "kvm", "reason": "kvm: gone"}]})")->at(0).reason, "gone");
    for (const char* bad : {"", "{}", "[]", R"({"backends": 1})", R"({"backends": [1]})", R"({"backends": [{}]})",
                            R"({"backends": [{"name": "kvm", "ok": "yes"}]})"})
        EXPECT_FALSE(parse_probe(bad)) << bad;
}

class FilesOfTheKernel : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "divisi-doctor-XXXXXX").string();
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        root_ = pattern;
    }
    void TearDown() override { fs::remove_all(root_); }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories(fs::path(root_ + path).parent_path());
        std::ofstream(root_ + path) << text;
    }
    std::string root_;
};

TEST_F(FilesOfTheKernel, TellTheProcessor) {
    write("/proc/cpuinfo",
          "processor\t: 0\nmodel name\t: CPU 3000\nflags\t\t: fpu svm_lock svm hypervisor\n\nprocessor: 1\n");
    const Processor processor = read_processor(root_);
    EXPECT_EQ(processor.model, "CPU 3000");
    EXPECT_TRUE(processor.svm);
    EXPECT_FALSE(processor.vmx);
    EXPECT_TRUE(processor.hypervisor);
    EXPECT_EQ(read_processor("/nowhere").model, "");
}

TEST_F(FilesOfTheKernel, TellTheModeOfHugePages) {
    write("/enabled", "always [madvise] never\n");
    EXPECT_EQ(selected_mode(root_ + "/enabled"), "madvise");
    write("/odd", "] [\n");
    EXPECT_EQ(selected_mode(root_ + "/odd"), "");
    EXPECT_EQ(selected_mode(root_ + "/missing"), "");
}

TEST_F(FilesOfTheKernel, TellTheLimitOnProcesses) {
    EXPECT_EQ(read_cgroup_pids(root_), std::nullopt);
    write("/proc/self/cgroup", "0::/a/b\n");
    write("/sys/fs/cgroup/a/b/pids.max", "max\n");
    EXPECT_EQ(read_cgroup_pids(root_), std::nullopt);
    write("/sys/fs/cgroup/a/pids.max", "512\n");
    EXPECT_EQ(read_cgroup_pids(root_), 512U);
}

}  // namespace
}  // namespace divisi::ctl::doctor
