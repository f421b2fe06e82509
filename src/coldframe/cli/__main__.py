"""``python -m coldframe.cli``: the same as the command `coldframe`."""

from __future__ import annotations

import sys

from coldframe.cli.main import main

sys.exit(main())
