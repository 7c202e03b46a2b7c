#include "ctl/verbs.hpp"

#include <array>

namespace divisi::ctl {
namespace {

using AddVerb = void (*)(CLI::App&, Context&);

constexpr std::array kVerbs{AddVerb{add_carve},    AddVerb{add_ls},     AddVerb{add_show},    AddVerb{add_run},
                            AddVerb{add_join},     AddVerb{add_switch}, AddVerb{add_release}, AddVerb{add_ps},
                            AddVerb{add_top},      AddVerb{add_kill},   AddVerb{add_logs},    AddVerb{add_plan},
                            AddVerb{add_validate}, AddVerb{add_draw},   AddVerb{add_doctor},  AddVerb{add_daemon}};

}  // namespace

void add_verbs(CLI::App& app, Context& context) {
    for (const AddVerb add : kVerbs) add(app, context);
}

}  // namespace divisi::ctl
