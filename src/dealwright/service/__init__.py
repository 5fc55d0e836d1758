"""The HTTP service: it checks who asks, calls the desk, and answers; it holds no rule of its own."""

from dealwright.service.params import ServiceParams

__all__ = ["ServiceParams"]
