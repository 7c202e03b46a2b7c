#!/usr/bin/env python3
"""The files section of a policy over real nodes: what a program sees, what it may change, and what of it is left."""
import os
import signal
import tempfile
import unittest

from sandbox import SandboxTest, alive, main, wait_for

# Does what each argument says, "verb:path" or "verb:path:path", and prints what came of it.
PROGRAM = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
static int kept = -1;  /* the folder that was opened last */
static int list(const char* path) {
    DIR* folder = opendir(path);
    if (!folder) return -1;
    int count = 0;
    for (struct dirent* entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}
static int act(const char* verb, const char* path, const char* other) {
    struct stat status;
    char byte;
    if (!strcmp(verb, "read")) {
        const int fd = open(path, O_RDONLY);
        return fd < 0 ? -1 : (int)read(fd, &byte, 1);
    }
    if (!strcmp(verb, "write")) {
        const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
        return fd < 0 ? -1 : (int)write(fd, "w", 1);
    }
    if (!strcmp(verb, "stat")) return lstat(path, &status);
    if (!strcmp(verb, "list")) return list(path);
    if (!strcmp(verb, "keep")) return (kept = open(path, O_PATH | O_DIRECTORY)) < 0 ? -1 : 0;
    if (!strcmp(verb, "at")) {
        const int fd = openat(kept, path, O_RDONLY);
        return fd < 0 ? -1 : 0;
    }
    if (!strcmp(verb, "again")) {
        char name[64];
        snprintf(name, sizeof name, "/proc/self/fd/%d", kept);
        return list(name);
    }
    if (!strcmp(verb, "make")) return mkdir(path, 0700);
    if (!strcmp(verb, "shut")) return chmod(path, 0);
    if (!strcmp(verb, "remove")) return remove(path);
    if (!strcmp(verb, "enter")) return chdir(path);
    if (!strcmp(verb, "move")) return rename(path, other);
    if (!strcmp(verb, "swap")) return renameat2(AT_FDCWD, path, AT_FDCWD, other, RENAME_EXCHANGE);
    if (!strcmp(verb, "link")) return linkat(AT_FDCWD, path, AT_FDCWD, other, AT_SYMLINK_FOLLOW);
    if (!strcmp(verb, "point")) return symlink(other, path);
    if (!strcmp(verb, "wait")) return puts("waits"), fflush(stdout), pause();
    errno = EINVAL;
    return -1;
}
int main(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const char* verb = strtok(argv[i], ":");
        const char* path = strtok(NULL, ":");
        const int result = act(verb, path, strtok(NULL, ":"));
        printf("%s ", result < 0 ? strerrorname_np(errno) : result == 0 ? "ok" : "some");
    }
    puts("");
    return 0;
}
"""

POLICY = """
apiVersion: divisi/v1
name: pair
nodes: {count: 2}
files: %s
"""


def folder_that_is_seen():
    """One of the host's that is no scratch folder, even where the project was built in one."""
    for folder in (os.path.dirname(os.environ["DIVISI_BIN"]), os.path.expanduser("~"), "/var/cache", "/run"):
        path = os.path.realpath(folder)
        scratch = any(path.startswith(root) for root in ("/tmp", "/var/tmp", "/dev/shm"))
        if not scratch and os.access(path, os.W_OK):
            return path
    raise unittest.SkipTest("no folder outside of the scratch folders can be written")


