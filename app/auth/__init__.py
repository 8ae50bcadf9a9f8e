"""Who asks and what they may do. Views use `requires` or `public`, and `principal()`."""

from .guard import access_of, init_app, is_api, public, requires
from .principal import SYSTEM, Principal, current_principal, principal

__all__ = [
    "SYSTEM",
    "Principal",
    "access_of",
    "current_principal",
    "init_app",
    "is_api",
    "principal",
    "public",
    "requires",
]
