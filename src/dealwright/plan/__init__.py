"""The nightly plan: pure typed stages over columnar frames; no database inside."""

from dealwright.extras import require_extra

require_extra("plan", "the nightly plan")