class Files(SandboxTest):
    vmm = None

    def setUp(self):
        super().setUp()
        # A place that is no scratch folder: where the programs of this build are.
        base = tempfile.TemporaryDirectory(dir=folder_that_is_seen(), prefix="files-test-")
        self.addCleanup(base.cleanup)
        self.base = os.path.realpath(base.name)
        for folder in ("work/in", "data/deep/er", "secret"):
            os.makedirs(os.path.join(self.base, folder))
        for name in ("work/in/file", "data/file", "data/deep/file", "secret/file"):
            with open(os.path.join(self.base, name), "w") as file:
                file.write("x")
        self.program = self.build_program(PROGRAM, "cc", "-static", folder=self.base)

    def carve(self, files):
        path = os.path.join(self.state, "pair.yaml")
        with open(path, "w") as file:
            file.write(POLICY % files.replace("@", self.base))
        self.ok("carve", path)

    def act(self, *actions, folder=None, ranks="1"):
        words = [action.replace("@", self.base) for action in actions]
        return self.ok("run", "pair", "--ranks", ranks, "--", self.program, *words,
                       cwd=folder or os.path.join(self.base, "work")).split()

    def test_by_default_the_working_folder_can_be_changed_and_the_rest_read(self):
        self.ok("carve", self.policy())
        self.assertEqual(self.act("write:new", "read:@/data/file", "write:@/data/new", "write:@/data/file",
                                  "move:in/file:@/data/x", "link:@/data/file:mine", "read:/etc/passwd"),
                         ["some", "some", "EROFS", "EROFS", "EROFS", "EXDEV", "some"])

    def test_what_is_hidden_is_not_there_by_any_way(self):
        self.carve("{hidden: ['@/secret', in]}")
        self.assertEqual(
            self.act("read:@/secret/file", "stat:@/secret", "read:../secret/file", "point:way:../secret", "read:way/file",
                     "read:/proc/self/root@/secret/file", "read:/proc/self/cwd/../secret/file", "list:@",
                     "keep:..", "at:secret/file", "at:secret", "at:work/../secret/file", "read:in/file", "make:in",
                     "remove:in", "move:in:out", "swap:way:in", "move:way:in", "link:@/secret/file:mine", "list:."),
            ["ENOENT", "ENOENT", "ENOENT", "ok", "ENOENT", "ENOENT", "ENOENT", "some", "ok", "ENOENT", "ENOENT", "ENOENT",
             "ENOENT", "ENOENT", "ENOENT", "ENOENT", "ENOENT", "ENOENT", "ENOENT", "some"])
        self.assertTrue(os.path.exists(os.path.join(self.base, "work/in/file")))

    def test_where_all_is_hidden_only_what_is_named_can_be_seen(self):
        self.carve("{readable: ['@/data/deep'], writable: [., '@/data/deep/er']}")
        self.assertEqual(
            self.act("read:@/data/deep/file", "write:@/data/deep/file", "write:@/data/deep/er/new", "read:@/data/file",
                     "write:@/data/new", "read:/etc/passwd", "list:@/data", "keep:@/data", "at:file", "at:deep/file",
                     "again:", "enter:@/data", "read:file", "list:.", "read:../secret/file", "read:/dev/urandom",
                     "move:deep:../deep", "enter:deep/er", "write:../file", "write:new", "remove:../er"),
            ["some", "EROFS", "some", "ENOENT", "ENOENT", "ENOENT", "some", "ok", "ENOENT", "ok", "some", "ok", "ENOENT",
             "some", "ENOENT", "some", "EROFS", "ok", "EROFS", "some", "EROFS"])

    def test_a_folder_that_can_only_be_read_stays_so_in_a_writable_one(self):
        self.carve("{readable: [/, in]}")
        self.assertEqual(self.act("read:in/file", "write:in/file", "write:in/new", "move:in:out", "remove:in/file",
                                  "link:in/file:mine", "make:a", "move:a:in", "swap:a:in", "move:in/file:mine"),
                         ["some", "EROFS", "EROFS", "EBUSY", "EROFS", "EXDEV", "ok", "EBUSY", "EBUSY", "EROFS"])

    def test_a_hidden_working_folder_is_an_error_with_a_way_out(self):
        self.carve("{hidden: ['@/secret'], readable: [/], writable: []}")
        error = self.divisi("run", "pair", "--", self.program, cwd=os.path.join(self.base, "secret")).stderr
        self.assertIn("hides the working folder", error)
        self.assertEqual(self.act("write:new"), ["EROFS"])

    def test_scratch_folders_are_a_job_s_own_and_end_with_it(self):
        self.ok("carve", self.policy())
        with tempfile.NamedTemporaryFile(dir="/tmp", prefix="divisi-files-test-") as foreign:
            self.assertEqual(self.act("stat:" + foreign.name, "write:/tmp/note", "read:/tmp/note", "write:/var/tmp/note",
                                      "write:/dev/shm/note", "make:/tmp/a", "make:/tmp/a/b", "shut:/tmp/a", "list:/tmp",
                                      "remove:/tmp", "move:/tmp/note:/dev/shm/moved"),
                             ["ENOENT", "some", "some", "some", "some", "ok", "ok", "ok", "some", "EROFS", "ok"])
            self.assertEqual(self.act("stat:/tmp/note", "list:/tmp", "stat:/dev/shm/moved", "stat:/var/tmp/note"),
                             ["ENOENT", "ok", "ENOENT", "ENOENT"])
        for folder in ("/tmp", "/var/tmp", "/dev/shm"):
            self.assertNotIn("note", os.listdir(folder))

    def test_a_working_folder_under_tmp_is_there_by_its_name(self):
        self.ok("carve", self.policy())
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="divisi-files-test-") as folder:
            self.assertEqual(self.act("write:%s/new" % folder, "read:new", "stat:/tmp/../tmp", "move:%s:/tmp/x" % folder,
                                      "remove:" + folder, "enter:..", "read:%s/new" % os.path.basename(folder),
                                      folder=folder),
                             ["some", "some", "ok", "EBUSY", "EBUSY", "ok", "some"])
            self.assertEqual(os.listdir(folder), ["new"])

    def test_the_host_s_scratch_folder_where_the_policy_names_it(self):
        with tempfile.TemporaryDirectory(dir="/tmp", prefix="divisi-files-test-") as folder:
            self.carve("{writable: [., %s]}" % folder)
            self.assertEqual(self.act("write:%s/new" % folder, "list:/tmp", "write:/tmp/x"), ["some", "some", "some"])
            self.assertEqual(os.listdir(folder), ["new"])

    def test_nothing_is_left_of_a_killed_topology(self):
        self.ok("carve", self.policy())
        pid = self.json("show", "pair")["vmm_pid"]
        job = self.start("divisi", "run", "pair", "--ranks", "1", "--", self.program, "make:/tmp/killed",
                         "write:/tmp/killed/file", "wait:", cwd=os.path.join(self.base, "work"))
        self.assertEqual(job.stdout.readline(), "ok some waits\n")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not alive(pid), "divisi-vmm is gone")
        job.communicate(timeout=20)
        wait_for(lambda: not os.path.exists(os.path.join(self.topologies(), "pair")), "its folder is gone", 20)
        self.assertFalse(os.path.exists("/tmp/killed"))


if __name__ == "__main__":
    main()
