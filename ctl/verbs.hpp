// The verbs of `divisi`. Each has a file of its own, `ctl/<verb>.cpp`, that adds a subcommand whose callback sets
// `context.action`. To add a verb: its file, its line here, its line in `verbs.cpp`.
#pragma once

#include <CLI/CLI.hpp>

#include "ctl/context.hpp"

namespace divisi::ctl {

void add_carve(CLI::App& app, Context& context);
void add_daemon(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_draw(CLI::App& app, Context& context);
void add_join(CLI::App& app, Context& context);
void add_kill(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
void add_ls(CLI::App& app, Context& context);
void add_plan(CLI::App& app, Context& context);
void add_ps(CLI::App& app, Context& context);
void add_release(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_show(CLI::App& app, Context& context);
void add_switch(CLI::App& app, Context& context);
void add_top(CLI::App& app, Context& context);
void add_validate(CLI::App& app, Context& context);

// All of them, in the order of `divisi --help`. `context` must outlive `app`.
void add_verbs(CLI::App& app, Context& context);

}  // namespace divisi::ctl
