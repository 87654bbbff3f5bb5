"""``python -m authflow`` is the command ``authflow``."""

from __future__ import annotations

import sys

from authflow.cli import main

sys.exit(main())
