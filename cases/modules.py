"""Import modules one after the other: `python -c THIS MARK NAME...`, or, after --builtin, those built into the interpreter too.

A line for each that is not among the arguments ("plan NAME"), one before each import ("try NAME") and one after ("ok NAME" or
"no NAME REASON"), so that a crash has a name. Imported modules may print; what is ours stands between two marks that the
harness chose, so that it can tell whole lines from those that were cut. Reasons are short, so that lines are seldom left out.
"""

import importlib
import os
import sys

mark, names = sys.argv[1], sys.argv[2:]
report = os.dup(1)
os.dup2(2, 1)


def say(words):
    # No text stream: it would import the codec, which may be one of the broken modules.
    line = f"{mark} {words} {mark}\n".encode("ascii", "backslashreplace")
    while line:
        line = line[os.write(report, line) :]


if "--builtin" in names:
    names.remove("--builtin")
    built_in = [name for name in sys.builtin_module_names if name not in names]
    for name in built_in:
        say(f"plan {name}")
    names += built_in
for name in names:
    say(f"try {name}")
    try:
        importlib.import_module(name)
    except BaseException as error:  # SystemExit of a module is its failure, too
        say(f"no {name} " + " ".join(f"{type(error).__name__}: {error}".split())[:200])
    else:
        say(f"ok {name}")
say(f"end {len(names)}")
os._exit(0)
