"""Reference data and the scenario derived from it.

Facts live in tables/ (each row with its source and an estimated mark); `derive` makes offers of them and
`write_snapshot` writes those for the matcher. No web, no database.
"""

from .scenario import derive
from .snapshot import write_snapshot

__all__ = ["derive", "write_snapshot"]
