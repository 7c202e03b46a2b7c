"""The list of what passes: expected.txt.

A line of the suite is a line here: "divisi OPENMPI  NAME  # REASON", each verdict `pass`, `fail` or `-` (not known)."""

HEADER = """# The MPICH test suite, line by line: with divisi, with Debian's Open MPI, and why not. Written by `tests/mpich/run --update`,
# which keeps the reasons.
"""
COLUMNS = ("divisi", "openmpi")
OF_ALL = 0.85
OF_PEER = 0.95


class Expected:
    def __init__(self, path):
        self.path = path
        self.verdicts = {}  # name -> {column: verdict}
        self.reasons = {}
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        for line in text.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            front, _, reason = line.partition("  # ")
            ours, theirs, name = front.split(None, 2)
            self.verdicts[name.strip()] = {"divisi": ours, "openmpi": theirs}
            self.reasons[name.strip()] = reason.strip()

    def update(self, column, results):
        if column not in COLUMNS:
            return
        for name, why in results.items():
            verdicts = self.verdicts.setdefault(name, dict.fromkeys(COLUMNS, "-"))
            verdicts[column] = "fail" if why else "pass"
            if column == "divisi":
                self.reasons[name] = (self.reasons.get(name) or why) if why else ""

    def write(self):
        rows = []
        for name, verdicts in sorted(self.verdicts.items()):
            reason = self.reasons.get(name, "")
            row = f"{verdicts['divisi']:<5} {verdicts['openmpi']:<5} {name}"
            rows.append(f"{row}  # {reason}" if reason else row)
        self.path.write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")

    def report(self, column, results, whole):
        """Says what came out. 1 where a line that passed does not any more, or too few pass."""
        passed = sum(not why for why in results.values())
        print(f"{passed} of {len(results)} lines pass with {column}")
        if column not in COLUMNS:
            return 0
        lost = [name for name, why in results.items()
                if why and self.verdicts.get(name, {}).get(column) == "pass"]
        for name in lost:
            print(f"passed before: {name}  -- {results[name]}")
        if column != "divisi" or not whole:
            return 1 if lost else 0
        theirs = [name for name in results if self.verdicts.get(name, {}).get("openmpi") == "pass"]
        of_theirs = sum(not results[name] for name in theirs)
        print(f"of the {len(theirs)} that pass with Open MPI, {of_theirs} pass here")
        enough = passed >= OF_ALL * len(results) and of_theirs >= OF_PEER * len(theirs)
        if not enough:
            print(f"too few: wanted are {OF_ALL:.0%} of all and {OF_PEER:.0%} of those that pass with Open MPI")
        return 0 if enough and not lost else 1
