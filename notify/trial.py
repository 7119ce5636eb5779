"""A template is tried out in a process of its own, before anything of it is stored.

MJML, HTML and templates are read by native code that a hostile author can crash or fill with memory: 30,000 nested
elements overflow its stack. In here that ends one short process, which is told how much it may use.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from notify.policy import TRIAL_CPU_SECONDS, TRIAL_MEMORY, TRIAL_SECONDS
from notify.rules.trial_findings import Document, Finding, Prepared

_ROOT = str(Path(__file__).resolve().parent.parent)
#: Limits come after the imports, so that they are spent on the template alone.
_CHILD = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from notify.rules.template_document import prepared_json
with open("/proc/self/statm") as statm:
    started_with = int(statm.read().split()[0]) * resource.getpagesize()
for limit, most in (
    (resource.RLIMIT_AS, started_with + int(sys.argv[2])),
    (resource.RLIMIT_CPU, int(resource.getrusage(resource.RUSAGE_SELF).ru_utime) + 1 + int(sys.argv[3])),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
):
    resource.setrlimit(limit, (most, most))
sys.stdout.buffer.write(prepared_json(sys.stdin.buffer.read()))
"""
_TOO_MUCH = Finding(
    code="template_too_costly",
    message="Trying it out took too much memory or time: it is nested too deeply, or too large; simplify it.",
    field="channels",
)


def try_out(document: Document) -> Prepared:
    """The document checked, built and rendered with examples: about 0.2 s, most of it the start of the process."""
    # Without the environment: nothing that runs in there may learn a secret.
    command = [sys.executable, "-I", "-c", _CHILD, _ROOT, str(TRIAL_MEMORY), str(TRIAL_CPU_SECONDS)]
    try:
        child = subprocess.run(  # noqa: S603 - our own interpreter and program; the document comes on its standard input
            command,
            input=msgspec.json.encode(document),
            capture_output=True,
            timeout=TRIAL_SECONDS,
            check=False,
            env={"LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        return Prepared(findings=[_TOO_MUCH])
    if child.returncode != 0:
        return Prepared(findings=[_TOO_MUCH])
    return msgspec.json.decode(child.stdout, type=Prepared)
