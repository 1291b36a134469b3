"""How long this process has been running."""

import os
import time
from pathlib import Path


_IMPORTED = time.monotonic()


def seconds_since_start() -> float:
    """Wall time since the process began, its imports included.

    From the kernel's record of the start where there is one (Linux), otherwise from
    when this module was imported.
    """
    stat = Path("/proc/self/stat")
    if not stat.exists():
        return time.monotonic() - _IMPORTED
    # The name of the process, in parentheses, may hold spaces; the start, in clock
    # ticks since boot, is field 22 of all, 20 of those after the name.
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
