"""Import modules one after the other: `python -c THIS NAME...`, or, after --builtin, those built into the interpreter too.

A line for each that is not among the arguments ("plan NAME"), one before each import ("try NAME") and one after ("ok NAME" or "no NAME REASON"), so that a crash has a name. Imported modules
may print; what is ours starts with a mark that the harness chose.
"""

import importlib
import os
import sys

mark, names = sys.argv[1], sys.argv[2:]
report = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
if "--builtin" in names:
    names.remove("--builtin")
    built_in = [name for name in sys.builtin_module_names if name not in names]
    for name in built_in:
        report.write(f"{mark} plan {name}\n")
    names += built_in
for name in names:
    report.write(f"{mark} try {name}\n")
    try:
        importlib.import_module(name)
    except BaseException as error:  # SystemExit of a module is its failure, too
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        report.write(f"{mark} no {name} {reason[:300]}\n")
    else:
        report.write(f"{mark} ok {name}\n")
report.write(f"{mark} end {len(names)}\n")
report.flush()
os._exit(0)
