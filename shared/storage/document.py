"""What is stored, as plain values. Pure, so that models may say how they are stored."""

from typing import Any

Document = dict[str, Any]
